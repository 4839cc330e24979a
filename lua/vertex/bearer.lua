-- Google's credential for the call that leaves now.
local native = require("haproxy_vertex")
local stream = require("vertex.stream")

local M = {}

---@param handle string
---@return string?
function M.run(handle)
  local header, call = native.bearer(handle)
  if header then
    stream.watch(call)
  end
  return header
end

return M
