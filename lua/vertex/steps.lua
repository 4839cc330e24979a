-- `http-request lua.vertex`: all three steps. The first that refuses has the last word.
local authorize = require("vertex.authorize")
local sign = require("vertex.sign")
local verify = require("vertex.verify")

local M = {}

---@param txn TXN
function M.run(txn)
  if verify.step(txn) and authorize.step(txn) then
    sign.run(txn, "role")
  end
end

return M
