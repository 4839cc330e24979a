-- The slow path: a request whose verdict is `wait` asks again until there is one.
local native = require("haproxy_vertex")

local POLL_MILLISECONDS = 20

local M = {}

---@param txn TXN
function M.run(txn)
  local request = txn:get_var("txn.vertex.line") .. txn:get_var("txn.vertex.headers")
  local ticket = native.start_waiting()
  local verdict = native.resume(request, ticket)
  while not verdict do
    core.msleep(POLL_MILLISECONDS)
    verdict = native.resume(request, ticket)
  end
  txn:set_var("txn.vertex.verdict", verdict)
end

return M
