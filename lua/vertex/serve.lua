-- Pages for machines: what they have in common.
local M = {}

---@param applet AppletHTTP
---@param status integer
---@param kind string
---@param body string
function M.answer(applet, status, kind, body)
  applet:set_status(status)
  applet:add_header("content-type", kind)
  applet:add_header("content-length", tostring(#body))
  applet:add_header("cache-control", "no-store")
  if status == 405 then
    applet:add_header("allow", "GET")
  end
  applet:start_response()
  applet:send(body)
end

-- Answers what is no GET; whether it is one.
---@param applet AppletHTTP
---@return boolean
function M.is_get(applet)
  local is = applet.method == "GET"
  if not is then
    M.answer(applet, 405, "text/plain", "GET is wanted\n")
  end
  return is
end

return M
