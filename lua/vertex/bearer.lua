-- Google's credential for the call that leaves now. From then on the call is watched: should Google close
-- its connection before it answers, HAProxy writes no log line.
local closed = require("vertex.closed")
local meter = require("vertex.meter")
local native = require("haproxy_vertex")

local M = {}

---@param handle string
---@return string?
function M.run(handle)
  local header, call = native.bearer(handle)
  if header then
    closed.watch(meter.of_stream(), call)
  end
  return header
end

return M
