-- How an answer is read as it passes: the filter `lua.vertex-meter`, which each backend declares,
-- and the action that sets it to work on the answers that no rule could read as a whole.
local native = require("haproxy_vertex")

local Meter = { id = "vertex-meter", flags = filter.FLT_CFG_FL_HTX }
Meter.__index = Meter

-- A stream's filters and actions run in one coroutine, which is how the action finds the filter.
local meters = setmetatable({}, { __mode = "k" })

function Meter.new()
  local self = setmetatable({}, Meter)
  meters[coroutine.running()] = self
  return self
end

local function read(call, message)
  local piece = message:body()
  if piece and piece ~= "" then
    native.feed(call, piece)
  end
end

-- An error that is raised here would end the answer.
---@param message HTTPMessage
function Meter:http_payload(_, message)
  pcall(read, self.call, message)
end

local M = {}

---@param class table
function M.attach(class)
  return class
end

-- HAProxy asks such a filter for nothing until it is registered for the data of an answer.
---@param txn TXN
function M.run(txn)
  local meter = meters[coroutine.running()]
  local call = native.meter(txn:get_var("txn.vertex.verdict"), txn.f:res_fhdr("content-type"))
  if meter and call then
    meter.call = call
    filter.register_data_filter(meter, txn.res)
  end
end

M.Meter = Meter

return M
