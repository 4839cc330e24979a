-- `http-request lua.vertex-authorize`: whether the caller that `vertex-verify` found may do this.
local native = require("haproxy_vertex")
local settle = require("vertex.await")
local variables = require("vertex.variables")

local M = {}

---@param txn TXN
---@return boolean
function M.step(txn)
  local verified = txn:get_priv()
  if verified == nil then
    -- Nobody to ask for; what `vertex-verify` has said, if anything, stands.
    variables.forget(txn, { { "allowed", "signed" } })
    return false
  end
  -- Until it is allowed again, nothing is: not what was allowed before either.
  txn:set_priv(nil)
  variables.decide_anew(txn, variables.OF_AUTHORIZE)
  local answer, passage, told = settle.settle(txn, function(text, ticket)
    return native.permit(verified, text, ticket)
  end)
  variables.tell(txn, told)
  if answer ~= "done" then
    return false
  end
  txn:set_priv(passage)
  variables.affirm(txn, "allowed")
  return true
end

---@param txn TXN
function M.run(txn)
  M.step(txn)
end

return M
