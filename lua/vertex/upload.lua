-- HAProxy before 3.0 resets an HTTP/2 stream right behind an answer that overtakes its request, and
-- clients drop the answer with it: a refusal waits for a request that is about to end.
local FIRST_MILLISECONDS, MOST_MILLISECONDS = 5, 2000

local M = {}

-- To these versions of HAProxy a boolean is a number in Lua.
---@param txn TXN
local function is_coming(txn)
  return txn.f:internal_htx_has_eom() == 0 and txn.req:may_recv()
end

-- Pauses that double: who never ends a request costs a handful of looks.
---@param txn TXN
function M.await(txn)
  local waited, pause = 0, FIRST_MILLISECONDS
  while waited < MOST_MILLISECONDS and is_coming(txn) do
    pause = math.min(pause, MOST_MILLISECONDS - waited)
    core.msleep(pause)
    waited, pause = waited + pause, pause * 2
  end
end

return M
