-- Runtime commands on the stats socket; they only show.
local native = require("haproxy_vertex")

local M = {}

---@param applet AppletTCP
function M.keys(applet)
  applet:send((native.keys_json() or "{}") .. "\n")
end

return M
