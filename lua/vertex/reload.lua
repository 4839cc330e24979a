-- `vertex reload …` on the stats socket: has something read anew. HAProxy asks no level for it.
local native = require("haproxy_vertex")

local M = {}

---@param applet AppletTCP
function M.run(applet, _, _, ...)
  applet:send(native.reload(...) or "")
end

return M
