-- What HAProxy loads (`lua-load-per-thread`): registers the module's functions, decides nothing.

-- Errors are values, or lines without a traceback: HAProxy prints what is raised as it is.
local function stop_at(failure)
  if failure then
    error(failure, 0)
  end
end

-- The module is built for one version of Lua, which is the one that HAProxy was built with.
local function find_native()
  local loaded, native = pcall(require, "haproxy_vertex")
  if loaded then
    return native
  end
  local version = _VERSION:match("[%d.]+")
  local wanted = ("this HAProxy has Lua %s: dist/lua/%s/haproxy_vertex.so is wanted"):format(version, version)
  if package.searchpath("haproxy_vertex", package.cpath) then
    local why = tostring(native):match("[^\n]*$"):gsub("^%s+", "")
    stop_at(("vertex: cannot load %s; %s there"):format(why, wanted))
  end
  local places = package.cpath:gsub("%?", "haproxy_vertex"):gsub(";", ", ")
  stop_at(("vertex: no module; %s at one of %s"):format(wanted, places))
end

local native = find_native()
local log_fields = require("vertex.log_fields")
local authorize = require("vertex.authorize")
local bearer = require("vertex.bearer")
local body = require("vertex.body")
local fetch = require("vertex.fetch")
local fetch_length = require("vertex.fetch_length")
local meter = require("vertex.meter")
local metrics = require("vertex.metrics")
local ready = require("vertex.ready")
local reload = require("vertex.reload")
local show = require("vertex.show")
local sign = require("vertex.sign")
local steps = require("vertex.steps")
local upload = require("vertex.upload")
local usage = require("vertex.usage")
local verify = require("vertex.verify")
local wait = require("vertex.wait")

local file = os.getenv("VERTEX_CONFIG") or "/etc/haproxy/vertex.json"
local version = core.get_info().Version

core.register_converters("vertex_decide", native.decide)
core.register_converters("vertex_bearer", bearer.run)
core.register_converters("vertex_error_json", native.error_json)
core.register_converters("vertex_credential_refused", native.credential_refused)
core.register_converters("vertex_usage", usage.run)
core.register_converters("vertex_log_fields", log_fields.run)
core.register_action("vertex_wait", { "http-req" }, wait.run, 0)
core.register_action("vertex", { "http-req" }, steps.run, 0)
core.register_action("vertex-verify", { "http-req" }, verify.run, 0)
core.register_action("vertex-authorize", { "http-req" }, authorize.run, 0)
core.register_action("vertex-sign", { "http-req" }, sign.run, 1)
core.register_action("vertex-await-upload", { "http-req" }, upload.await, 0)
core.register_action("vertex-read-body", { "http-req" }, body.run, 0)
core.register_action("vertex-meter", { "http-res" }, meter.run, 0)
core.register_filter("vertex-meter", meter.Meter, meter.attach)
core.register_filter("vertex-fetch-length", fetch_length.Length, fetch_length.attach)
core.register_service("vertex-metrics", "http", metrics.run)
core.register_service("vertex-ready", "http", ready.run)
core.register_cli({ "vertex", "show" }, "vertex show [<what> [json]] : what the gateway holds", show.run)

core.register_init(function()
  stop_at(native.refuse_shared(core.thread, core.get_info()))
  local backends = {}
  for name in pairs(core.backends) do
    backends[#backends + 1] = name
  end
  stop_at(native.open(file, backends, version))
  if core.thread <= 1 then
    for _ = 1, native.fetchers() do
      core.register_task(fetch.run)
    end
  end
end)

-- Only a script's body runs under `haproxy -c`, and only here an error names the line that loads it.
if core.thread <= 1 then
  stop_at(native.check(file, os.getenv("VERTEX_RULES"), version))
end

-- What the first thread has read holds for all.
if native.has_admin_commands() then
  core.register_cli({ "vertex", "reload" }, "vertex reload credential <name> : read its file now", reload.run)
end
