"""One measurement: a fixed number of requests to one HAProxy, and the CPU that its worker used."""

import shutil
import subprocess
import time
from pathlib import Path

from support.haproxy import Haproxy

from cpu import Pinned, used_us
from sink import Sink
from traffic import Files

CONNECTIONS = 8

_SCRIPT = Path(__file__).resolve().parent / "load.lua"
_LIMIT_SECONDS = 60
_SETTLE_SECONDS = 0.05


class Invalid(Exception):
    """A run that says nothing, and why."""


def answers(haproxy: Haproxy, frontend: str) -> dict[str, int]:
    """How many requests the frontend has had, and its answers by class of status."""
    heading, *lines = haproxy.ask("show stat").lstrip("# ").splitlines()
    names = heading.split(",")
    rows = (dict(zip(names, line.split(","))) for line in lines)
    row = next(r for r in rows if r.get("pxname") == frontend and r["svname"] == "FRONTEND")
    classes = ("1xx", "2xx", "3xx", "4xx", "5xx", "other")
    return {name: int(row[name]) for name in ("req_tot", *(f"hrsp_{c}" for c in classes))}


class Load:
    """The load generator, on the core that the HAProxys are not on."""

    def __init__(self, core: int, files: Files) -> None:
        self._core = core
        self._files = files
        found = shutil.which("wrk")
        if found is None:
            raise Invalid("wrk is not installed (Debian package wrk)")
        self._wrk = found

    def run(self, port: int, tokens: Path, requests: int) -> None:
        command = [
            self._wrk, "--threads", "1", "--connections", str(CONNECTIONS),
            "--duration", f"{_LIMIT_SECONDS}s", "--timeout", "10s", "--script", _SCRIPT,
            f"http://127.0.0.1:{port}", "--",
            str(requests), str(CONNECTIONS), self._files.target, self._files.body, tokens,
        ]  # fmt: skip
        with Pinned(self._core):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Invalid(f"wrk failed: {done.stderr or done.stdout}")


class Subject:
    """One of the HAProxys, and what its log lines must show."""

    def __init__(self, name: str, haproxy: Haproxy, logged: str) -> None:
        self.name = name
        self.haproxy = haproxy
        self.port = haproxy.port
        self._logged = logged
        [self._worker] = haproxy.processes().workers

    def measure(self, load: Load, sink: Sink, tokens: Path, requests: int) -> float:
        """CPU microseconds per request. Nothing but the load reaches the worker meanwhile."""
        before = answers(self.haproxy, "ai")
        time.sleep(_SETTLE_SECONDS)
        sink.drain()
        used = used_us(self._worker)
        load.run(self.port, tokens, requests)
        time.sleep(_SETTLE_SECONDS)
        used = used_us(self._worker) - used
        self._check_log(sink.drain())
        after = answers(self.haproxy, "ai")
        grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        if grown != {"req_tot": requests, "hrsp_2xx": requests}:
            raise Invalid(f"{self.name}: {requests} answers 2xx expected, it had {grown}")
        return used / requests

    def _check_log(self, lines: list[str]) -> None:
        if not lines or not all(self._logged in line for line in lines):
            raise Invalid(f"{self.name}: log lines without {self._logged!r}: {lines[:1]}")
