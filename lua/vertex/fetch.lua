-- The task that sends the requests that the module names, through HAProxy's own backends
-- (`vertex_fetch`), and writes the module's lines to HAProxy's log.
local native = require("haproxy_vertex")
local fetch_length = require("vertex.fetch_length")

local PAUSE_MILLISECONDS = 50
local FAULT_MILLISECONDS = 1000
-- Longer than the time-outs of `defaults vertex-fetch`, so that httpclient never tries again.
local TIMEOUT_MILLISECONDS = 20000

local destination = "unix@" .. (os.getenv("VERTEX_FETCH_DST") or "/vertex-fetch.sock")

-- From 3.0 on httpclient sends every body in chunks.
local takes_length = tonumber(core.get_info().Version:match("^%d+")) < 3

local M = {}

local function header(reply, name)
  local values = reply.headers and reply.headers[name]
  return values and values[0] or ""
end

-- The servers that could have been asked, each with its status.
---@param authority string
---@return table<string, string>
local function servers_of(authority)
  local backend = core.backends["vertex_fetch_" .. authority]
  local found = {}
  for name, server in pairs(backend and backend.servers or {}) do
    found[name] = server:get_stats().status or ""
  end
  return found
end

---@class Request
---@field method string
---@field authority string
---@field path string
---@field headers table<string, string[]>
---@field body string|nil

---@param id integer
---@param request Request
local function fetch(id, request)
  if request.body then
    local length = { tostring(#request.body) }
    request.headers["content-length"] = length
    request.headers[fetch_length.HEADER] = length
  end
  local client = core.httpclient()
  if request.body and takes_length then
    request.headers["content-length"] = { tostring(#request.body) }
  end
  local send = client[request.method:lower()]
  local reply = send(client, {
    -- The backend's servers say whether by TLS.
    url = "http://" .. request.authority .. request.path,
    headers = request.headers,
    body = request.body,
    dst = destination,
    timeout = TIMEOUT_MILLISECONDS,
  })
  -- Only an answer of the server that was asked carries the mark; HAProxy's own do not.
  if header(reply, "x-vertex-fetched") == "" then
    return native.unanswered(id, {
      authority = request.authority,
      words = header(reply, "x-vertex-fetch-error"),
      status = reply.status or 0,
      destination = destination,
      servers = servers_of(request.authority),
    })
  end
  native.answer(id, reply.status, reply.headers, reply.body or "")
end

local function turn()
  local level, line = native.next_log()
  if level then
    return core.log(level, line)
  end
  local id, request = native.step()
  if not id then
    return core.msleep(PAUSE_MILLISECONDS)
  end
  local ok, why = pcall(fetch, id, request)
  if not ok then
    native.fail(id, tostring(why):match("[^\n]*"))
  end
end

function M.run()
  while true do
    local ok, why = pcall(turn)
    if not ok then
      core.log(core.err, "vertex: " .. tostring(why):match("[^\n]*"))
      core.msleep(FAULT_MILLISECONDS)
    end
  end
end

return M
