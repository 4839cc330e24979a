-- What a log line says of its request. An error that is raised here would write over the line: HAProxy
-- logs it at once, into the buffer that the line is being written to. And it takes a missing value for 0.
local native = require("haproxy_vertex")

local M = {}

---@param ended string
---@param style string?
function M.run(ended, style)
  local whole, said = pcall(native.log_fields, ended, style)
  if whole and type(said) == "string" and said ~= "" then
    return said
  end
  -- What was decided is said nonetheless, where that can be told.
  if style then
    return ""
  end
  whole, said = pcall(native.decided, ended)
  return whole and type(said) == "string" and said or ""
end

return M
