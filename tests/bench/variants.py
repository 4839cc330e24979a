"""The gateway in other shapes than it is shipped in: one whose answers are not metered, to tell
what metering adds, and one that counts how often HAProxy calls its filter."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from support.world.place import SHARE
from support.world.ruleset import ChangedRules

from measure import Invalid

CALLBACKS = "bench show callbacks"

# The rules of vertex.cfg that read an answer, by what only they mention.
_METERING = ("is_whole", "lua.vertex-meter")

_COUNTER = """
-- HAProxy asks a filter's object first.
local reader, calls = getmetatable(meter.Meter.new()), 0
local index = reader.__index
function reader.__index(object, name)
  if name == "http_payload" then
    calls = calls + 1
  end
  return index(object, name)
end
core.register_cli({ "bench", "show", "callbacks" }, "", function(applet)
  applet:send(calls .. "\\n")
end)
"""


def without_metering(rules: str) -> str:
    """The same rules but for those that read the answer. The call is begun, ended and logged as
    before."""

    def reads(line: str) -> bool:
        is_rule = line.strip().startswith("http-response ")
        return is_rule and any(name in line for name in _METERING)

    kept = [line for line in rules.splitlines(keepends=True) if not reads(line)]
    text = "".join(kept)
    if len(kept) == len(rules.splitlines()) or "lua.vertex_usage" in text:
        raise Invalid("vertex.cfg meters answers in another way than the benchmark knows")
    return text


@dataclass
class Unmetered(ChangedRules):
    # The module wants to see the line and does not know what HAProxy was built with; HAProxy skips it.
    meter: str = ".if feature(METERED)\n    filter lua.vertex-meter\n    .endif"

    def changed(self, rules: str) -> str:
        return without_metering(rules)


def counting_scripts(folder: Path) -> Path:
    """Scripts below `folder` that answer `CALLBACKS` on the statistics socket."""
    share = folder / "counting"
    shutil.copytree(SHARE, share)
    with (share / "vertex.lua").open("a") as script:
        script.write(_COUNTER)
    return share
