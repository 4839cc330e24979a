-- The slow path of vertex.cfg: a request whose verdict is not the last word asks until there is one.
local native = require("haproxy_vertex")
local settle = require("vertex.settle")

local M = {}

---@param txn TXN
function M.run(txn)
  local verdict = settle.settle(txn, native.resume)
  if verdict then
    txn:set_var("txn.vertex.verdict", verdict)
  end
end

return M
