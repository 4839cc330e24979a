-- Calls that Google closes the connection on before it answers. HAProxy then closes the client's without
-- a word, as that is to try again, and writes no log line: the line is written from here.
local native = require("haproxy_vertex")

local style = os.getenv("VERTEX_LOG_STYLE")

local M = {}

-- HAProxy's own answers and Google's have left their mark; their log line is HAProxy's.
---@param txn TXN
local function is_silent(txn)
  return not txn:get_var("txn.vertex.left") and not txn:get_var("txn.vertex.upstream")
end

---@param call integer
---@param txn TXN
local function tell(call, txn)
  local fetch = txn.f
  local line = native.unlogged(call, txn:get_var("txn.vertex.verdict"), {
    client = fetch:src(),
    client_port = fetch:src_port(),
    frontend = fetch:fe_name(),
    backend = fetch:be_name(),
    server = fetch:srv_name(),
    style = style,
  }, os.date)
  if line then
    txn:log(core.info, line)
    -- Since 3.0 HAProxy logs the streams that an administrator ends.
    if core.silent then
      txn:set_loglevel(core.silent)
    end
  end
end

-- The filter's `end_analyze` while no answer has come.
---@param txn TXN
local function end_analyze(meter, txn)
  meter.end_analyze = nil
  if is_silent(txn) then
    pcall(tell, meter.call, txn)
  end
end

-- HAProxy looks for the function in the filter's object before it builds anything for its call.
---@param meter table?
---@param call integer?
function M.watch(meter, call)
  if meter and call then
    meter.call, meter.end_analyze = call, end_analyze
  end
end

-- An answer has come.
---@param meter table?
function M.unwatch(meter)
  if meter then
    meter.end_analyze = nil
  end
end

return M
