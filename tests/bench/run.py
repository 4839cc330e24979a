#!/usr/bin/env python3
"""What the gateway costs: CPU microseconds per request of HAProxy's worker, against HAProxy
proxying plainly, HAProxy's own `jwt_verify` and Envoy's jwt_authn, with and without metering, of
unary and of streamed answers, all in one interleaved run; then the first byte of a stream; then
bodies that are longer than HAProxy's buffer (uploads.py); then, with `--cargo`, what is measured
inside the process.

Wants two cores, wrk, the stand-in (STANDIN_BIN names another than the release build in
target/standin) and the module (`make build-5.3`); Envoy where it is installed (`make bench` does).
Exit status: 1 when a bar was missed, 2 when the run says nothing.
"""

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "e2e"))
os.environ.setdefault("STANDIN_BIN", str(ROOT / "target/standin/release/standin"))

import inside  # noqa: E402
import report  # noqa: E402
import stage  # noqa: E402
import uploads  # noqa: E402
from measure import Invalid  # noqa: E402
from support.world.place import haproxy_binary  # noqa: E402

ROUNDS = 20
REQUESTS = 2000
SUMMARY = ROOT / "target" / "bench" / "summary.json"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="measured rounds, at least 8")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="per proxy and round")
    parser.add_argument("--haproxy", default=None, help="the binary (HAPROXY_BIN)")
    parser.add_argument("--cargo", default=None, help="measures inside the process too, with this")
    chosen = parser.parse_args()
    if chosen.rounds < 8 or chosen.requests < 1000:
        parser.error("fewer than 8 rounds or 1000 requests say nothing")
    return chosen


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hv-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measured(chosen: argparse.Namespace) -> report.Run:
    rounds = []
    # The first round warms up and is thrown away.
    count = chosen.rounds + 1
    with temporary_folder() as folder, stage.Stage(folder, count, chosen.requests) as ready:
        for number in range(count):
            rounds.append(ready.round(number))
            shown = " ".join(f"{name} {us:.1f}" for name, us in rounds[-1].items())
            print(f"round {number}: {shown}", file=sys.stderr)
        first_events = ready.first_events()
        return report.Run(
            rounds[1:], chosen.requests, ready.callbacks, first_events, haproxy_binary()
        )


def measured_uploads(summary: dict[str, Any]) -> list[str]:
    """Adds what it finds to the summary; the bars that were missed."""
    summary["uploads"] = uploads.measured()
    report.write(summary, SUMMARY)
    print(uploads.table(summary["uploads"]), flush=True)
    return uploads.missed(summary["uploads"])


def measured_inside(cargo: str, summary: dict[str, Any]) -> list[str]:
    """Adds what it finds to the summary; the bars that were missed."""
    missed = []
    summary["inside"] = {}
    for name in inside.declared(ROOT):
        lines, held = inside.run(cargo, ROOT, name)
        summary["inside"][name] = lines
        for line in lines:
            print(f"inside, {name}: {line}")
        if not held:
            missed.append(f"inside, {name}: see its lines above")
    return missed


def main() -> int:
    chosen = options()
    if chosen.haproxy:
        os.environ["HAPROXY_BIN"] = chosen.haproxy
    try:
        run = measured(chosen)
        summary = report.summary(run)
        report.write(summary, SUMMARY)
        print(report.table(run, summary), report.bars(summary), sep="\n", flush=True)
        missed = report.missed(summary) + measured_uploads(summary)
        if chosen.cargo:
            missed += measured_inside(chosen.cargo, summary)
            report.write(summary, SUMMARY)
    except Invalid as why:
        print(f"invalid run: {why}", file=sys.stderr)
        return 2
    for line in missed:
        print(f"bar missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
