-- How an answer is read as it passes: the filter `lua.vertex-meter`, which each backend declares,
-- and the action that sets it to work on the answers that no rule could read as a whole.
local closed = require("vertex.closed")
local native = require("haproxy_vertex")

-- HAProxy asks a filter for what its class has: `end_analyze` is an object's own, where it has one.
local Meter = { id = "vertex-meter", flags = filter.FLT_CFG_FL_HTX }
local Reader = {}
Reader.__index = Reader

-- A stream's filters, actions and converters run in one coroutine, which is how they find the filter.
local meters = setmetatable({}, { __mode = "k" })

function Meter.new()
  local self = setmetatable({}, Reader)
  meters[coroutine.running()] = self
  return self
end

function Meter.end_analyze() end

local function read(call, message)
  local piece = message:body()
  if piece and piece ~= "" then
    native.feed(call, piece)
  end
end

-- An error that is raised here would end the answer.
---@param message HTTPMessage
function Reader:http_payload(_, message)
  pcall(read, self.call, message)
end

Meter.http_payload = Reader.http_payload

local M = {}

---@param class table
function M.attach(class)
  return class
end

-- The filter of the stream that this runs for.
---@return table?
function M.of_stream()
  return meters[coroutine.running()]
end

-- HAProxy asks such a filter for nothing until it is registered for the data of an answer.
---@param txn TXN
function M.run(txn)
  local meter = M.of_stream()
  closed.unwatch(meter)
  local call = native.meter(txn:get_var("txn.vertex.verdict"), txn.f:res_fhdr("content-type"))
  if meter and call then
    meter.call = call
    filter.register_data_filter(meter, txn.res)
  end
end

M.Meter = Meter

return M
