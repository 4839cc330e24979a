-- How an answer is read as it passes: the filter `lua.vertex-meter`, which each backend declares,
-- and the action that sets it to work on the answers that no rule could read as a whole.
local closed = require("vertex.closed")
local native = require("haproxy_vertex")
local stream = require("vertex.stream")

-- HAProxy asks a filter for what its class has: `end_analyze` is an object's own, where it has one.
local Meter = { id = "vertex-meter", flags = filter.FLT_CFG_FL_HTX }
local Reader = { on_end = closed.on_end }

---@param call integer
---@param message HTTPMessage
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

-- For who reads the request as well.
Reader.read_answer = Reader.http_payload

-- The same, and the message is kept: a stream's answer has one.
---@param message HTTPMessage
local function read_and_keep(reader, _, message)
  if pcall(read, reader.call, message) then
    reader.message = message
  end
end

Reader.__index = stream.looks_first and native.reader_index(Reader, read_and_keep, native.feed, native.pass) or Reader

function Meter.new()
  local self = setmetatable({ call = false, message = false, end_analyze = false }, Reader)
  stream.keep(self)
  return self
end

function Meter.end_analyze() end

Meter.http_payload = Reader.http_payload

-- For objects that read a request's body.
function Meter.http_end() end

local M = {}

---@param class table
function M.attach(class)
  return class
end

-- HAProxy asks such a filter for nothing until it is registered for the data of an answer.
---@param txn TXN
function M.run(txn)
  local meter = stream.unwatch()
  local call = native.meter(txn:get_var("txn.vertex.verdict"), txn.f:res_fhdr("content-type"))
  if meter and call then
    meter.call = call
    -- While the request still comes, a callback has to tell the two apart.
    if meter.payload_of_both then
      meter.passing, meter.http_payload = nil, meter.payload_of_both
    end
    filter.register_data_filter(meter, txn.res)
  end
end

M.Meter = Meter

return M
