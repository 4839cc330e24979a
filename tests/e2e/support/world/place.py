"""Where things are: the checkout, the HAProxy under test, free ports, short folders."""

import functools
import itertools
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
CONFIGURATION = ROOT / "haproxy-conf" / "vertex.cfg"
SHARE = ROOT / "lua"


def haproxy_binary() -> str:
    name = os.environ.get("HAPROXY_BIN", "haproxy")
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise FileNotFoundError(f"no HAProxy to test: {name!r} (HAPROXY_BIN)")
    return found


def standin_binary() -> Path:
    return Path(os.environ.get("STANDIN_BIN", ROOT / "target" / "standin" / "debug" / "standin"))


@functools.cache
def _built_with(binary: str) -> str:
    return subprocess.run(
        [binary, "-vv"], check=True, capture_output=True, text=True
    ).stdout


def haproxy_version(binary: str | None = None) -> tuple[int, int]:
    """(2, 6) and the like."""
    text = _built_with(binary or haproxy_binary())
    major, minor = re.search(r"^HAProxy version (\d+)\.(\d+)", text, re.M).groups()
    return int(major), int(minor)


def lua_version(binary: str | None = None) -> str:
    """The Lua that this HAProxy embeds: a module must be built for it."""
    text = _built_with(binary or haproxy_binary())
    return re.search(r"^Built with Lua version : Lua (\d+\.\d+)", text, re.M).group(1)


def lua_cpath(pattern: str, binary: str | None = None) -> dict[str, str]:
    """The environment in which this HAProxy's Lua looks for modules there."""
    version = lua_version(binary).replace(".", "_")
    return {"LUA_CPATH": pattern, f"LUA_CPATH_{version}": pattern}


# Below the range that the kernel hands out for outgoing connections, and a
# different start in every process, so that neither takes a port between our
# look and HAProxy's bind.
_PORTS = range(20000, 32000)
_candidates = itertools.count(random.SystemRandom().randrange(len(_PORTS)))


def free_port() -> int:
    for _ in _PORTS:
        port = _PORTS[next(_candidates) % len(_PORTS)]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def short_folder() -> Path:
    """A folder whose path leaves room for a Unix socket's 107 bytes, and for the
    suffix that HAProxy binds under first."""
    folder = Path(tempfile.mkdtemp(prefix="hv-e2e-"))
    folder.chmod(0o755)
    return folder
