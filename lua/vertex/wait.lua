-- The slow path: a request whose verdict is not the last word asks again until there is one.
local native = require("haproxy_vertex")
local request = require("vertex.request")

-- Most waits are short; the long ones are an issuer's outage, and many.
local QUICK_POLLS, QUICK_MILLISECONDS = 25, 20
local SLOW_MILLISECONDS = 100
-- The module settles it within 5 s; should it not, the verdict stays what it was: a refusal.
local POLLS = 80
-- As `wait-for-body` in vertex.cfg.
local BODY_POLLS = 500
-- So long a pause within a body is its end.
local IDLE_POLLS = 100

local M = {}

-- All of the body that will come: HTTP/2 tells its length by Content-Length alone, and what does not
-- fit the buffer stops coming.
---@param txn TXN
local function await_body(txn)
  local wanted = tonumber(txn.sf:req_fhdr("content-length")) or 0
  local length, idle = 0, 0
  for _ = 1, BODY_POLLS do
    local before = length
    length = txn.f:req_body_len()
    idle = length > before and 0 or idle + 1
    if length >= wanted or (length > 0 and idle > IDLE_POLLS) then
      return
    end
    core.msleep(QUICK_MILLISECONDS)
  end
end

-- Calls `ask` with the request's text until it says something else than that it needs more or time.
---@param txn TXN
---@param ask fun(text: string, ticket: integer): string?, any, any
function M.settle(txn, ask)
  local ticket = native.start_waiting()
  local stage = "head"
  for poll = 1, POLLS do
    local answer, given, told = ask(request.text(txn, stage), ticket)
    local need = answer and answer:match("^[^|]*")
    if need == "body" then
      await_body(txn)
      stage = need
    elseif need == "peer" then
      stage = need
    elseif need then
      return answer, given, told
    else
      core.msleep(poll <= QUICK_POLLS and QUICK_MILLISECONDS or SLOW_MILLISECONDS)
    end
  end
end

---@param txn TXN
function M.run(txn)
  local verdict = M.settle(txn, native.resume)
  if verdict then
    txn:set_var("txn.vertex.verdict", verdict)
  end
end

return M
