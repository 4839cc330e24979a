-- What HAProxy loads (`lua-load-per-thread`): registers the module's functions, decides nothing.
local native = require("haproxy_vertex")
local fetch = require("vertex.fetch")
local show = require("vertex.show")
local wait = require("vertex.wait")

local file = os.getenv("VERTEX_CONFIG") or "/etc/haproxy/vertex.json"

-- Only a script's body runs under `haproxy -c`, and only here an error names the line that loads it.
if core.thread <= 1 then
  local failure = native.check(file)
  if failure then
    error(failure, 0)
  end
end

core.register_init(function()
  if core.thread == 0 and not native.is_sound_shared(core.get_info()) then
    error("write lua-load-per-thread instead of lua-load: before HAProxy 3.0, one Lua for several threads is not sound", 0)
  end
  local backends = {}
  for name in pairs(core.backends) do
    backends[#backends + 1] = name
  end
  local failure = native.open(file, backends)
  if failure then
    error(failure, 0)
  end
  if core.thread <= 1 then
    for _ = 1, native.fetchers() do
      core.register_task(fetch.run)
    end
  end
end)

core.register_converters("vertex_decide", native.decide)
core.register_converters("vertex_bearer", native.bearer)
core.register_action("vertex_wait", { "http-req" }, wait.run, 0)
core.register_cli({ "vertex", "show", "keys", "json" }, "vertex show keys json : print the public keys, as state_file reads them back", show.keys)
