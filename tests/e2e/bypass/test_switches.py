"""Each check is needed: with it off, at least one attack of its kind comes through and does harm.

The module is the one with cargo's feature `faults`; rules are taken out of a copy of vertex.cfg."""

from collections.abc import Callable, Iterator

import pytest
from support.log.server import LogServer
from support.world.place import haproxy_version
from support.world.standin import Standin

from bypass import tally
from bypass.gateways import Gateways
from bypass.judge import Judge
from bypass.pair import Kind
from bypass.table import KINDS

Without = Callable[[Kind], Judge]


@pytest.fixture(scope="module")
def without() -> Iterator[Without]:
    """`without(kind)`: gateways with what stops that kind switched off; those for the kind before
    serve again where it is the same."""
    standin, logs = Standin(), LogServer()
    last: list[tuple[object, Gateways]] = []

    def one(kind: Kind) -> Judge:
        off = (kind.checks, kind.rules)
        if not last or last[0][0] != off:
            stop()
            last.append((off, Gateways(standin, logs, *off)))
        return Judge(standin, logs, last[0][1])

    def stop() -> None:
        while last:
            last.pop()[1].stop()

    yield one
    stop()
    logs.stop()
    standin.stop()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_without_its_check_an_attack_escapes(without: Without, kind: Kind) -> None:
    assert kind.checks or kind.rules
    if kind.since > haproxy_version():
        pytest.skip("nothing stops it on this HAProxy: SECURITY.md, known limits")
    judge = without(kind)
    escaped = [
        pair.name
        for pair in kind.pairs
        if pair.since <= haproxy_version()
        and any([judge.escaped(version, pair) for version in pair.over])
    ]
    tally.without[kind.name] = escaped
    assert escaped, f"{kind.name}: nothing escapes without {kind.checks} {kind.rules}"
