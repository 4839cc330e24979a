-- The slow path: a request whose verdict is `wait` asks again until there is one.
local native = require("haproxy_vertex")

-- Most waits are short; the long ones are an issuer's outage, and many.
local QUICK_POLLS, QUICK_MILLISECONDS = 25, 20
local SLOW_MILLISECONDS = 100
-- The module settles it within 5 s; should it not, the verdict stays `wait`, which is a refusal.
local POLLS = 80

local M = {}

---@param txn TXN
function M.run(txn)
  local request = txn:get_var("txn.vertex.line") .. txn:get_var("txn.vertex.headers")
  local ticket = native.start_waiting()
  for poll = 1, POLLS do
    local verdict = native.resume(request, ticket)
    if verdict then
      txn:set_var("txn.vertex.verdict", verdict)
      return
    end
    core.msleep(poll <= QUICK_POLLS and QUICK_MILLISECONDS or SLOW_MILLISECONDS)
  end
end

return M
