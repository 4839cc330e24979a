"""Nothing but an action's own success counts: not a variable, not a former request, not a rule
between."""

import json
from collections.abc import Callable

import pytest

from support.wire.calls import BODY, GENERATE, OTHER_MODEL, headers, post
from support.wire.http1 import Connection, Response
from support.world.bare import ALL, AUTHORIZE, GATE, SIGN, STEPS, VERIFY, shown, unless
from support.world.haproxy import Haproxy
from support.world.standin import Standin


def forging(*names: str) -> str:
    return "\n".join(f"http-request set-var(txn.vertex.{name}) bool(true)" for name in names)


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ([VERIFY, unless("verified")], GATE),
        ([AUTHORIZE, unless("allowed")], GATE),
        ([SIGN, unless("signed")], GATE),
        ([ALL, unless("verified"), unless("allowed"), unless("signed")], GATE),
        ([VERIFY, unless("allowed")], GATE),
        ([VERIFY, unless("signed")], GATE),
        ([AUTHORIZE, unless("signed")], GATE),
    ],
    ids=str,
)
def test_variables_that_a_rule_has_set_before_count_for_nothing(
    actions: Callable[..., Haproxy], standin: Standin, rules: list[str], status: int
) -> None:
    texts = ("subject", "role", "credential", "location", "reason")
    forged = [f"http-request set-var(txn.vertex.{name}) str(forged)" for name in texts]
    haproxy = actions(forging("verified", "allowed", "signed"), *forged, *rules)

    response = post(haproxy, None)

    assert response.status == status
    if rules[0] in (VERIFY, ALL):
        assert "forged" not in shown(response).values()
        assert shown(response)["reason"] == "token_missing"
    assert standin.requests(of="google") == []


def test_the_forged_variables_do_not_stand_in_the_way_of_who_may(
    actions: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    haproxy = actions(forging("verified", "allowed", "signed", "role", "subject"), STEPS)

    response = post(haproxy, token)

    assert response.status == 200
    assert (shown(response)["role"], shown(response)["subject"]) == ("ml-team", "alice")


@pytest.mark.parametrize(
    ("skipped", "gate"), [((VERIFY,), "allowed"), ((VERIFY, AUTHORIZE), "signed")], ids=str
)
def test_nothing_is_left_for_the_next_request_of_a_connection(
    actions: Callable[..., Haproxy],
    standin: Standin,
    token: str,
    skipped: tuple[str, ...],
    gate: str,
) -> None:
    rules = [
        f"{rule} if !{{ req.hdr(x-skip) -m found }}" if rule in skipped else rule
        for rule in (VERIFY, AUTHORIZE, SIGN)
    ]
    haproxy = actions(*rules, unless(gate), unless("signed"))

    def next_one(connection: Connection, **more: str) -> Response:
        connection.send_request("POST", GENERATE, headers(token, **more), BODY)
        return connection.read()

    with Connection(haproxy.port) as connection:
        statuses = [next_one(connection).status, next_one(connection).status]
        statuses.append(next_one(connection, x_skip="1").status)

    assert statuses == [200, 200, GATE]
    assert len(standin.requests(of="google")) == 2


def test_what_leaves_is_what_was_decided_on_whatever_rules_did_since(
    actions: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    between = [
        f"http-request set-path {OTHER_MODEL}",
        "http-request set-query key=AIzaEvil",
        "http-request set-method PUT",
        "http-request set-header host evil.example",
        "http-request set-header x-api-key evil",
    ]
    haproxy = actions(VERIFY, AUTHORIZE, *between, SIGN, unless("signed"))

    assert post(haproxy, token).status == 200

    [seen] = standin.requests(of="google")
    assert (seen["method"], seen["target"]) == ("POST", GENERATE)
    assert "evil" not in json.dumps(seen).lower()
