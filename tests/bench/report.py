"""Figures of a run: per round first, then over the rounds, so that what disturbs one round
(other programs on the machine) disturbs both sides of a ratio or is outvoted."""

import json
import os
import platform
import re
import statistics
import subprocess
from pathlib import Path
from typing import Any

Rounds = list[dict[str, float]]

WARM_OVER_PLAIN_BAR = 1.6
ADDED_BAR = 0.45


def lower_quartile(values: list[float]) -> float:
    return statistics.quantiles(values, n=4, method="inclusive")[0]


def ratios(rounds: Rounds) -> dict[str, list[float]]:
    return {
        "warm_over_plain": [r["warm"] / r["plain"] for r in rounds],
        "native_over_plain": [r["native"] / r["plain"] for r in rounds],
        "reading_over_plain": [r["reading"] / r["plain"] for r in rounds],
        "cold_over_plain": [r["cold"] / r["plain"] for r in rounds],
        "added_over_native_added": [
            (r["warm"] - r["plain"]) / (r["native"] - r["plain"]) for r in rounds
        ],
    }


def summary(rounds: Rounds, requests: int, haproxy: str) -> dict[str, Any]:
    names = {"plain": "plain_us", "native": "native_jwt_us", "warm": "warm_us"}
    names |= {"reading": "reading_us", "cold": "cold_us"}
    figures: dict[str, Any] = {
        key: round(statistics.median(r[name] for r in rounds), 2) for name, key in names.items()
    }
    for name, values in ratios(rounds).items():
        figures[name] = round(lower_quartile(values), 4)
        figures[f"{name}_median"] = round(statistics.median(values), 4)
    return {
        **figures,
        "rounds": len(rounds),
        "requests_per_round": requests,
        "versions": versions(haproxy),
        "us_by_round": [{name: round(us, 2) for name, us in r.items()} for r in rounds],
    }


def versions(haproxy: str) -> dict[str, str]:
    built = _output([haproxy, "-vv"])

    def found(pattern: str, text: str) -> str:
        match = re.search(pattern, text, re.M)
        return match[1] if match else "unknown"

    return {
        "haproxy": found(r"^HAProxy version (\S+)", built),
        "lua": found(r"^Built with Lua version : Lua (\S+)", built),
        "openssl": found(r"^Running on OpenSSL version : (.+)$", built),
        "wrk": found(r"^wrk (?:debian/)?(\S+)", _output(["wrk", "-v"])),
        "kernel": platform.release(),
        "cores": str(os.cpu_count()),
    }


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def table(rounds: Rounds, figures: dict[str, Any]) -> str:
    lines = [f"{'CPU us/request':<26}{'median':>9}{'lower quartile':>16}"]
    for name in rounds[0]:
        values = [r[name] for r in rounds]
        lines.append(_row(name, statistics.median(values), lower_quartile(values), 2))
    lines.append("ratio per round")
    for name, values in ratios(rounds).items():
        lines.append(_row(name, statistics.median(values), lower_quartile(values), 3))
    of = figures["versions"]
    lines.append(
        f"{len(rounds)} rounds of {figures['requests_per_round']} requests each,"
        f" HAProxy {of['haproxy']}, {of['openssl']}"
    )
    return "\n".join(lines)


def _row(name: str, median: float, quartile: float, digits: int) -> str:
    return f"{name:<26}{median:>9.{digits}f}{quartile:>16.{digits}f}"


def missed(figures: dict[str, Any]) -> list[str]:
    bars = {"warm_over_plain": WARM_OVER_PLAIN_BAR, "added_over_native_added": ADDED_BAR}
    return [
        f"{name} is {figures[name]:.3f}, at most {bar} is wanted"
        for name, bar in bars.items()
        if figures[name] > bar
    ]


def write(figures: dict[str, Any], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(figures, indent=2) + "\n")
