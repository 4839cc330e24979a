"""Figures of a run: per round first, then over the rounds, so that what disturbs one round
(other programs on the machine) disturbs both sides of a ratio or is outvoted."""

import json
import os
import platform
import re
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import envoy
from rows import BARS, METERED, Round, added_over_envoy, has_envoy, metering, ratios

# Keys of the summary that are not the row's name and `_us`.
_KEYS = {"native": "native_jwt_us"}


@dataclass(frozen=True)
class Run:
    """What was measured."""

    rounds: list[Round]
    requests: int
    # Calls of the filter in a stream: "stream", "paced".
    callbacks: dict[str, float]
    # Milliseconds until a stream's first event: "direct", "plain", "unmetered", "warm".
    first_events: dict[str, float]
    haproxy: str


def lower_quartile(values: list[float]) -> float:
    return statistics.quantiles(values, n=4, method="inclusive")[0]


def medians(rounds: list[Round]) -> Round:
    return {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}


def summary(run: Run) -> dict[str, Any]:
    middle = medians(run.rounds)
    figures = {_KEYS.get(name, f"{name}_us"): round(us, 2) for name, us in middle.items()}
    for name, values in ratios(run.rounds).items():
        figures[name] = round(lower_quartile(values), 4)
        figures[f"{name}_median"] = round(statistics.median(values), 4)
    single = metering(middle, run.callbacks) | first_bytes(run.first_events)
    if has_envoy(run.rounds):
        single |= added_over_envoy(middle)
    return {
        **figures,
        **{name: round(value, 4) for name, value in single.items()},
        "metered": list(METERED),
        "bars": {bar.name: bar.at_most for bar in BARS},
        "rounds": len(run.rounds),
        "requests_per_round": run.requests,
        "versions": versions(run.haproxy),
        "us_by_round": [{name: round(us, 2) for name, us in r.items()} for r in run.rounds],
    }


def first_bytes(first_events: Round) -> Round:
    direct = first_events["direct"]
    return {
        "first_byte_direct_ms": direct,
        "first_byte_added_ms": first_events["warm"] - direct,
        "first_byte_added_by_plain_ms": first_events["plain"] - direct,
    }


def versions(haproxy: str) -> dict[str, str]:
    built = _output([haproxy, "-vv"])
    program = envoy.binary()

    def found(pattern: str, text: str) -> str:
        match = re.search(pattern, text, re.M)
        return match[1] if match else "unknown"

    return {
        "haproxy": found(r"^HAProxy version (\S+)", built),
        "lua": found(r"^Built with Lua version : Lua (\S+)", built),
        "openssl": found(r"^Running on OpenSSL version : (.+)$", built),
        "envoy": (program and envoy.version(program)) or "not installed",
        "wrk": found(r"^wrk (?:debian/)?(\S+)", _output(["wrk", "-v"])),
        "kernel": platform.release(),
        "cores": str(os.cpu_count()),
    }


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def table(run: Run, figures: dict[str, Any]) -> str:
    lines = [_line("CPU us/request", "median", "lower quartile")]
    for name in run.rounds[0]:
        values = [r[name] for r in run.rounds]
        shown = f"{name} (metered)" if name in METERED else name
        lines.append(_line(shown, *_two(values, 2)))
    lines.append("ratio per round")
    lines += [_line(name, *_two(values, 3)) for name, values in ratios(run.rounds).items()]
    lines.append("from the medians")
    single = (*metering(run.rounds[0], run.callbacks), *first_bytes(run.first_events))
    lines += [_line(name, f"{figures[name]:.3f}") for name in single]
    lines += [_line(n, f"{v:.3f}") for n, v in figures.items() if n.endswith("_envoy_added")]
    of = figures["versions"]
    lines.append(f"envoy: {of['envoy']}")
    lines.append(
        f"{len(run.rounds)} rounds of {figures['requests_per_round']} requests each,"
        f" HAProxy {of['haproxy']}, {of['openssl']}"
    )
    return "\n".join(lines)


def _two(values: list[float], digits: int) -> tuple[str, str]:
    return f"{statistics.median(values):.{digits}f}", f"{lower_quartile(values):.{digits}f}"


def _line(name: str, *columns: str) -> str:
    return f"{name:<36}" + "".join(f"{column:>16}" for column in columns)


def bars(figures: dict[str, Any]) -> str:
    """Each figure that has a bar, beside it and beside what is wanted."""
    lines = [_line("", "now", "bar", "wanted")]
    for bar in BARS:
        if bar.name in figures:
            wanted = "-" if bar.wanted is None else f"{bar.wanted:g}"
            lines.append(_line(bar.name, f"{figures[bar.name]:.3f}", f"{bar.at_most:g}", wanted))
    return "\n".join(lines)


def missed(figures: dict[str, Any]) -> list[str]:
    """What is over its bar. Without Envoy there is nothing to compare with it."""
    return [
        f"{bar.name} is {figures[bar.name]:.3f}, the bar is {bar.at_most:g}"
        for bar in BARS
        if bar.name in figures and figures[bar.name] > bar.at_most
    ]


def write(figures: dict[str, Any], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(figures, indent=2) + "\n")
