-- A request as the module reads it: the text that `vertex.cfg` builds with native rules.
local M = {}

-- What HAProxy knows of the other end of the connection; nothing is an empty field.
---@param txn TXN
local function peer(txn)
  local fetch, convert = txn.sf, txn.sc
  local subject = convert:hex(fetch:ssl_c_s_dn("", 0, "rfc2253")) or ""
  local certificate = fetch:ssl_c_der()
  local digest = certificate == "" and "" or convert:hex(convert:sha2(certificate, 256))
  return ("%s %s/%s %s %s"):format(fetch:src(), fetch:ssl_c_used(), fetch:ssl_c_verify(), subject, digest)
end

-- Whether the end of a request has come. To HAProxy before 3.1 a boolean is a number in Lua.
---@param txn TXN
---@return boolean
function M.is_whole(txn)
  local came = txn.f:internal_htx_has_eom()
  return came == true or came == 1
end

-- `stage` is how much has been asked for: `head`, `peer` as well, or the `body` as well.
---@param txn TXN
---@param stage string
function M.text(txn, stage)
  local fetch = txn.sf
  return table.concat({
    fetch:req_ver(),
    fetch:method(),
    fetch:url(),
    stage == "head" and fetch:src() or peer(txn),
    stage == "body" and ("body %s %s"):format(fetch:req_body_len(), M.is_whole(txn) and 1 or 0) or "head",
    fetch:req_hdrs() .. (stage == "body" and fetch:req_body() or ""),
  }, "\n")
end

return M
