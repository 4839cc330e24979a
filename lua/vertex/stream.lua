-- The filter of a stream, for what else runs for it: filters, actions and converters of a stream run in
-- one coroutine.
local filters = setmetatable({}, { __mode = "k" })
-- Calls that were signed before their stream had a filter: in the frontend, while the backend declares it.
local signed = setmetatable({}, { __mode = "k" })

local M = {}

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
