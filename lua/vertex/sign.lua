-- `http-request lua.vertex-sign <credential>`: Google's credential in place of the caller's, and the
-- target as it was decided on in place of the one that came.
local native = require("haproxy_vertex")
local stream = require("vertex.stream")
local variables = require("vertex.variables")

local M = {}

---@param txn TXN
---@param signed table
---@return boolean
local function write(txn, signed)
  local http = txn.http
  for _, name in ipairs({ "authorization", "x-goog-api-key", "x-api-key" }) do
    http:req_del_header(name)
  end
  http:req_set_header(signed.header, signed.value)
  if signed.without then
    http:req_del_header(signed.without)
  end
  if signed.uri then
    http:req_set_header("host", signed.host)
    if not (http:req_set_method(signed.method) and http:req_set_uri(signed.uri)) then
      return false
    end
  end
  -- HAProxy does not tell when a header found no room.
  return txn.f:req_fhdr(signed.header) == signed.value
end

---@param txn TXN
---@param credential string
function M.run(txn, credential)
  variables.forget(txn, variables.OF_SIGN)
  local answer, signed, told = native.sign(txn:get_priv(), credential)
  variables.tell(txn, told)
  if answer == "done" and write(txn, signed) then
    stream.watch(signed.call)
    variables.affirm(txn, "signed")
  end
end

return M
