-- `http-request lua.vertex-authorize`: whether the caller that `vertex-verify` found may do this.
local native = require("haproxy_vertex")
local step = require("vertex.step")
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
  return step.take(txn, variables.OF_AUTHORIZE, "allowed", function(text, ticket)
    return native.permit(verified, text, ticket)
  end)
end

---@param txn TXN
function M.run(txn)
  M.step(txn)
end

return M
