-- How a body that is longer than HAProxy's buffer is read as it passes: the action sets the filter
-- `lua.vertex-meter` to work on the request. A piece is taken out, judged and put back, as HAProxy lets go
-- what is there when a callback fails in other ways than by an error. What `reader_index` judges it
-- leaves in place if it goes: no timer and no want of memory comes between.
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

-- The piece is out by now.
---@param txn TXN
---@param message HTTPMessage
local function carry_out(txn, message, piece, word, verdict, status)
  if word then
    tell(txn, verdict, status)
  end
  if word == "dropped" then
    return
  end
  if word ~= "goes" or message:insert(piece, 0) ~= #piece then
    refuse(txn)
  end
end

-- Returns what was told of the piece, if anything, and whether there was one that goes.
---@param txn TXN
---@param message HTTPMessage
local function judge(reader, txn, message)
  local piece = message:body()
  if not piece or piece == "" then
    return
  end
  message:remove(0, #piece)
  local judged, word, verdict, status, instead = pcall(native.pass, reader.upload, piece)
  carry_out(txn, message, instead or piece, judged and word, verdict, status)
  return verdict, word == "goes"
end

---@param txn TXN
---@param message HTTPMessage
function M.payload(reader, txn, message)
  if message:is_resp() then
    return reader:read_answer(txn, message)
  end
  judge(reader, txn, message)
end

-- For the first piece. HAProxy finds the next ones judged already, as it builds nothing for that: from
-- then on `http_payload` is what `reader_index` finds.
---@param txn TXN
---@param message HTTPMessage
function M.first(reader, txn, message)
  local told, goes = judge(reader, txn, message)
  if goes and not told then
    reader.passing, reader.http_payload = message, nil
  end
end

-- For a piece that was judged so, and does not simply go on.
---@param txn TXN
---@param message HTTPMessage
function M.judged(reader, txn, message)
  local word = reader.word
  reader.word = false
  if message:input() > 0 then
    message:remove()
  end
  carry_out(txn, message, reader.instead or reader.piece, word, reader.verdict, reader.status)
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
  reader.http_payload, reader.http_end, reader.payload_of_both = nil, nil, nil
  reader.passing, reader.piece, reader.instead = nil, nil, nil
end

---@param txn TXN
function M.run(txn)
  local verdict = txn:get_var(PREFIX .. "verdict")
  local reader, upload, length = stream.filter(), native.upload(verdict)
  if not reader or not upload then
    return
  end
  if length and txn.f:req_fhdr("content-length") then
    txn.http:req_set_header("content-length", length)
  end
  reader.upload, reader.http_end, reader.judged, reader.word = upload, M.finish, M.judged, false
  reader.http_payload, reader.payload_of_both = stream.looks_first and M.first or M.payload, M.payload
  filter.register_data_filter(reader, txn.req)
  txn:set_var(PREFIX .. "reads_body", "u" .. upload)
end

return M
