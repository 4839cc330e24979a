"""One measurement: a fixed number of requests to one proxy, and the CPU that it used."""

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from support.world.haproxy import Haproxy

from cpu import Pinned, used_us
from sink import Sink
from traffic import Files, Work

_SCRIPT = Path(__file__).resolve().parent / "load.lua"
_LIMIT_SECONDS = 60
_SETTLE_SECONDS = 0.05


class Invalid(Exception):
    """A run that says nothing, and why."""


@dataclass(frozen=True)
class Answered:
    """How many requests a proxy has had, and how many of its answers were good (2xx)."""

    requests: int
    good: int


class Proxy(Protocol):
    """A program that is measured."""

    @property
    def port(self) -> int: ...

    @property
    def process(self) -> int:
        """The one that does the work."""

    def answered(self) -> Answered: ...

    def logged(self) -> list[str]:
        """Lines of its access log since the last time, not necessarily all."""


class Measured:
    """An HAProxy, as one that is measured."""

    def __init__(self, haproxy: Haproxy, sink: Sink) -> None:
        self._haproxy = haproxy
        self._sink = sink
        self.port = haproxy.port
        [self.process] = haproxy.processes().workers

    def answered(self) -> Answered:
        heading, *lines = self._haproxy.ask("show stat").lstrip("# ").splitlines()
        names = heading.split(",")
        rows = (dict(zip(names, line.split(","))) for line in lines)
        row = next(r for r in rows if r.get("pxname") == "ai" and r["svname"] == "FRONTEND")
        return Answered(int(row["req_tot"]), int(row["hrsp_2xx"]))

    def logged(self) -> list[str]:
        return self._sink.drain()


class Load:
    """The load generator, on the core that the proxies are not on."""

    def __init__(self, core: int, files: Files) -> None:
        self._core = core
        self._files = files
        found = shutil.which("wrk")
        if found is None:
            raise Invalid("wrk is not installed (Debian package wrk)")
        self._wrk = found

    def run(self, port: int, work: Work) -> None:
        command = [
            self._wrk, "--threads", "1", "--connections", str(work.connections),
            "--duration", f"{_LIMIT_SECONDS}s", "--timeout", "10s", "--script", _SCRIPT,
            f"http://127.0.0.1:{port}", "--",
            str(work.requests), str(work.connections), work.target, self._files.body, work.tokens,
        ]  # fmt: skip
        with Pinned(self._core):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Invalid(f"wrk failed: {done.stderr or done.stdout}")


class Subject:
    """One of the proxies, and what its log lines must show."""

    def __init__(self, name: str, proxy: Proxy, logged: tuple[str, ...]) -> None:
        self.name = name
        self.proxy = proxy
        self._logged = logged

    def measure(self, load: Load, work: Work) -> float:
        """CPU microseconds per request. Nothing but the load reaches the proxy meanwhile."""
        proxy, before = self.proxy, self.proxy.answered()
        time.sleep(_SETTLE_SECONDS)
        proxy.logged()
        used = used_us(proxy.process)
        load.run(proxy.port, work)
        time.sleep(_SETTLE_SECONDS)
        used = used_us(proxy.process) - used
        self._check_log(proxy.logged())
        after = proxy.answered()
        grown = Answered(after.requests - before.requests, after.good - before.good)
        if grown != Answered(work.requests, work.requests):
            raise Invalid(f"{self.name}: {work.requests} answers 2xx expected, it had {grown}")
        return used / work.requests

    def _check_log(self, lines: list[str]) -> None:
        for wanted in self._logged:
            if not lines or not all(wanted in line for line in lines):
                raise Invalid(f"{self.name}: log lines without {wanted!r}: {lines[:1]}")
