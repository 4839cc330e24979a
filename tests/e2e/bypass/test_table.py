"""Every check is on: no attack does harm, and no honest request is refused."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from support.log.server import LogServer
from support.world.place import ROOT
from support.world.standin import Standin

from bypass import tally
from bypass.gateways import RULES, Gateways
from bypass.judge import Judge
from bypass.pair import Pair
from bypass.table import KINDS, is_hosts_own, pairs


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    standin, logs = Standin(), LogServer()
    gateways = Gateways(standin, logs)
    yield Judge(standin, logs, gateways)
    gateways.stop()
    logs.stop()
    standin.stop()


def test_the_table_is_as_large_as_it_says() -> None:
    assert len(pairs()) >= 150
    for kind in KINDS:
        assert len(kind.pairs) >= 3, kind.name
        assert not all(is_hosts_own(pair) for pair in kind.pairs), kind.name
    names = Counter((pair.kind, pair.name) for pair in pairs())
    assert [name for name, count in names.items() if count > 1] == []


def test_every_check_that_can_be_switched_off_stops_some_kind_and_no_other_is_named() -> None:
    source = (ROOT / "src" / "test_switches.rs").read_text()
    enum = source.partition("enum Check {")[2].partition("}")[0]
    known = set(re.findall(r"^    (\w+),$", enum, re.M))
    terms = (ROOT / "src" / "policy" / "terms.rs").read_text()
    known |= set(re.findall(r'=> "(\w+)",$', terms, re.M))
    assert {check for kind in KINDS for check in kind.checks} == known
    assert {rule for kind in KINDS for rule in kind.rules} == RULES.keys()


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: f"{pair.kind}: {pair.name}")
def test_an_attack_does_no_harm_and_its_twin_passes(judge: Judge, pair: Pair) -> None:
    faults = []
    for version in pair.over:
        attack, escaped = judge.attack_fault(version, pair)
        twin, refused = judge.twin_fault(version, pair)
        tally.count(pair, escaped, refused)
        faults += [
            f"HTTP/{version}: {what}: {fault}"
            for what, fault in (("attack", attack), ("twin", twin))
            if fault
        ]
    assert not faults, "\n".join(faults)
