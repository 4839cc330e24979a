-- `http-request lua.vertex-verify`: who asks. What it finds goes on inside the module (`set_priv`),
-- where no rule can put anything; `verified` is set at the end of the way and nowhere else.
local native = require("haproxy_vertex")
local settle = require("vertex.await")
local variables = require("vertex.variables")

local M = {}

---@param txn TXN
---@return boolean
function M.step(txn)
  txn:set_priv(nil)
  variables.decide_anew(txn, variables.OF_VERIFY)
  local answer, passage, told = settle.settle(txn, native.verify)
  variables.tell(txn, told)
  if answer ~= "done" then
    return false
  end
  txn:set_priv(passage)
  variables.affirm(txn, "verified")
  return true
end

---@param txn TXN
function M.run(txn)
  M.step(txn)
end

return M
