-- Calls that Google closes the connection on before it answers. HAProxy then closes the client's without
-- a word, as that is to try again, and writes no log line: the line is written from here.
local native = require("haproxy_vertex")
local later = require("vertex.later")

local style = os.getenv("VERTEX_LOG_STYLE")

local M = {}

-- Whether Google closed the connection; nothing where HAProxy does not tell (2.8). HAProxy's own answers
-- and Google's have left their mark. Without one it was Google, or the client, of whom HAProxy writes.
---@param txn TXN
---@return boolean?
local function is_google(txn)
  if txn:get_var("txn.vertex.left") or txn:get_var("txn.vertex.upstream") then
    return false
  end
  local state = txn.f.txn_sess_term_state
  if state then
    return state(txn.f):match("^S") ~= nil
  end
  -- No `core.queue`: before HAProxy 2.8, where the answer's channel is closed if the server did it.
  if not core.queue then
    return not txn.res:may_recv()
  end
end

---@param call integer
---@param txn TXN
local function tell(call, txn)
  local closed = is_google(txn)
  if closed == false then
    return
  end
  local fetch = txn.f
  local verdict = txn:get_var("txn.vertex.verdict")
  local connection = {
    client = fetch:src(),
    client_port = fetch:src_port(),
    frontend = fetch:fe_name(),
    backend = fetch:be_name(),
    server = fetch:srv_name(),
    style = style,
  }
  if closed then
    local line = native.unlogged(call, verdict, connection, os.date)
    return line and txn:log(core.info, line)
  end
  -- HAProxy's own line, if it writes one, ends the call within this turn of its loop.
  later.run(function()
    local line = native.unlogged(call, verdict, connection, os.date)
    if line then
      core.log(core.info, line)
    end
  end)
end

-- The filter's `end_analyze` while no answer has come.
---@param filter table
---@param txn TXN
function M.on_end(filter, txn)
  filter.end_analyze = nil
  pcall(tell, filter.call, txn)
end

return M
