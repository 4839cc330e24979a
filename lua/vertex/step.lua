-- A step of the actions: asks until there is an answer, and tells it.
local await = require("vertex.await")
local variables = require("vertex.variables")

local M = {}

-- Whether it came to its end: what it gives goes on inside the module (`set_priv`), and the variable
-- `affirmed` says so. Until then nothing that an earlier decision left is true.
---@param txn TXN
---@param groups string[][]
---@param affirmed string
---@param ask fun(text: string, ticket: integer): string?, any, any
---@return boolean
function M.take(txn, groups, affirmed, ask)
  txn:set_priv(nil)
  variables.decide_anew(txn, groups)
  local answer, passage, told = await.settle(txn, ask)
  variables.tell(txn, told)
  if answer ~= "done" then
    return false
  end
  txn:set_priv(passage)
  variables.affirm(txn, affirmed)
  return true
end

return M
