-- For wrk: exactly COUNT requests over all connections, then the end. What follows `--` on wrk's
-- command line: count, connections, the file of the target, the body's, the tokens', a token a line.
local count, connections
local requests = {}
local calls = 0

local function read(name)
  local file = assert(io.open(name, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init(arguments)
  count, connections = tonumber(arguments[1]), tonumber(arguments[2])
  local target, body = read(arguments[3]), read(arguments[4])
  for token in read(arguments[5]):gmatch("%S+") do
    requests[#requests + 1] = wrk.format("POST", target, {
      ["Content-Type"] = "application/json",
      ["Accept"] = "*/*",
      ["Accept-Encoding"] = "gzip, deflate",
      ["User-Agent"] = "google-genai-sdk/1.52.0 gl-python/3.11.7",
      ["X-Goog-Api-Client"] = "google-genai-sdk/1.52.0 gl-python/3.11.7",
      ["Authorization"] = "Bearer " .. token,
    }, body)
  end
end

-- wrk would try the address with a connection of its own, which HAProxy counts as a bad request.
function wrk.connect()
  return true
end

-- wrk calls this once to look at a request, and then for each that it sends. A connection comes
-- here again when its answer is complete: an empty request makes it idle, and when all of them
-- are, every answer has come.
function request()
  calls = calls + 1
  if calls == 1 then
    return requests[1]
  end
  local number = calls - 1
  if number <= count then
    return requests[(number - 1) % #requests + 1]
  end
  if number == count + connections then
    os.exit(0)
  end
  return ""
end
