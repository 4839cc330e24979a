"""Each check is needed: with it off, at least one attack of its kind comes through and does harm.

The module is the one with cargo's feature `faults`; rules are taken out of a copy of vertex.cfg."""

from collections.abc import Iterator

import pytest

from bypass import tally
from bypass.gateways import Gateways
from bypass.judge import Judge
from bypass.pair import Kind
from bypass.table import KINDS
from support.logserver import LogServer
from support.place import haproxy_version
from support.standin import Standin


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Standin, LogServer]]:
    standin, logs = Standin(), LogServer()
    yield standin, logs
    logs.stop()
    standin.stop()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_without_its_check_an_attack_escapes(
    servers: tuple[Standin, LogServer], kind: Kind
) -> None:
    assert kind.checks or kind.rules
    gateways = Gateways(*servers, kind.checks, kind.rules)
    try:
        judge = Judge(*servers, gateways)
        escaped = [
            pair.name
            for pair in kind.pairs
            if pair.since <= haproxy_version()
            and any([judge.escaped(version, pair) for version in pair.over])
        ]
    finally:
        gateways.stop()
    tally.without[kind.name] = escaped
    assert escaped, f"{kind.name}: nothing escapes without {kind.checks} {kind.rules}"
