-- How a body that is longer than HAProxy's buffer is read as it passes: the action sets the filter
-- `lua.vertex-meter` to work on the request. A piece is taken out, judged and put back, as HAProxy lets go
-- what is there when a callback fails in other ways than by an error.
local native = require("haproxy_vertex")
local stream = require("vertex.stream")

local PREFIX = "txn.vertex."

local M = {}

---@param txn TXN
---@param verdict string?
---@param status string?
local function tell(txn, verdict, status)
  if verdict then
    txn:set_var(PREFIX .. "verdict", verdict)
  end
  if status then
    txn:set_var(PREFIX .. "status", status)
  end
end

-- Only an error that is raised in this callback ends a request; HAProxy logs it.
---@param txn TXN
local function refuse(txn)
  if not txn:get_var(PREFIX .. "status") then
    local verdict = txn:get_var(PREFIX .. "verdict")
    native.withdraw(verdict)
    tell(txn, native.refused(verdict, "internal"), "503")
  end
  error("a body was refused", 0)
end

---@param txn TXN
---@param message HTTPMessage
function M.payload(reader, txn, message)
  if message:is_resp() then
    return reader:read_answer(txn, message)
  end
  local piece = message:body()
  if not piece or piece == "" then
    return
  end
  message:remove(0, #piece)
  local judged, word, verdict, status, instead = pcall(native.pass, reader.upload, piece)
  if judged then
    tell(txn, verdict, status)
  end
  if judged and word == "dropped" then
    return
  end
  piece = instead or piece
  if not judged or word ~= "goes" or message:insert(piece, 0) ~= #piece then
    refuse(txn)
  end
end

-- Here a number below zero refuses, without a line in HAProxy's log.
---@param txn TXN
---@param message HTTPMessage
function M.finish(reader, txn, message)
  if message:is_resp() then
    return
  end
  local judged, word, verdict, status = pcall(native.end_body, reader.upload)
  if judged then
    tell(txn, verdict, status)
  end
  if not judged or word ~= "goes" then
    return filter.ERROR
  end
  reader.http_payload, reader.http_end = nil, nil
end

---@param txn TXN
function M.run(txn)
  local verdict = txn:get_var(PREFIX .. "verdict")
  local reader, upload, length = stream.filter(), native.upload(verdict)
  if not reader or not upload then
    return
  end
  reader.upload, reader.http_payload, reader.http_end = upload, M.payload, M.finish
  if length and txn.f:req_fhdr("content-length") then
    txn.http:req_set_header("content-length", length)
  end
  filter.register_data_filter(reader, txn.req)
  txn:set_var(PREFIX .. "reads_body", "u" .. upload)
end

return M
