-- `http-request use-service lua.vertex-metrics` and `lua.vertex-ready`: pages for machines.
local native = require("haproxy_vertex")

local M = {}

---@param applet AppletHTTP
---@param status integer
---@param kind string
---@param body string
local function answer(applet, status, kind, body)
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

---@param applet AppletHTTP
---@return boolean
local function is_get(applet)
  local is = applet.method == "GET"
  if not is then
    answer(applet, 405, "text/plain", "GET is wanted\n")
  end
  return is
end

-- What HAProxy measured at each location's servers, once there was something to measure.
local function times()
  local found = {}
  for name, backend in pairs(core.backends) do
    local location = name:match("^vertex_(.+)$")
    local stats = location and backend:get_stats()
    if stats and stats.ctime and (stats.lbtot or 0) > 0 then
      found[location] = stats
    end
  end
  return found
end

---@param applet AppletHTTP
function M.metrics(applet)
  if is_get(applet) then
    local page = native.metrics(times())
    answer(applet, page and 200 or 503, "text/plain; version=0.0.4; charset=utf-8", page or "")
  end
end

---@param applet AppletHTTP
function M.ready(applet)
  if is_get(applet) then
    local ready, details = native.ready()
    answer(applet, ready == true and 200 or 503, "application/json", (details or "{}") .. "\n")
  end
end

return M
