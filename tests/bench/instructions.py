#!/usr/bin/env python3
"""What a request costs in instructions: those that HAProxy's worker executes in user mode, counted by
Valgrind's callgrind. Unlike time they are the same on every machine and under any load, so that the
table beside this file (`instructions.json`) is committed, and a later change is held against it.

    instructions.py [--write] [--haproxy PROGRAM] [ROW …]

Wants valgrind, the stand-in and the module (`make build-5.3`). Exit status: 1 when a row is over its
bar or off the table by more than 3 %, 2 when the run says nothing.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "e2e"))
os.environ.setdefault("STANDIN_BIN", str(ROOT / "target/standin/release/standin"))

import answers  # noqa: E402
import subjects  # noqa: E402
from measure import Invalid  # noqa: E402
from sink import Sink  # noqa: E402
from subjects import Gateways  # noqa: E402
from support.wire.calls import GENERATE, STREAM  # noqa: E402
from support.wire.http1 import Connection  # noqa: E402
from support.world.configuration import Configuration  # noqa: E402
from support.expect.eventually import eventually  # noqa: E402
from support.world.haproxy import Haproxy  # noqa: E402
from support.world.place import haproxy_binary  # noqa: E402
from support.world.standin import Standin  # noqa: E402
from traffic import CONNECTIONS, Callers, body, google_token, sdk_headers  # noqa: E402
from variants import Unmetered  # noqa: E402

TABLE = HERE / "instructions.json"
STEADY_PER_CENT = 3
# As slow as callgrind makes HAProxy, it must come up and answer within this.
WITHIN_SECONDS = 120
IDLE_SECONDS = 1.0
# Events of a stream come one by one, as a model's do, also to an HAProxy that is slow.
PACED_MS = 20

_CONFINES = re.compile(r"\s*(user|group|chroot) ")


@dataclass(frozen=True)
class Row:
    """A kind of request, and how often each connection sends it."""

    name: str
    target: str
    turns: int
    bar: int | None = None
    wanted: int | None = None


ROWS = (
    Row("plain", GENERATE, 60),
    Row("native", GENERATE, 60),
    Row("unmetered", GENERATE, 60, 185_000, 170_000),
    Row("metered", GENERATE, 60, 255_000, 235_000),
    Row("plain_stream", STREAM, 6),
    Row("metered_stream", STREAM, 6, 850_000, 700_000),
)


class Callgrind(Haproxy):
    """An HAProxy under callgrind: one process, whose tools do not follow it into a worker. It keeps its
    user and its root, as the counts are written from inside it."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        fetch = self.folder / "chroot" / "vertex-fetch.sock"
        configuration.environment["VERTEX_FETCH_DST"] = str(fetch)
        self._out = self.folder / "counts"
        self._dumps = 0

    def __enter__(self) -> "Callgrind":
        self.start(WITHIN_SECONDS)
        return self

    def write(self) -> None:
        super().write()
        file = self.folder / "test.cfg"
        kept = (line for line in file.read_text().splitlines() if not _CONFINES.match(line))
        file.write_text("\n".join([*kept, ""]))

    def command(self, *flags: str) -> list[str]:
        files = super().command()
        counting = ["--quiet", "--tool=callgrind", f"--callgrind-out-file={self._out}"]
        return ["valgrind", *counting, *files[:1], "-db", *files[1:]]

    def serving(self) -> bool:
        self.check_running()
        return bool(self.ask("show info"))

    def count(self) -> int:
        """The instructions since the last count."""
        done = subprocess.run(
            ["callgrind_control", "--dump", str(self.worker)],
            capture_output=True,
            text=True,
            check=False,
        )
        self._dumps += 1
        dump = self._out.with_name(f"{self._out.name}.{self._dumps}")
        if done.returncode != 0 or not dump.exists():
            raise Invalid(f"no counts: {done.stdout}{done.stderr}")
        [total] = re.findall(r"^totals: (\d+)$", dump.read_text(errors="replace"), re.M)
        return int(total)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hv-instructions-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


class Crowd:
    """Connections that ask at once, each again when all have their answers."""

    def __init__(self, port: int, row: Row, token: str) -> None:
        self._connections = [Connection(port) for _ in range(CONNECTIONS)]
        self._row = row
        self._token = token

    def ask(self, times: int) -> None:
        for _ in range(times):
            for connection in self._connections:
                connection.send_request("POST", self._row.target, sdk_headers(self._token), body())
            for connection in self._connections:
                answer = connection.read()
                if answer.status != 200:
                    raise Invalid(f"{self._row.name}: {answer.status} {answer.body[:200]!r}")

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def measured(row: Row, configuration: Configuration, token: str, wanted: str, sink: Sink) -> int:
    """Instructions a request, less what the worker does meanwhile in any case."""
    with Callgrind(configuration) as proxy:
        eventually(lambda: _passes(proxy.port, row, token), "a request passes", WITHIN_SECONDS)
        crowd = Crowd(proxy.port, row, token)
        crowd.ask(row.turns // 5)
        proxy.count()
        time.sleep(IDLE_SECONDS)
        idle = proxy.count() / IDLE_SECONDS
        sink.drain()
        begun = time.monotonic()
        crowd.ask(row.turns)
        seconds = time.monotonic() - begun
        counted = proxy.count()
        lines = [line for line in sink.drain() if "HTTP/1.1" in line]
        if not lines or not all(wanted in line for line in lines):
            raise Invalid(f"{row.name}: log lines without {wanted!r}: {lines[:1]}")
        crowd.close()
        return round((counted - idle * seconds) / (row.turns * CONNECTIONS))


def _passes(port: int, row: Row, token: str) -> bool:
    connection = Connection(port)
    try:
        return connection.request("POST", row.target, sdk_headers(token), body()).status == 200
    finally:
        connection.close()


def all_measured(names: list[str]) -> dict[str, int]:
    counts = {}
    with folder() as place, contextlib.ExitStack() as ends:
        sink = Sink()
        ends.callback(sink.close)
        standin = Standin()
        ends.callback(standin.stop)
        token, google = Callers(standin).many(2)[0], google_token()
        for accepted in (token, google):
            standin.accept_token(accepted)
        file = place / "google-token"
        file.write_text(google)
        gateways = Gateways(sink, standin.ports["idp_https"], standin.ca, file)
        upstream = _upstream(place, google, ends)
        jwks = _jwks(standin)
        key = place / "issuer.pem"
        key.write_text(subjects.rsa_key_pem(jwks))
        canned = {"content_type": "text/event-stream", "pieces": answers.events()}
        standin.google(canned=canned, interval_ms=PACED_MS, record=False)
        streams = standin.ports["google_http"]
        caller, to_google = upstream[subjects.CALLER], upstream[subjects.GOOGLE]
        made = {
            "plain": lambda: (subjects.plain(sink, caller), GENERATE),
            "native": lambda: (subjects.native(sink, caller, key), GENERATE),
            "unmetered": lambda: (gateways.leading_to(to_google, Unmetered), "tokens=unknown"),
            "metered": lambda: (gateways.leading_to(to_google), "tokens=exact"),
            "plain_stream": lambda: (subjects.plain(sink, streams), STREAM),
            "metered_stream": lambda: (gateways.leading_to(streams), "tokens=exact"),
        }
        for row in ROWS:
            if not names or row.name in names:
                configuration, wanted = made[row.name]()
                counts[row.name] = measured(row, configuration, token, wanted, sink)
                print(_line(row, counts[row.name], table().get(row.name)), flush=True)
    return counts


def _jwks(standin: Standin) -> str:
    url = f"http://127.0.0.1:{standin.ports['idp_http']}/corp/jwks"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def _upstream(place: Path, google: str, ends: contextlib.ExitStack) -> dict[str, int]:
    answer = place / "answer.json"
    answer.write_bytes(answers.unary())
    configuration, ports = subjects.upstream(answer, google)
    ends.enter_context(Haproxy(configuration))
    return ports


def table() -> dict[str, int]:
    return json.loads(TABLE.read_text())["instructions"] if TABLE.exists() else {}


def _line(row: Row, counted: int, known: int | None) -> str:
    def shown(value: int | None) -> str:
        return "-" if value is None else f"{value:,}"

    columns = (shown(counted), shown(known), shown(row.bar), shown(row.wanted))
    return f"{row.name:<18}" + "".join(f"{column:>14}" for column in columns)


def missed(counts: dict[str, int]) -> list[str]:
    """What is over its bar, and what has left the table."""
    lines = []
    for row in ROWS:
        counted, known = counts.get(row.name), table().get(row.name)
        if counted is None:
            continue
        if row.bar is not None and counted > row.bar:
            lines.append(f"{row.name}: {counted:,} instructions, at most {row.bar:,} is wanted")
        if known is not None and abs(counted - known) * 100 > known * STEADY_PER_CENT:
            lines.append(f"{row.name}: {counted:,} instructions, the table has {known:,}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table anew")
    parser.add_argument("--haproxy", help="the binary (HAPROXY_BIN)")
    parser.add_argument("rows", nargs="*", choices=[[], *(row.name for row in ROWS)])
    chosen = parser.parse_args()
    if chosen.haproxy:
        os.environ["HAPROXY_BIN"] = chosen.haproxy
    print(f"{'instructions':<18}{'now':>14}{'table':>14}{'bar':>14}{'wanted':>14}")
    try:
        counts = all_measured(chosen.rows)
    except Invalid as why:
        print(f"invalid run: {why}", file=sys.stderr)
        return 2
    if chosen.write:
        whole = {"instructions": {**table(), **counts}}
        TABLE.write_text(json.dumps(whole, indent=2) + "\n")
    over = missed(counts)
    for line in over:
        print(f"missed: {line}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
