-- The variables of the actions, `txn.vertex.…`. What an earlier rule has left in them counts for
-- nothing: an action takes back all that follows from it before it asks anything.
local native = require("haproxy_vertex")

local PREFIX = "txn.vertex."

local CALLER = { "verified", "issuer", "subject", "principal" }
local REFUSAL = { "decision", "status", "reason", "message", "error", "id", "audit", "verdict" }
local GRANT = { "allowed", "role", "credential", "google_identity" }
local TARGET = { "project", "location", "publisher", "model", "method" }
local SIGNED = { "signed" }

local M = {}

M.OF_VERIFY = { CALLER, REFUSAL, GRANT, TARGET, SIGNED }
M.OF_AUTHORIZE = { REFUSAL, GRANT, TARGET, SIGNED }
M.OF_SIGN = { SIGNED }

-- What a new decision takes the place of, the call that the former one allowed included.
---@param txn TXN
---@param groups string[][]
function M.decide_anew(txn, groups)
  native.withdraw(txn:get_var(PREFIX .. "verdict"))
  M.forget(txn, groups)
end

---@param txn TXN
---@param groups string[][]
function M.forget(txn, groups)
  for _, names in ipairs(groups) do
    for _, name in ipairs(names) do
      txn:unset_var(PREFIX .. name)
    end
  end
end

---@param txn TXN
---@param told table<string, string>?
function M.tell(txn, told)
  for name, value in pairs(told or {}) do
    txn:set_var(PREFIX .. name, value)
  end
end

---@param txn TXN
---@param name string
function M.affirm(txn, name)
  txn:set_var(PREFIX .. name, true)
end

return M
