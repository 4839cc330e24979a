-- `http-request use-service lua.vertex-ready`: whether requests should be sent here.
local native = require("haproxy_vertex")
local serve = require("vertex.serve")

local M = {}

---@param applet AppletHTTP
function M.run(applet)
  if serve.is_get(applet) then
    local ready, details = native.ready()
    serve.answer(applet, ready == true and 200 or 503, "application/json", (details or "{}") .. "\n")
  end
end

return M
