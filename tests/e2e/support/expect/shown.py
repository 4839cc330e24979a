"""What HAProxy's statistics socket tells: `vertex show` as rows, and how many requests have come."""

import json
from typing import Any

from support.world.haproxy import Haproxy

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


def has_no_keys(haproxy: Haproxy) -> bool:
    """Whether all who ask must still wait."""
    return json.loads(haproxy.ask("vertex show keys json"))["issuers"] == []


def requests_so_far(haproxy: Haproxy, frontend: str = "ai") -> int:
    """How many requests the frontend has begun to work on."""
    names, *rows = haproxy.ask("show stat").splitlines()
    columns = names.removeprefix("# ").split(",")
    for row in rows:
        values = dict(zip(columns, row.split(","), strict=False))
        if (values["pxname"], values["svname"]) == (frontend, "FRONTEND"):
            return int(values["req_tot"])
    raise ValueError(f"no frontend {frontend}")
