-- Asks until there is an answer: the one place where a request waits.
local native = require("haproxy_vertex")
local request = require("vertex.request")

-- Most waits are short; the long ones are an issuer's outage, and many.
local QUICK_POLLS, QUICK_MILLISECONDS = 25, 20
local SLOW_MILLISECONDS = 100
-- The module settles it within 5 s; should it not, the verdict stays what it was: a refusal.
local POLLS = 80
-- As `wait-for-body` in vertex.cfg.
local BODY_POLLS = 500

local M = {}

-- Over HTTP/2 HAProxy's own count of a body is what has come of it: only Content-Length says more.
---@param txn TXN
---@param room integer
---@param pause fun(milliseconds: integer)
local function await_body(txn, room, pause)
  local length = tonumber(txn.sf:req_fhdr("content-length")) or 0
  if length > room then
    return
  end
  for _ = 1, BODY_POLLS do
    local is_whole = txn.f:req_body_len() >= length
    -- A full buffer takes no more, however long one waits.
    if is_whole or not txn.req:may_recv() then
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
  local ticket, room = native.start_waiting()
  local stage = "head"
  for poll = 1, POLLS do
    local answer, given, told = ask(request.text(txn, stage), ticket)
    local need = answer and answer:match("^[^|]*")
    if need == "body" then
      await_body(txn, room or 0, pause)
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
