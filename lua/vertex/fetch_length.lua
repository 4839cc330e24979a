-- The length of a body that is fetched with: HAProxy's httpclient sends chunks, to which Google's front
-- ends answer 411. The filter `lua.vertex-fetch-length` of the fetching frontend says the length that the
-- task names. HAProxy 2.6 has no such function, and takes the header `content-length` instead.
local HEADER = "x-vertex-fetch-length"

local Length = { id = "vertex-fetch-length", flags = filter.FLT_CFG_FL_HTX }
Length.__index = Length

local M = { HEADER = HEADER, Length = Length }

function Length.new()
  return setmetatable({}, Length)
end

---@param message HTTPMessage
function Length.http_headers(_, _, message)
  if message.channel:is_resp() then
    return
  end
  local named = message:get_headers()[HEADER]
  local length = named and tonumber(named[0])
  message:del_header(HEADER)
  if length and message.set_body_len then
    message:set_body_len(length)
  end
end

function M.attach(class)
  return class
end

return M
