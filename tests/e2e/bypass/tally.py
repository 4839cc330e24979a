"""Counts, for the lines at the end of a run."""

from collections import Counter

from bypass.pair import Pair

kinds: Counter[str] = Counter()
escapes: list[str] = []
refused: list[str] = []
without: dict[str, list[str]] = {}  # by kind: what escaped while its check was off
_seen: set[tuple[str, str]] = set()


def count(pair: Pair, escaped: bool, twin_refused: bool) -> None:
    name = f"{pair.kind}: {pair.name}"
    if (pair.kind, pair.name) not in _seen:
        _seen.add((pair.kind, pair.name))
        kinds[pair.kind] += 1
    if escaped:
        escapes.append(name)
    if twin_refused:
        refused.append(name)


def lines() -> list[str]:
    """What a run prints."""
    if not kinds and not without:
        return []
    lines = [f"{kind}: {number} pairs" for kind, number in kinds.items()]
    for kind, names in without.items():
        lines.append(f"{kind}, its check off: {len(names)} escape ({', '.join(names)})")
    return [
        *lines,
        f"{sum(kinds.values())} pairs of {len(kinds)} kinds, {len(escapes)} escapes,"
        f" {len(refused)} twins wrongly refused",
    ]
