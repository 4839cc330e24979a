"""Fixtures of the tests of programs."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.clients.callers import Callers, every_dialect
from support.clients.programs import Outside
from support.log.server import LogServer
from support.world.haproxy import Haproxy
from support.world.standin import Standin


@pytest.fixture
def outside() -> Iterator[Outside]:
    """At the end nobody has said a word to anybody but the gateway."""
    outside = Outside()
    yield outside
    outside.stop()
    assert outside.connections == 0


@pytest.fixture
def reach(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> Callable[..., Callers]:
    """`reach(**members)`: a gateway whose role has these members too, and may do this too."""
    standin.google(chunks=2, interval_ms=0)

    def one(may: dict[str, Any] | None = None, **members: Any) -> Callers:
        vertex = every_dialect(standin.service_account)
        vertex["roles"][0]["may"] |= may or {}
        vertex["roles"][0] |= members
        return Callers(gateway(vertex=vertex), standin, logs)

    return one
