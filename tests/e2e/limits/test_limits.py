"""Limits: the last request that passes, the first that does not, and whose budget it is."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.expect.budget import (
    FLASH,
    PRO,
    answer,
    assert_exhausted,
    expecting,
    hold,
    remaining,
    target,
    well_inside_a_minute,
    with_roles,
)
from support.expect.eventually import eventually
from support.log.server import LogServer
from support.wire.calls import outcome, post
from support.wire.http1 import Connection
from support.world.clock import Clock
from support.world.configuration import Configuration
from support.world.haproxy import Haproxy
from support.world.standin import Standin

TOKENS = 100  # of one request, estimated and real
PASSING = 3
# What a budget for three such requests is, and what is said when it is used up.
BUDGETS = {
    "requests_per_minute": (PASSING, "limit_requests", "all 3 requests a minute are used"),
    "requests_per_hour": (PASSING, "limit_requests", "all 3 requests an hour are used"),
    "tokens_per_minute": (PASSING * TOKENS, "limit_tokens", "0 of 300 tokens a minute are left"),
    "tokens_per_hour": (PASSING * TOKENS, "limit_tokens", "0 of 300 tokens an hour are left"),
}
KEYS = ("role", "principal", "model")


@pytest.fixture
def held() -> Iterator[list[Connection]]:
    """Streams to be closed at the end."""
    connections: list[Connection] = []
    yield connections
    for connection in connections:
        connection.close()


def test_the_last_request_of_a_budget_passes_and_the_next_is_told_when_to_come_again(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    standin.google(canned=answer(TOKENS))
    roles = {amount: {"limits": {amount: budget[0]}} for amount, budget in BUDGETS.items()}
    haproxy = gateway(vertex=with_roles(standin.service_account, roles))
    well_inside_a_minute()
    for amount, (_, why, words) in BUDGETS.items():
        token = standin.token({"groups": [amount]})
        passed = [post(haproxy, token, body=expecting(TOKENS)).status for _ in range(PASSING)]
        assert passed == [200] * PASSING, amount

        span = amount.rpartition("_")[2]
        for _ in range(2):  # a refusal takes nothing, and nobody is refused once only
            assert_exhausted(post(haproxy, token, body=expecting(TOKENS)), why, words, span)

    lines = logs.wait_for(len(BUDGETS) * (PASSING + 2))
    assert len(lines) == len(BUDGETS) * (PASSING + 2)
    refused = [line for line in lines if line["decision"] == "deny"]
    assert [line["reason"] for line in refused] == [
        why for _, why, _ in BUDGETS.values() for _ in range(2)
    ]
    assert {(line.status, line["reserved"], line["charged"]) for line in refused} == {
        (429, "-", "-")
    }
    allowed = [line for line in lines if line["decision"] == "allow"]
    assert {(line["reserved"], line["charged"]) for line in allowed} == {("100", "100")}
    assert len(standin.requests(of="google")) == len(allowed)


@pytest.mark.parametrize(("limit", "last"), [(300, 200), (299, 429)])
def test_a_budget_of_tokens_is_used_to_the_last_one(
    gateway: Callable[..., Haproxy], standin: Standin, limit: int, last: int
) -> None:
    standin.google(canned=answer(TOKENS))
    roles = {"ml": {"limits": {"tokens_per_minute": limit}}}
    haproxy = gateway(vertex=with_roles(standin.service_account, roles))
    token = standin.token({"groups": ["ml"]})
    well_inside_a_minute()
    for status in (200, 200, last):
        assert post(haproxy, token, body=expecting(TOKENS)).status == status
    # What did not fit took nothing: a smaller one does fit.
    assert remaining(haproxy, token) == (0 if last == 200 else 99)
    assert post(haproxy, token, body=expecting(99)).status == (429 if last == 200 else 200)


def test_what_can_never_pass_is_told_so_and_not_to_come_again(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    roles = {"ml": {"limits": {"tokens_per_minute": 99}}}
    haproxy = gateway(vertex=with_roles(standin.service_account, roles))
    token = standin.token({"groups": ["ml"]})
    well_inside_a_minute()

    refused = post(haproxy, token, body=expecting(100))

    assert outcome(refused) == (429, "limit_tokens")
    assert "more than all 99 tokens a minute" in refused.text
    assert "RetryInfo" not in refused.text
    assert refused.all("retry-after") == []
    assert refused.header("x-should-retry") == "false"
    assert post(haproxy, token, body=expecting(99)).status == 200


def test_without_a_limit_on_output_a_request_reserves_what_its_role_says(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    limits = {"limits": {"tokens_per_minute": 10_000}}
    roles = {"usual": limits, "own": limits | {"reserve_tokens": 77}}
    haproxy = gateway(vertex=with_roles(standin.service_account, roles))
    for role in roles:
        assert post(haproxy, standin.token({"groups": [role]})).status == 200

    lines = {line["role"]: line for line in logs.wait_for(2)}
    for role, output in (("usual", 1024), ("own", 77)):
        prompt = -(-int(lines[role]["prompt_bytes"]) // 4)
        assert int(lines[role]["reserved"]) == prompt + output


def test_as_many_as_may_be_in_flight_pass_and_one_more_when_one_has_ended(
    gateway: Callable[..., Haproxy], standin: Standin, held: list[Connection]
) -> None:
    standin.google(chunks=2, gate=True)
    roles = {"ml": {"limits": {"parallel_requests": 2}}}
    haproxy = gateway(vertex=with_roles(standin.service_account, roles))
    token = standin.token({"groups": ["ml"]})
    for _ in range(2):
        connection, head = hold(haproxy, token)
        held.append(connection)
        assert head.status == 200

    for _ in range(2):
        words = "2 may be in flight; try again when one has ended"
        assert_exhausted(post(haproxy, token), "limit_parallel", words)

    standin.release(all=True)
    for _ in held[0].parts(head):
        pass
    # The place is free with the log line, a moment after the answer.
    eventually(lambda: post(haproxy, token).status == 200, "a place is free")


Who = tuple[str, str, str]


def others(per: tuple[str, ...]) -> list[tuple[Who, int]]:
    """Callers after the first one, and what becomes of each if every budget is one request."""
    names = {"role": ("a", "b"), "principal": ("alice", "bob"), "model": (FLASH, PRO)}
    used: set[tuple[str, ...]] = set()
    asked: list[tuple[Who, int]] = []
    for who in itertools.product(*names.values()):
        key = tuple(name for kind, name in zip(KEYS, who, strict=True) if kind in per)
        asked.append((who, 429 if key in used else 200))
        used.add(key)
    return asked


PAIRS = [
    per for count in range(3) for per in itertools.combinations(KEYS, count)
]  # nothing, each by itself, each pair


def expect(haproxy: Haproxy, standin: Standin, asked: list[tuple[Who, int]]) -> None:
    for (role, principal, model), status in asked:
        token = standin.token({"groups": [role], "sub": principal})
        response = post(haproxy, token, target(model), expecting(TOKENS))
        assert response.status == status, (role, principal, model)
        assert status == 200 or outcome(response)[1] in ("limit_requests", "limit_tokens")


@pytest.mark.parametrize("per", PAIRS, ids="+".join)
def test_a_limit_at_the_top_has_a_budget_for_each(
    gateway: Callable[..., Haproxy], standin: Standin, per: tuple[str, ...]
) -> None:
    standin.google(canned=answer(TOKENS))
    limits = {"tokens_per_hour": TOKENS} | ({"per": list(per)} if per else {})
    vertex = with_roles(standin.service_account, {"a": {}, "b": {}}, limits=limits)
    haproxy = gateway(vertex=vertex)
    well_inside_a_minute()

    expect(haproxy, standin, others(per))


def test_a_limit_of_a_role_has_a_budget_for_each(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    own = [per for per in PAIRS if "role" not in per]
    roles = {
        "-".join(("r", *per)): {"limits": {"requests_per_minute": 1} | ({"per": per} if per else {})}
        for per in own
    }
    haproxy = gateway(vertex=with_roles(standin.service_account, roles))
    well_inside_a_minute()
    for role, per in zip(roles, own, strict=True):
        # The other roles' requests count for nothing here.
        asked = [((role, *who[1:]), status) for who, status in others(per) if who[0] == "a"]
        assert {status for _, status in asked} >= {200}
        expect(haproxy, standin, asked)


def test_in_flight_counts_for_each_principal_and_pair(
    gateway: Callable[..., Haproxy], standin: Standin, held: list[Connection]
) -> None:
    standin.google(chunks=2, gate=True)
    for per in (["principal"], ["principal", "model"]):
        roles = {"ml": {"limits": {"per": per, "parallel_requests": 1}}}
        haproxy = gateway(vertex=with_roles(standin.service_account, roles))
        alice, bob = (standin.token({"groups": ["ml"], "sub": name}) for name in ("alice", "bob"))
        statuses = []
        for token, model in ((alice, FLASH), (alice, FLASH), (bob, FLASH), (alice, PRO)):
            connection, head = hold(haproxy, token, model)
            held.append(connection)
            statuses.append(head.status)
        assert statuses == [200, 429, 200, 429 if per == ["principal"] else 200]
        standin.release(all=True)


def test_a_request_takes_from_every_limit_or_from_none(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    standin.google(canned=answer(TOKENS))
    roles = {
        "a": {"limits": [{"per": "principal", "requests_per_minute": 1}]},
        "b": {},
    }
    limits = [{"requests_per_minute": 3}, {"per": "role", "tokens_per_minute": 2 * TOKENS}]
    haproxy = gateway(vertex=with_roles(standin.service_account, roles, limits=limits))
    well_inside_a_minute()

    expect(
        haproxy,
        standin,
        [
            (("a", "alice", FLASH), 200),
            (("a", "alice", FLASH), 429),  # of her own budget: the others keep theirs
            (("a", "bob", FLASH), 200),
            (("a", "carol", FLASH), 429),  # of the role's tokens
            (("b", "alice", FLASH), 200),
            (("b", "alice", FLASH), 429),  # of all requests
        ],
    )


@pytest.fixture
def timeless(standin: Standin, tmp_path: Path) -> dict[str, Any]:
    """A credential without times that a step of the clock could matter to."""
    return {"credentials": standin.access_token(tmp_path)}


@pytest.mark.parametrize(("amount", "step"), [("minute", 60), ("hour", 3600)])
def test_the_next_window_begins_with_nothing_used(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    timeless: dict[str, Any],
    amount: str,
    step: int,
) -> None:
    roles = {"ml": {"limits": {f"requests_per_{amount}": 1}}}
    vertex = with_roles(standin.service_account, roles, **timeless)
    haproxy = launch(configuration(vertex=vertex), start=False)
    clock = Clock(haproxy)
    haproxy.start()
    token = standin.token({"groups": ["ml"]}, lifetime=3 * 3600)
    well_inside_a_minute()
    assert [post(haproxy, token).status for _ in range(2)] == [200, 429]

    clock.step_to(step)
    assert [post(haproxy, token).status for _ in range(2)] == [200, 429]
    # A clock that is set back opens no window again.
    clock.step_to(0)
    assert post(haproxy, token).status == 429
