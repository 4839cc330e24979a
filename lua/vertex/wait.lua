-- The slow path of vertex.cfg: a request whose verdict is not the last word asks until there is one.
local native = require("haproxy_vertex")
local await = require("vertex.await")

local VERDICT = "txn.vertex.verdict"

local M = {}

---@param txn TXN
function M.run(txn)
  local undecided = txn:get_var(VERDICT)
  -- HAProxy ends a request whose caller leaves while this sleeps, and Lua hears no more of it: for so
  -- long that is its verdict.
  local function pause(milliseconds)
    txn:set_var(VERDICT, native.refused(undecided, "request_incomplete") or undecided)
    core.msleep(milliseconds)
    txn:set_var(VERDICT, undecided)
  end
  local verdict = await.settle(txn, native.resume, pause)
  if verdict then
    txn:set_var(VERDICT, verdict)
  end
end

return M
