-- `http-request lua.vertex-verify`: who asks. What it finds goes on inside the module (`set_priv`),
-- where no rule can put anything; `verified` is set at the end of the way and nowhere else.
local native = require("haproxy_vertex")
local step = require("vertex.step")
local variables = require("vertex.variables")

local M = {}

---@param txn TXN
---@return boolean
function M.step(txn)
  return step.take(txn, variables.OF_VERIFY, "verified", native.verify)
end

---@param txn TXN
function M.run(txn)
  M.step(txn)
end

return M
