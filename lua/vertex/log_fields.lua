-- What a log line says of its request. An error that is raised here would write over the line: HAProxy
-- logs it at once, into the buffer that the line is being written to. And it takes a missing value for 0.
local native = require("haproxy_vertex")

local M = {}

-- Of the verdict, which stands before what HAProxy knew last: the id, and the tail.
local ID = "^[^|]*|[^|]*|[^|]*|[^|]*|([^|]*)|"
local TAIL = "|([^|^]*)%^[^^]*%^[^^]*%^[^^]*%^[^^]*%^[^^]*$"

-- What was decided, where nobody can say what became of it.
---@param ended string
local function decided(ended)
  local tail, id = ended:match(TAIL), ended:match(ID)
  return tail and id and ("%s google=- id=%s"):format(tail, id) or ""
end

---@param ended string
---@param style string?
function M.run(ended, style)
  local whole, said = pcall(native.account, ended, style)
  if whole and type(said) == "string" and said ~= "" then
    return said
  end
  return style and "" or decided(ended)
end

return M
