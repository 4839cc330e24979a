"""What `vertex show` prints, as rows."""

import json
from typing import Any

from support.haproxy import Haproxy

Row = dict[str, Any]


def rows(haproxy: Haproxy, thing: str) -> list[Row]:
    """By its JSON."""
    [(name, found)] = json.loads(haproxy.ask(f"vertex show {thing} json")).items()
    assert name == thing
    return found


def row(haproxy: Haproxy, thing: str) -> Row:
    [found] = rows(haproxy, thing)
    return found


def table(text: str) -> list[dict[str, str]]:
    """By its table: columns begin where their names begin."""
    head, *lines = text.rstrip("\n").split("\n")
    starts = [at for at in range(len(head)) if head[at] != " " and head[at - 1 : at] in ("", " ")]
    ends = [*starts[1:], None]
    names = head.split()
    return [
        {name: line[start:end].strip() for name, start, end in zip(names, starts, ends)}
        for line in lines
    ]
