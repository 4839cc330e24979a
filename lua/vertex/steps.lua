-- The actions for rules of your own. A variable that says yes is set only by a step that came to its
-- end; whatever goes wrong before leaves it unset, which `deny unless` refuses.
local native = require("haproxy_vertex")
local wait = require("vertex.wait")

local M = {}

---@param txn TXN
---@param told table<string, string>
local function tell(txn, told)
  for name, value in pairs(told or {}) do
    txn:set_var("txn.vertex." .. name, value)
  end
end

-- Runs one step: `yes` is its variable.
---@param txn TXN
---@param yes string
---@param ask fun(text: string, ticket: integer): string?, any, any
local function step(txn, yes, ask)
  txn:unset_var("txn.vertex." .. yes)
  local answer, given, told = wait.settle(txn, ask)
  tell(txn, told)
  if answer == "done" then
    return given
  end
end

---@param txn TXN
function M.verify(txn)
  txn:set_priv(nil)
  local passage = step(txn, "verified", native.verify)
  if passage then
    txn:set_priv(passage)
    txn:set_var("txn.vertex.verified", true)
  end
end

---@param txn TXN
function M.authorize(txn)
  local verified = txn:get_priv()
  local passage = step(txn, "allowed", function(text, ticket)
    return native.permit(verified, text, ticket)
  end)
  if passage then
    txn:set_priv(passage)
    txn:set_var("txn.vertex.allowed", true)
  end
end

---@param txn TXN
---@param credential string
function M.sign(txn, credential)
  txn:unset_var("txn.vertex.signed")
  local answer, signed, told = native.sign(txn:get_priv(), credential)
  tell(txn, told)
  if answer ~= "done" then
    return
  end
  for _, name in ipairs({ "x-goog-api-key", "x-api-key" }) do
    txn.http:req_del_header(name)
  end
  txn.http:req_set_header("authorization", signed.authorization)
  if signed.uri then
    txn.http:req_set_header("host", signed.host)
    txn.http:req_set_uri(signed.uri)
  end
  txn:set_var("txn.vertex.signed", true)
end

---@param txn TXN
function M.all(txn)
  M.verify(txn)
  M.authorize(txn)
  M.sign(txn, "role")
end

return M
