"""The product with one of its native functions broken: a script that Lua finds before the module,
loads the real one and puts another function in its place."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

from support.world.place import ROOT, SHARE, lua_cpath, lua_version

# Each is the body of a Lua function that takes `...`: `real` is what it stands for, `times` counts
# its calls, `verdict` says a verdict as `real` would.
FAULTS = {
    "none": "return real(...)",
    "raises": 'error("broken on purpose", 0)',
    "raises_a_table": "error({})",
    "panics": "return native.panic()",
    "returns_nothing": "return",
    "returns_false": "return false",
    "returns_true": "return true",
    "returns_a_number": "return 7",
    "returns_a_table": "return {}",
    "returns_an_empty_text": 'return ""',
    "returns_a_text": 'return "broken on purpose"',
    "returns_bearer": 'return "Bearer"',
    "returns_an_empty_key": 'return "ApiKey "',
    "says_done": 'return "done"',
    "says_done_with_junk": 'return "done", "junk", {}',
    "allows": 'return verdict("allow")',
    "allows_a_location": 'return verdict("allow|us-central1")',
    "allows_in_capitals": 'return verdict("ALLOW|us-central1|0.dead|h|/v1/x|x")',
    "allows_with_a_forged_handle": (
        'return verdict("allow|us-central1|0.dead|us-central1-aiplatform.googleapis.com|/v1/x|x")'
    ),
    "denies_with_200": 'return verdict("deny|200|x")',
    "never_ends": "while true do end",
    # Right at first: for what is called again and again.
    "raises_later": 'if times > 2 then error("broken on purpose", 0) end return real(...)',
    "panics_later": "if times > 2 then return native.panic() end return real(...)",
    "allows_later": 'if times > 2 then return verdict("allow") end return real(...)',
}

_SHIM = """\
local native = assert(package.loadlib("{module}", "luaopen_haproxy_vertex"))()
local function break_one(name)
  local real = assert(native[name], "no such function")
  local times = 0
  local function verdict(text)
    if name == "resume" then
      return text, true
    end
    return text
  end
  native[name] = function(...)
    times = times + 1
    io.stderr:write("reached " .. name .. " {fault}\\n")
    {body}
  end
end
for name in ("{functions}"):gmatch("%S+") do
  break_one(name)
end
return native
"""


def reached(function: str, fault: str) -> str:
    """What HAProxy's stderr holds once the broken function has been called."""
    return f"reached {function} {fault}\n"


def broken_share(folder: Path, functions: str, fault: str) -> Path:
    """A copy of the Lua scripts that works with the broken module, for `VERTEX_SHARE`. More than
    one function is written with blanks between."""
    body = FAULTS[fault]
    module = module_with_panic() if "panic" in body else shipped_module()
    share = folder / f"{functions.replace(' ', '-')}-{fault}"
    shutil.copytree(SHARE, share)
    shim = _SHIM.format(module=module, functions=functions, fault=fault, body=body)
    (share / "haproxy_vertex.lua").write_text(shim)
    return share


def shipped_module() -> Path:
    return ROOT / "dist/lua" / lua_version() / "haproxy_vertex.so"


def lua_path_with_panic() -> dict[str, str]:
    """The environment in which HAProxy loads that module."""
    return lua_cpath(f"{module_with_panic().parent}/?.so;;")


@functools.cache
def module_with_panic() -> Path:
    """The module with cargo's feature `faults`, which exports `panic` and `asked`, for the Lua of
    the HAProxy under test."""
    lua = lua_version()
    # The command-line tool's profile is quick to build, and most of it is built.
    profile, target = "cli", ROOT / "target/cli"
    subprocess.run(
        [
            os.environ.get("CARGO", "cargo"), "build", "--profile", profile, "--locked", "--quiet",
            "--manifest-path", ROOT / "Cargo.toml", "--target-dir", target,
            "--lib", "--features", f"lua{lua.replace('.', '')},faults",
        ],
        check=True,
    )  # fmt: skip
    module = ROOT / "target/faults/lua" / lua / "haproxy_vertex.so"
    module.parent.mkdir(parents=True, exist_ok=True)
    fresh = module.with_suffix(f".{os.getpid()}")
    shutil.copy(target / profile / "libhaproxy_vertex.so", fresh)
    os.replace(fresh, module)  # one that an HAProxy has mapped stays whole
    return module
