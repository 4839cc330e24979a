-- Leaves something to a later turn of HAProxy's loop.
local M = {}

---@param run fun()
function M.run(run)
  core.register_task(function()
    core.yield()
    run()
  end)
end

return M
