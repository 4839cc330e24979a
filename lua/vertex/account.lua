-- What a log line says of its request. An error that is raised here would write over the line: HAProxy
-- logs it at once, into the buffer that the line is being written to. And it takes a missing value for 0.
local native = require("haproxy_vertex")

local M = {}

-- The tail of the verdict, which stands before what HAProxy knew last.
local TAIL = "([^|^]*)%^[^^]*%^[^^]*%^[^^]*%^[^^]*$"

---@param ended string
---@param style string?
function M.run(ended, style)
  local whole, fields = pcall(native.account, ended, style)
  if whole and type(fields) == "string" then
    return fields
  end
  return not style and ended:match(TAIL) or ""
end

return M
