"""How long a streamed answer's first event takes, by the wall clock: from the upstream itself, and
through a proxy."""

import statistics
import time
from dataclasses import dataclass

from support.wire.calls import STREAM, headers
from support.wire.http1 import Connection

from measure import Invalid
from traffic import body

CALLS = 300
_WARM_UP = 20


@dataclass(frozen=True)
class Way:
    """Where a call goes, and with which token."""

    port: int
    token: str


def medians(ways: dict[str, Way]) -> dict[str, float]:
    """Milliseconds from the call's last byte to the answer's first event, over a connection that is
    kept; the ways take turns."""
    connections = {name: Connection(way.port) for name, way in ways.items()}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_WARM_UP + CALLS):
        for name, way in ways.items():
            taken[name].append(_first_event(connections[name], way.token))
    for connection in connections.values():
        connection.close()
    return {name: statistics.median(times[_WARM_UP:]) * 1000 for name, times in taken.items()}


def _first_event(connection: Connection, token: str) -> float:
    sent = time.monotonic()
    connection.send_request("POST", STREAM, headers(token), body())
    answer = connection.read()
    if answer.status != 200 or not answer.body.startswith(b"data: "):
        raise Invalid(f"no stream but {answer.status}: {answer.body[:200]!r}")
    return answer.parts[0].at - sent
