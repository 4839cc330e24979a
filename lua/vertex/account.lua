-- The end of a log line. An error that is raised here would write over the line: HAProxy logs it at
-- once, into the buffer that the line is being written to. And it takes a missing value for 0.
local native = require("haproxy_vertex")

local M = {}

---@param ended string
---@param style string?
function M.run(ended, style)
  local whole, fields = pcall(native.account, ended, style)
  return whole and fields or ""
end

return M
