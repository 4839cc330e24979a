#!/usr/bin/env python3
"""What a body costs that is longer than HAProxy's buffer: CPU milliseconds of HAProxy's worker a
megabyte, and the memory of an upload that stalls, where the body is read as it passes (`checked`),
where a role leaves it unread, and where HAProxy proxies plainly.

    uploads.py [--rounds N] [--haproxy PROGRAM] [--sizes 100_kb,…] [--no-memory]

Wants two cores, the stand-in and the module (`make build-5.3`). Exit status: 1 when a bar was
missed, 2 when the run says nothing.
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "e2e"))
os.environ.setdefault("STANDIN_BIN", str(ROOT / "target/standin/release/standin"))

import subjects  # noqa: E402
from cpu import Pinned, used_us  # noqa: E402
from eater import Eater  # noqa: E402
from measure import Invalid  # noqa: E402
from report import lower_quartile  # noqa: E402
from rows import Bar  # noqa: E402
from sink import Sink  # noqa: E402
from subjects import Gateways  # noqa: E402
from support.expect.eventually import eventually  # noqa: E402
from support.wire.calls import GENERATE  # noqa: E402
from support.wire.http1 import Connection  # noqa: E402
from support.world.configuration import Configuration  # noqa: E402
from support.world.haproxy import Haproxy  # noqa: E402
from support.world.standin import Standin  # noqa: E402
from traffic import Callers, google_token, sdk_headers  # noqa: E402

SUMMARY = ROOT / "target" / "bench" / "uploads.json"
ROUNDS = 8
SIZES = {"100_kb": 100_000, "1_mb": 1_000_000, "20_mb": 20_000_000}
BYTES_A_ROUND = 40_000_000
MESSAGE_BYTES = 4000
STALLED = 1000
STALLED_BYTES, STALLED_AT = 100_000, 60_000

BARS = (
    Bar("checked_1_mb_ms_per_mb", 2.5),
    Bar("checked_20_mb_ms_per_mb", 2.5),
    Bar("checked_100_kb_over_unread", 1.3),
    Bar("checked_stalled_kb", 50),
)

_PROSE = (
    'He said: "every piece is read", and it was.\nThe next line of the text begins here, as long '
)
_TOOL = b',"tools":[{"googleSearch":{}}]}'


def conversation(length: int, more: bytes = b"") -> bytes:
    """A body of that many bytes, as a chat of prose that grows."""
    words = _PROSE * (MESSAGE_BYTES // len(_PROSE))
    turn = json.dumps({"role": "user", "parts": [{"text": words}]}).encode()
    turns = b",".join([turn] * (length // (len(turn) + 1)))
    start, end = b'{"contents":[' + turns + b'],"labels":{"a":"', b'"}}'
    return start + b"x" * (length - len(start) - len(end)) + (end[:-1] + more if more else end)


@dataclass(frozen=True)
class Uploaded:
    """A proxy to which bodies are sent."""

    name: str
    haproxy: Haproxy
    core: int
    token: str

    @property
    def process(self) -> int:
        [worker] = self.haproxy.processes().workers
        return worker

    def connect(self) -> Connection:
        return Connection(self.haproxy.port, timeout=60)

    def send(self, connection: Connection, body: bytes) -> int:
        return connection.request("POST", GENERATE, sdk_headers(self.token), body).status

    def ms_per_mb(self, body: bytes) -> float:
        times = max(1, BYTES_A_ROUND // len(body))
        with Pinned(self.core), self.connect() as connection:
            used = used_us(self.process)
            statuses = {self.send(connection, body) for _ in range(times)}
            used = used_us(self.process) - used
        if statuses != {200}:
            raise Invalid(f"{self.name}: {statuses}")
        return used / 1000 / (len(body) * times / 1e6)

    def kb_stalled(self, eater: Eater) -> float:
        """Kilobytes of the worker that an upload holds which has come to a halt."""
        with contextlib.ExitStack() as ends:
            body = conversation(STALLED_BYTES)
            warm = ends.enter_context(self.connect())
            for _ in range(20):
                self.send(warm, body)
            before, taken = resident_kb(self.process), eater.taken
            sized = sdk_headers(self.token) | {"Content-Length": str(len(body))}
            for _ in range(STALLED):
                connection = ends.enter_context(self.connect())
                connection.send_request("POST", GENERATE, sized, body[:STALLED_AT])
            wanted = taken + STALLED * STALLED_AT
            eventually(lambda: eater.taken >= wanted, "all of it has come", 60)
            return (resident_kb(self.process) - before) / STALLED


def resident_kb(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    [kb] = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.M)
    return int(kb)


class Place:
    """The proxies, each in front of the same upstream."""

    def __init__(self, folder: Path, ends: contextlib.ExitStack) -> None:
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise Invalid("two cores are wanted: one for HAProxy, one for everything else")
        self._core, self._others = cores[:2]
        self._ends = ends
        sink = Sink()
        ends.callback(sink.close)
        with Pinned(self._others):
            standin = Standin()
            ends.callback(standin.stop)
            self.eater = Eater()
            ends.callback(self.eater.stop)
        self._token = Callers(standin).one()
        file = folder / "google-token"
        file.write_text(google_token())
        gateways = Gateways(sink, standin.ports["idp_https"], standin.ca, file)
        self._made: dict[str, Callable[[], Configuration]] = {
            "plain": lambda: subjects.plain(sink, self.eater.port),
            "unread": lambda: gateways.leading_to(self.eater.port),
            "checked": lambda: gateways.leading_to(self.eater.port, reading=True),
        }

    def names(self) -> list[str]:
        return list(self._made)

    def start(self, name: str) -> Uploaded:
        haproxy = Haproxy(self._made[name]())
        self._ends.callback(haproxy.remove)
        with Pinned(self._core):
            haproxy.start()
        started = Uploaded(name, haproxy, self._others, self._token)
        eventually(lambda: status_of(started, conversation(300)) == 200, "a request passes", 20)
        # What is called checked is, and nothing else.
        found = status_of(started, conversation(100_000, _TOOL))
        if found != (403 if name == "checked" else 200):
            raise Invalid(f"{name}: {found} for a tool that no role lists")
        return started


def status_of(proxy: Uploaded, body: bytes) -> int:
    with proxy.connect() as connection:
        return proxy.send(connection, body)


@contextlib.contextmanager
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="hv-uploads-") as name, contextlib.ExitStack() as ends:
        folder = Path(name)
        folder.chmod(0o755)
        yield Place(folder, ends)


def measured(
    rounds: int = ROUNDS, sizes: dict[str, int] = SIZES, memory: bool = True
) -> dict[str, Any]:
    """The figures, by name."""
    figures: dict[str, Any] = {"rounds": rounds}
    with place() as here:
        proxies = [here.start(name) for name in here.names()]
        for size, length in sizes.items():
            body = conversation(length)
            by_round: list[dict[str, float]] = []
            # The first round warms up and is thrown away.
            for number in range(rounds + 1):
                first = number % len(proxies)
                turn = proxies[first:] + proxies[:first]
                by_round.append({proxy.name: proxy.ms_per_mb(body) for proxy in turn})
            figures |= _summed(size, by_round[1:])
        if memory:
            for proxy in proxies:
                proxy.haproxy.remove()
            for name in here.names():
                fresh = here.start(name)
                figures[f"{name}_stalled_kb"] = round(fresh.kb_stalled(here.eater), 1)
                fresh.haproxy.remove()
    return figures


def _summed(size: str, rounds: list[dict[str, float]]) -> dict[str, float]:
    found = {
        f"{name}_{size}_ms_per_mb": statistics.median(r[name] for r in rounds) for name in rounds[0]
    }
    for other in ("unread", "plain"):
        ratios = [r["checked"] / r[other] for r in rounds]
        found[f"checked_{size}_over_{other}"] = lower_quartile(ratios)
    return {name: round(value, 3) for name, value in found.items()}


def table(figures: dict[str, Any]) -> str:
    at_most = {bar.name: f"{bar.at_most:g}" for bar in BARS}
    lines = [f"{'uploads':<36}{'now':>16}{'bar':>16}"]
    for name, value in figures.items():
        lines.append(f"{name:<36}{value:>16}{at_most.get(name, '-'):>16}")
    return "\n".join(lines)


def missed(figures: dict[str, Any]) -> list[str]:
    return [
        f"{bar.name} is {figures[bar.name]:.3f}, the bar is {bar.at_most:g}"
        for bar in BARS
        if figures.get(bar.name, 0) > bar.at_most
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--haproxy", help="the binary (HAPROXY_BIN)")
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--no-memory", action="store_true")
    chosen = parser.parse_args()
    if chosen.haproxy:
        os.environ["HAPROXY_BIN"] = chosen.haproxy
    began = time.monotonic()
    sizes = {size: SIZES[size] for size in chosen.sizes.split(",") if size}
    try:
        figures = measured(chosen.rounds, sizes, not chosen.no_memory)
    except Invalid as why:
        print(f"invalid run: {why}", file=sys.stderr)
        return 2
    SUMMARY.parent.mkdir(parents=True, exist_ok=True)
    SUMMARY.write_text(json.dumps(figures, indent=2) + "\n")
    print(table(figures), f"{time.monotonic() - began:.0f} s", sep="\n")
    over = missed(figures)
    for line in over:
        print(f"bar missed: {line}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
