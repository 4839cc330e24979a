-- How an answer is read as it passes: the filter `lua.vertex-meter`, which each backend declares,
-- and the action that sets it to work on the answers that no rule could read as a whole.
local closed = require("vertex.closed")
local native = require("haproxy_vertex")
local stream = require("vertex.stream")

-- HAProxy asks a filter for what its class has: `end_analyze` is an object's own, where it has one.
local Meter = { id = "vertex-meter", flags = filter.FLT_CFG_FL_HTX }
local Reader = { on_end = closed.on_end }
Reader.__index = Reader

function Meter.new()
  local self = setmetatable({}, Reader)
  stream.keep(self)
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

-- HAProxy asks such a filter for nothing until it is registered for the data of an answer.
---@param txn TXN
function M.run(txn)
  local meter = stream.filter()
  stream.unwatch()
  local call = native.meter(txn:get_var("txn.vertex.verdict"), txn.f:res_fhdr("content-type"))
  if meter and call then
    meter.call = call
    filter.register_data_filter(meter, txn.res)
  end
end

M.Meter = Meter

return M
