-- What an answer that is here as a whole says of its tokens.
local native = require("haproxy_vertex")
local stream = require("vertex.stream")

local M = {}

-- Whether it was read: then it need not be read as it passes.
---@param body string
---@return boolean
function M.run(body)
  local filter = stream.unwatch()
  return filter ~= nil and native.usage(filter.call, body) == true
end

return M
