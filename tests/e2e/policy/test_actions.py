"""The actions in rules of one's own, without the packaged rule set: what each sets and refuses, and
that nothing but an action's own success counts."""

import json
import time
from collections.abc import Callable

import pytest

from support.wire.calls import OTHER_MODEL, PROJECT, headers, post
from support.wire.http1 import Connection, Response
from support.world.bare import (
    ALL,
    ANSWERS,
    AUTHORIZE,
    CALLER,
    GATE,
    GRANT,
    LOGGED,
    READ,
    SIGN,
    TARGET,
    VERIFY,
    shown,
    unless,
)
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

TOLD = {
    "verified", "allowed", "signed", *CALLER, *GRANT, *TARGET, "decision", "reason", "id", "audit",
}  # fmt: skip


@pytest.mark.parametrize("rules", [(), (ALL, unless("signed"))], ids=["steps", "all in one"])
def test_allowed_with_every_variable(
    actions: Callable[..., Haproxy], standin: Standin, token: str, rules: tuple[str, ...]
) -> None:
    haproxy = actions(*rules)

    response = post(haproxy, token)

    assert response.status == 200
    held = shown(response)
    assert set(held) == TOLD
    assert {name: held[name] for name in ("issuer", "subject", "principal", "role")} == {
        "issuer": "corp", "subject": "alice", "principal": "corp:alice", "role": "ml-team",
    }  # fmt: skip
    assert [held[name] for name in TARGET] == [
        "acme-ml", "us-central1", "google", "gemini-2.5-flash", "generateContent",
    ]  # fmt: skip
    assert (held["decision"], held["reason"], held["credential"]) == ("allow", "ok", "ml-prod")
    assert "principal=corp:alice role=ml-team credential=ml-prod" in held["audit"]
    assert token not in str(held)
    [seen] = standin.requests(of="google")
    assert seen["bearer"]["valid"], seen["bearer"]
    assert token not in json.dumps(seen)
    assert ("host", "us-central1-aiplatform.googleapis.com") in map(tuple, seen["headers"])


def test_verify_says_who_asks_and_nothing_else(
    actions: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    haproxy = actions(VERIFY, unless("verified"), "http-request return status 200")

    good, bad = post(haproxy, token), post(haproxy, standin.token(sign_with="other"))

    assert good.status == 200
    assert shown(good) == {
        "verified": "1", "issuer": "corp", "subject": "alice", "principal": "corp:alice",
    }  # fmt: skip
    assert bad.status == GATE
    held = shown(bad)
    assert (held["status"], held["reason"], held["decision"]) == ("401", "bad_signature", "deny")
    assert not {*CALLER, "verified"} & set(held)
    assert json.loads(held["error"])["error"]["message"] == held["message"]
    # Whoever may do nothing at all is verified as well.
    assert post(haproxy, standin.token({"groups": []}), target="/anything").status == 200


def test_authorize_refuses_what_no_role_allows(
    actions: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    haproxy = actions(VERIFY, AUTHORIZE, unless("allowed"), "http-request return status 200")

    good, bad = post(haproxy, token), post(haproxy, token, target=OTHER_MODEL)

    assert good.status == 200
    assert set(shown(good)) == TOLD - {"signed"}
    assert bad.status == GATE
    held = shown(bad)
    assert (held["status"], held["reason"], held["verified"]) == ("403", "role_none", "1")
    assert held["principal"] == "corp:alice"
    assert not {"allowed", "role", "credential", *TARGET} & set(held)


def test_after_a_refused_verify_authorize_refuses_and_the_reason_stands(
    actions: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = actions(VERIFY, AUTHORIZE, SIGN, ANSWERS, unless("signed"))

    response = post(haproxy, standin.token(sign_with="other"))

    assert response.status == 401
    held = shown(response)
    assert held["reason"] == "bad_signature"
    assert not {"verified", "allowed", "signed"} & set(held)
    assert standin.requests(of="google") == []


ORDERS = {
    "sign alone": [SIGN],
    "authorize alone": [AUTHORIZE],
    "authorize and sign": [AUTHORIZE, SIGN],
    "without authorize": [VERIFY, SIGN],
    "authorize first": [AUTHORIZE, VERIFY, SIGN],
    "sign first": [SIGN, VERIFY, AUTHORIZE],
    "verified again after": [VERIFY, AUTHORIZE, VERIFY, SIGN],
}


@pytest.mark.parametrize("order", ORDERS)
def test_in_another_order_nothing_is_signed(
    actions: Callable[..., Haproxy], standin: Standin, token: str, order: str
) -> None:
    haproxy = actions(*ORDERS[order], unless("signed"))

    response = post(haproxy, token)

    assert response.status == GATE
    assert "signed" not in shown(response)
    assert standin.requests(of="google") == []


def test_what_was_allowed_before_is_nothing_once_something_else_is_refused(
    actions: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    other = f"http-request set-path {OTHER_MODEL} if {{ req.hdr(x-other) -m found }}"
    haproxy = actions(VERIFY, AUTHORIZE, other, AUTHORIZE, SIGN, unless("signed"))

    assert post(haproxy, token).status == 200
    response = post(haproxy, token, x_other="1")

    assert response.status == GATE
    assert not {"allowed", "signed", "role"} & set(shown(response))
    assert len(standin.requests(of="google")) == 1


def test_a_body_that_has_to_be_read_is_awaited_and_refused_at_once_if_it_does_not_fit(
    actions: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["may"]["methods"] = ["*"]
    rules = [VERIFY, AUTHORIZE, ANSWERS, unless("allowed"), SIGN, unless("signed")]
    haproxy = actions(*rules, vertex=vertex)
    chat = f"{PROJECT}/endpoints/openapi/chat/completions"
    post(haproxy, token)

    def say(length: int, pause: float = 0.0) -> Response:
        said = {"model": "google/gemini-2.5-flash", "user": "x" * length}
        body = json.dumps(said).encode()
        sized = {**headers(token), "Content-Length": str(len(body))}
        with Connection(haproxy.port, timeout=5) as connection:
            connection.send_request("POST", chat, sized, body[:9])
            time.sleep(pause)
            connection.send(body[9:])
            return connection.read()

    for fitting in (say(0), say(10_000), say(10_000, pause=1)):
        assert shown(fitting)["signed"] == "1"
    assert len(standin.requests(of="google")) == 4
    response = say(60_000)
    assert response.status == 413
    assert shown(response)["reason"] == "body_too_large_to_check"
    assert len(standin.requests(of="google")) == 4


# Two decisions on one request: the former one's call is taken back.

GIVEN = "http-request return status 200"
SIGNED = [SIGN, ANSWERS, unless("signed")]
# The frontend's rules, the backend's, and what the caller gets.
TWICE = {
    "authorize twice": ([VERIFY, AUTHORIZE, AUTHORIZE, *SIGNED], [], 200),
    "verify twice": ([VERIFY, AUTHORIZE, VERIFY, AUTHORIZE, *SIGNED], [], 200),
    "in the frontend and in the backend": ([VERIFY, AUTHORIZE], [ALL, unless("signed")], 200),
    "signed already": ([ALL, ALL, ANSWERS], [], 401),
    "signed already in the frontend": ([ALL, unless("signed")], [ALL, ANSWERS], 401),
    "another target the second time": (
        [VERIFY, AUTHORIZE, f"http-request set-path {OTHER_MODEL}", AUTHORIZE, ANSWERS],
        [],
        403,
    ),
    "verified, and no more": ([VERIFY, AUTHORIZE, VERIFY, GIVEN], [], 200),
}


@pytest.mark.parametrize("twice", TWICE)
def test_a_second_decision_gives_back_what_the_first_one_took(
    actions: Callable[..., Haproxy], standin: Standin, token: str, twice: str
) -> None:
    """Else the second request would be one too many for an hour."""
    rules, again, status = TWICE[twice]
    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["limits"] = {"parallel_requests": 1, "requests_per_hour": 3}
    haproxy = actions(
        *rules,
        vertex=vertex,
        before_backend="\n".join([*again, READ]),
        frontend_lines=LOGGED,
        defaults_lines="log global",
    )

    def answers(count: int) -> list[int]:
        statuses = []
        for _ in range(count):
            statuses.append(post(haproxy, token).status)
            time.sleep(0.2)  # a place is free once the log line is written
        return statuses

    assert answers(3) == [status] * 3
    counts = SIGN in rules or ALL in again and status == 200
    assert len(standin.requests(of="google")) == (3 if counts else 0)
    # The twin: what was decided last counts.
    assert answers(1) == ([GATE] if counts else [status])


def test_a_header_that_google_refuses_on_a_route_does_not_leave_there(
    actions: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["may"].update(models=["anthropic/*"], methods=["*"])
    rules = [VERIFY, AUTHORIZE, ANSWERS, unless("allowed"), SIGN, unless("signed")]
    haproxy = actions(*rules, vertex=vertex)
    claude = f"{PROJECT}/publishers/anthropic/models"
    said = json.dumps({"model": "claude-sonnet-4-5", "messages": [], "max_tokens": 9}).encode()

    post(haproxy, token, f"{claude}/count-tokens:rawPredict", said, anthropic_beta="b")
    post(haproxy, token, f"{claude}/claude-sonnet-4-5:rawPredict", said, anthropic_beta="b")

    count, chat = (dict(seen["headers"]) for seen in standin.requests(of="google"))
    assert "anthropic-beta" not in count and chat["anthropic-beta"] == "b"
