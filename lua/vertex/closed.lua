-- Calls that Google closes the connection on before it answers. HAProxy then closes the client's without
-- a word, as that is to try again, and writes no log line: the line is written from here.
local native = require("haproxy_vertex")
local later = require("vertex.later")

local style = os.getenv("VERTEX_LOG_STYLE")
-- The defaults of the packaged rules say where a backend logs; rules of the operator's own may not.
local packaged = os.getenv("VERTEX_RULES")

local M = {}

-- Whether Google closed the connection without a line of HAProxy's; nothing where HAProxy does not tell:
-- before 3.0, and of a rule that closes. HAProxy's own answers and Google's have left their mark.
---@param txn TXN
---@return boolean?
local function is_google(txn)
  if txn:get_var("txn.vertex.sent_status") or txn:get_var("txn.vertex.upstream") then
    return false
  end
  local state = txn.f.txn_sess_term_state
  local who = state and state(txn.f):sub(1, 1)
  if who and who ~= "P" then
    return who == "S"
  end
end

-- Before 3.0: of a request that is still coming up, only Google can have closed the other side. HAProxy's
-- own line says so.
---@param txn TXN
local function mark(txn)
  if not txn.f.txn_sess_term_state and txn.req:may_recv() and not txn.res:may_recv() then
    txn:set_var("txn.vertex.upstream", "closed")
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
    uploaded = fetch.bytes_in and fetch:bytes_in(),
  }
  local function write(to)
    local line = native.unlogged(call, verdict, connection, os.date)
    if line then
      to(line)
    end
  end
  if closed and packaged then
    return write(function(line)
      txn:log(core.info, line)
    end)
  end
  mark(txn)
  -- HAProxy's own line, if it writes one, ends the call within this turn of its loop.
  later.run(function()
    write(function(line)
      core.log(core.info, line)
    end)
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
