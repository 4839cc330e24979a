-- `http-request use-service lua.vertex-metrics`: the page for Prometheus.
local native = require("haproxy_vertex")
local serve = require("vertex.serve")

local M = {}

-- What HAProxy measured at each location's servers, once there was something to measure.
local function times()
  local found = {}
  for name, backend in pairs(core.backends) do
    local location = name:match("^vertex_(.+)$")
    local stats = location and backend:get_stats()
    if stats and (stats.lbtot or 0) > 0 then
      found[location] = stats
    end
  end
  return found
end

---@param applet AppletHTTP
function M.run(applet)
  if serve.is_get(applet) then
    local page = native.metrics(times())
    if type(page) == "string" and page ~= "" then
      serve.answer(applet, 200, "text/plain; version=0.0.4; charset=utf-8", page)
    else
      serve.answer(applet, 503, "text/plain", "no metrics\n")
    end
  end
end

return M
