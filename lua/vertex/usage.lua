-- What an answer that is here as a whole says of its tokens.
local native = require("haproxy_vertex")
local stream = require("vertex.stream")

local M = {}

---@param body string
---@return string?
function M.run(body)
  stream.unwatch()
  return native.usage(body)
end

return M
