"""The product with other requests to send than those for keys: a script that Lua finds before the
module loads the build for tests, whose `asked` makes a request as `step` gives it, puts its own in
`step`'s place and writes down what the task hands back."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from support.world.faults import module_with_panic
from support.world.place import SHARE

_SHIM = """\
local native = assert(package.loadlib("{module}", "luaopen_haproxy_vertex"))()
local requests = {{{requests}}}
local function tell(...)
  local told = {{}}
  for _, item in ipairs({{...}}) do
    told[#told + 1] = (tostring(item):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
  end
  io.stderr:write("told " .. table.concat(told, " ") .. "\\n")
end
-- Their numbers are their places.
local place = 0
native.step = function()
  place = place + 1
  if requests[place] then
    return place, native.asked(table.unpack(requests[place], 1, 3))
  end
end
native.answer = function(id, status, headers, body)
  local lines = {{}}
  for name, values in pairs(headers) do
    for index = 0, #values do
      lines[#lines + 1] = ("%s: %s"):format(name, values[index])
    end
  end
  tell("answer", id, status, table.concat(lines, "\\n"), body)
end
native.unanswered = function(id, report)
  tell("unanswered", id, report.authority, report.words, report.status)
end
native.fail = function(id, why)
  tell("fail", id, why)
end
return native
"""


@dataclass(frozen=True)
class Request:
    url: str
    form: dict[str, str] | None
    headers: dict[str, str]


def asking_share(folder: Path, *requests: Request) -> Path:
    """A copy of the Lua scripts that sends these requests, in turn, for `VERTEX_SHARE`."""
    share = folder / "asking"
    shutil.copytree(SHARE, share)
    items = ", ".join(
        f"{{{_text(r.url)}, {_table(r.form)}, {_table(r.headers)}}}" for r in requests
    )
    shim = _SHIM.format(module=module_with_panic(), requests=items)
    (share / "haproxy_vertex.lua").write_text(shim)
    return share


def told(stderr: str) -> list[list[str]]:
    """What the task handed back: the function's name and its arguments, as text."""
    lines = [line.split(" ")[1:] for line in stderr.splitlines() if line.startswith("told ")]
    return [[bytes.fromhex(item).decode() for item in line] for line in lines]


def _text(text: str) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in text.encode()) + '"'


def _table(table: dict[str, str] | None) -> str:
    if table is None:
        return "nil"
    items = ", ".join(f"[{_text(name)}] = {_text(value)}" for name, value in table.items())
    return f"{{{items}}}"
