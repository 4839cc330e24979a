-- Asks until there is an answer: the one place where a request waits.
local native = require("haproxy_vertex")
local request = require("vertex.request")

-- Most waits are short; the long ones are an issuer's outage, and many.
local QUICK_POLLS, QUICK_MILLISECONDS = 25, 20
local SLOW_MILLISECONDS = 100
-- The module settles it within 5 s; should it not, the verdict stays what it was: a refusal.
local POLLS = 80
-- As VERTEX_BODY_TIMEOUT of vertex.cfg by default: a minute.
local BODY_POLLS = 3000

local M = {}

---@param txn TXN
---@param pause fun(milliseconds: integer)
local function await_body(txn, pause)
  for _ = 1, BODY_POLLS do
    -- A full buffer takes no more, however long one waits.
    if request.is_whole(txn) or not txn.req:may_recv() then
      return
    end
    pause(QUICK_MILLISECONDS)
  end
end

-- Calls `ask` with the request's text until it says something else than that it needs more or time:
-- its answer, nothing if it never does.
---@param txn TXN
---@param ask fun(text: string, ticket: integer): string?, any, any
---@param pause? fun(milliseconds: integer)
function M.settle(txn, ask, pause)
  pause = pause or core.msleep
  local ticket = native.start_waiting()
  local stage = "head"
  for poll = 1, POLLS do
    local answer, given, told = ask(request.text(txn, stage), ticket)
    local need = answer and answer:match("^[^|]*")
    if need == "body" then
      await_body(txn, pause)
      stage = need
    elseif need == "peer" then
      stage = need
    elseif need then
      return answer, given, told
    else
      pause(poll <= QUICK_POLLS and QUICK_MILLISECONDS or SLOW_MILLISECONDS)
    end
  end
end

return M
