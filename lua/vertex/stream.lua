-- The filter of a stream, for what else runs for it: filters, actions and converters of a stream run in
-- one coroutine.
local filters = setmetatable({}, { __mode = "k" })

local M = {}

---@param filter table
function M.keep(filter)
  filters[coroutine.running()] = filter
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
  if filter and call then
    filter.call, filter.end_analyze = call, filter.on_end
  end
end

-- An answer has come.
function M.unwatch()
  local filter = M.filter()
  if filter then
    filter.end_analyze = nil
  end
end

return M
