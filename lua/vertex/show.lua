-- `vertex show …` on the stats socket: it only shows.
local native = require("haproxy_vertex")

local M = {}

---@param applet AppletTCP
function M.run(applet, _, _, ...)
  applet:send(native.show(...) or "")
end

return M
