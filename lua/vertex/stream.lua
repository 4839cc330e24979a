-- The filter of a stream, for what else runs for it: filters, actions and converters of a stream run in
-- one coroutine.
local filters = setmetatable({}, { __mode = "k" })
-- Calls that were signed before their stream had a filter: in the frontend, while the backend declares it.
local signed = setmetatable({}, { __mode = "k" })

-- HAProxy looks for a callback in the filter's object before it builds what the callback is given, which
-- is dearer than all that is done here, and takes what is no function for the number of bytes to forward:
-- `hlua_filter_http_payload` of 2.6 to 3.2. Others get a callback each time.
local FIRST_READ, LAST_READ = 206, 302

---@return boolean
local function looks_first()
  local major, minor = core.get_info().Version:match("^(%d+)%.(%d+)")
  local version = major and major * 100 + minor
  return version ~= nil and version >= FIRST_READ and version <= LAST_READ
end

local M = { looks_first = looks_first() }

---@param filter table
---@param call integer
local function await_end(filter, call)
  filter.call, filter.end_analyze = call, filter.on_end
end

---@param filter table
function M.keep(filter)
  local stream = coroutine.running()
  filters[stream] = filter
  if signed[stream] then
    await_end(filter, signed[stream])
  end
end

---@return table?
function M.filter()
  return filters[coroutine.running()]
end

-- The call leaves now: should the stream end without an answer, its filter is asked what became of it.
-- HAProxy looks for the function in the filter's object before it builds anything for its call.
---@param call integer?
function M.watch(call)
  local filter = M.filter()
  if not call then
    return
  elseif filter then
    await_end(filter, call)
  else
    signed[coroutine.running()] = call
  end
end

-- An answer has come; the stream's filter.
---@return table?
function M.unwatch()
  local filter = M.filter()
  if filter then
    filter.end_analyze = nil
  end
  return filter
end

return M
