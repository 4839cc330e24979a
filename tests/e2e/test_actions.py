"""The actions in rules of one's own, without the packaged rule set: what each sets and refuses, and
that nothing but an action's own success counts."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from support.bare import (
    ALL,
    ANSWERS,
    AUTHORIZE,
    CALLER,
    GRANT,
    SIGN,
    TARGET,
    VERIFY,
    Bare,
    bare,
    shown,
    unless,
)
from support.calls import BODY, CLAIMS, GENERATE, OTHER_MODEL, PROJECT, headers
from support.client import Connection, Response, once
from support.configuration import Configuration, vertex_json
from support.haproxy import Haproxy, NotStarted
from support.place import haproxy_version
from support.standin import Standin

FORGED = 410  # `unless`
STEPS = "\n".join(
    [VERIFY, unless("verified"), AUTHORIZE, unless("allowed"), SIGN, unless("signed")]
)
TOLD = {"verified", "allowed", "signed", *CALLER, *GRANT, *TARGET, "decision", "reason", "audit"}


@pytest.fixture
def start(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> Callable[..., Haproxy]:
    """`start(rules)`: a gateway with these rules in its frontend and no others."""
    return lambda *rules, **more: launch(
        bare(configuration(), rules="\n".join(rules) or STEPS, **more)
    )


@pytest.fixture
def token(standin: Standin) -> str:
    return standin.token(dict(CLAIMS))


def ask(haproxy: Haproxy, token: str | None, target: str = GENERATE, **more: str) -> Response:
    return once(haproxy.port, "POST", target, headers(token, **more), BODY, timeout=20)


def arrived(standin: Standin) -> list[dict[str, Any]]:
    return standin.requests(of="google")


@pytest.mark.parametrize("rules", [(), (ALL, unless("signed"))], ids=["steps", "all in one"])
def test_allowed_with_every_variable(
    start: Callable[..., Haproxy], standin: Standin, token: str, rules: tuple[str, ...]
) -> None:
    haproxy = start(*rules)

    response = ask(haproxy, token)

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
    [seen] = arrived(standin)
    assert seen["bearer"]["valid"], seen["bearer"]
    assert token not in json.dumps(seen)
    assert ("host", "us-central1-aiplatform.googleapis.com") in map(tuple, seen["headers"])


def test_verify_says_who_asks_and_nothing_else(
    start: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    haproxy = start(VERIFY, unless("verified"), "http-request return status 200")

    good, bad = ask(haproxy, token), ask(haproxy, standin.token(sign_with="other"))

    assert good.status == 200
    assert shown(good) == {
        "verified": "1", "issuer": "corp", "subject": "alice", "principal": "corp:alice",
    }  # fmt: skip
    assert bad.status == FORGED
    held = shown(bad)
    assert (held["status"], held["reason"], held["decision"]) == ("401", "bad_signature", "deny")
    assert not {*CALLER, "verified"} & set(held)
    assert json.loads(held["error"])["error"]["message"] == held["message"]
    # Whoever may do nothing at all is verified as well.
    assert ask(haproxy, standin.token({"groups": []}), target="/anything").status == 200


def test_authorize_refuses_what_no_role_allows(
    start: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    haproxy = start(VERIFY, AUTHORIZE, unless("allowed"), "http-request return status 200")

    good, bad = ask(haproxy, token), ask(haproxy, token, target=OTHER_MODEL)

    assert good.status == 200
    assert set(shown(good)) == TOLD - {"signed"}
    assert bad.status == FORGED
    held = shown(bad)
    assert (held["status"], held["reason"], held["verified"]) == ("403", "role_none", "1")
    assert held["principal"] == "corp:alice"
    assert not {"allowed", "role", "credential", *TARGET} & set(held)


def test_after_a_refused_verify_authorize_refuses_and_the_reason_stands(
    start: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = start(VERIFY, AUTHORIZE, SIGN, ANSWERS, unless("signed"))

    response = ask(haproxy, standin.token(sign_with="other"))

    assert response.status == 401
    held = shown(response)
    assert held["reason"] == "bad_signature"
    assert not {"verified", "allowed", "signed"} & set(held)
    assert arrived(standin) == []


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
    start: Callable[..., Haproxy], standin: Standin, token: str, order: str
) -> None:
    haproxy = start(*ORDERS[order], unless("signed"))

    response = ask(haproxy, token)

    assert response.status == FORGED
    assert "signed" not in shown(response)
    assert arrived(standin) == []


def test_what_was_allowed_before_is_nothing_once_something_else_is_refused(
    start: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    other = f"http-request set-path {OTHER_MODEL} if {{ req.hdr(x-other) -m found }}"
    haproxy = start(VERIFY, AUTHORIZE, other, AUTHORIZE, SIGN, unless("signed"))

    assert ask(haproxy, token).status == 200
    response = ask(haproxy, token, x_other="1")

    assert response.status == FORGED
    assert not {"allowed", "signed", "role"} & set(shown(response))
    assert len(arrived(standin)) == 1


def credentials(standin: Standin, without_role: bool) -> dict[str, Any]:
    """A second credential beside the role's."""
    vertex = vertex_json(standin.service_account)
    second = {**vertex["credentials"][0], "name": "open", "form": "scope"}
    if without_role:
        second["without_role"] = True
    vertex["credentials"].append(second)
    return vertex


@pytest.mark.parametrize("without_role", [False, True])
def test_sign_without_a_decision_is_for_credentials_that_say_so(
    start: Callable[..., Haproxy], standin: Standin, token: str, without_role: bool
) -> None:
    vertex = credentials(standin, without_role)
    haproxy = start("http-request lua.vertex-sign open", unless("signed"), vertex=vertex)

    response = ask(haproxy, token, target=OTHER_MODEL)

    if not without_role:
        assert response.status == FORGED
        assert shown(response) == {}
        assert arrived(standin) == []
        return
    assert response.status == 200
    assert (held := shown(response))["signed"] == "1"
    assert set(held) == {"signed", "credential", "google_identity"}
    [seen] = arrived(standin)
    assert seen["bearer"]["valid"] and "scope" in seen["bearer"]["claims"]
    assert seen["target"] == OTHER_MODEL
    assert token not in json.dumps(seen)


@pytest.mark.parametrize("name", ["role", "nobody", "ml-prod", "OPEN", "open "])
def test_no_other_name_is_without_a_role(
    start: Callable[..., Haproxy], standin: Standin, token: str, name: str
) -> None:
    haproxy = start(
        f'http-request lua.vertex-sign "{name}"',
        unless("signed"),
        vertex=credentials(standin, without_role=True),
    )

    assert ask(haproxy, token).status == FORGED
    assert arrived(standin) == []


def test_a_decision_can_be_signed_with_another_credential_that_there_is(
    start: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    sign = [
        "http-request lua.vertex-sign open if { req.hdr(x-as) open }",
        "http-request lua.vertex-sign nobody if { req.hdr(x-as) nobody }",
    ]
    rules = [VERIFY, AUTHORIZE, *sign, ANSWERS, unless("signed")]
    haproxy = start(*rules, vertex=credentials(standin, without_role=False))

    good, bad = ask(haproxy, token, x_as="open"), ask(haproxy, token, x_as="nobody")

    assert good.status == 200
    assert (held := shown(good))["credential"] == "open"
    assert " role=ml-team credential=open google_identity=vertex-gateway@" in held["audit"]
    [seen] = arrived(standin)
    assert seen["bearer"]["valid"] and "scope" in seen["bearer"]["claims"]
    assert bad.status == 503
    held = shown(bad)
    assert (held["reason"], held["allowed"]) == ("credential_unavailable", "1")
    assert "decision=deny reason=credential_unavailable principal=corp:alice" in held["audit"]


def forging(*names: str) -> str:
    return "\n".join(f"http-request set-var(txn.vertex.{name}) bool(true)" for name in names)


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ([VERIFY, unless("verified")], FORGED),
        ([AUTHORIZE, unless("allowed")], FORGED),
        ([SIGN, unless("signed")], FORGED),
        ([ALL, unless("verified"), unless("allowed"), unless("signed")], FORGED),
        ([VERIFY, unless("allowed")], FORGED),
        ([VERIFY, unless("signed")], FORGED),
        ([AUTHORIZE, unless("signed")], FORGED),
    ],
    ids=str,
)
def test_variables_that_a_rule_has_set_before_count_for_nothing(
    start: Callable[..., Haproxy], standin: Standin, rules: list[str], status: int
) -> None:
    texts = ("subject", "role", "credential", "location", "reason")
    forged = [f"http-request set-var(txn.vertex.{name}) str(forged)" for name in texts]
    haproxy = start(forging("verified", "allowed", "signed"), *forged, *rules)

    response = ask(haproxy, None)

    assert response.status == status
    if rules[0] in (VERIFY, ALL):
        assert "forged" not in shown(response).values()
        assert shown(response)["reason"] == "token_missing"
    assert arrived(standin) == []


def test_the_forged_variables_do_not_stand_in_the_way_of_who_may(
    start: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    haproxy = start(forging("verified", "allowed", "signed", "role", "subject"), STEPS)

    response = ask(haproxy, token)

    assert response.status == 200
    assert (shown(response)["role"], shown(response)["subject"]) == ("ml-team", "alice")


@pytest.mark.parametrize(
    ("skipped", "gate"), [((VERIFY,), "allowed"), ((VERIFY, AUTHORIZE), "signed")], ids=str
)
def test_nothing_is_left_for_the_next_request_of_a_connection(
    start: Callable[..., Haproxy],
    standin: Standin,
    token: str,
    skipped: tuple[str, ...],
    gate: str,
) -> None:
    rules = [
        f"{rule} if !{{ req.hdr(x-skip) -m found }}" if rule in skipped else rule
        for rule in (VERIFY, AUTHORIZE, SIGN)
    ]
    haproxy = start(*rules, unless(gate), unless("signed"))

    def next_one(connection: Connection, **more: str) -> Response:
        connection.send_request("POST", GENERATE, headers(token, **more), BODY)
        return connection.read()

    with Connection(haproxy.port) as connection:
        statuses = [next_one(connection).status, next_one(connection).status]
        statuses.append(next_one(connection, x_skip="1").status)

    assert statuses == [200, 200, FORGED]
    assert len(arrived(standin)) == 2


def test_what_leaves_is_what_was_decided_on_whatever_rules_did_since(
    start: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    between = [
        f"http-request set-path {OTHER_MODEL}",
        "http-request set-query key=AIzaEvil",
        "http-request set-method PUT",
        "http-request set-header host evil.example",
        "http-request set-header x-api-key evil",
    ]
    haproxy = start(VERIFY, AUTHORIZE, *between, SIGN, unless("signed"))

    assert ask(haproxy, token).status == 200

    [seen] = arrived(standin)
    assert (seen["method"], seen["target"]) == ("POST", GENERATE)
    assert "evil" not in json.dumps(seen).lower()


def test_a_body_that_has_to_be_read_is_awaited_and_refused_at_once_if_it_does_not_fit(
    start: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["may"]["methods"] = ["*"]
    rules = [VERIFY, AUTHORIZE, ANSWERS, unless("allowed"), SIGN, unless("signed")]
    haproxy = start(*rules, vertex=vertex)
    chat = f"{PROJECT}/endpoints/openapi/chat/completions"
    ask(haproxy, token)

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
    assert len(arrived(standin)) == 4
    response = say(60_000)
    assert response.status == 413
    assert shown(response)["reason"] == "body_too_large_to_check"
    assert len(arrived(standin)) == 4


LOADED = ("lua-load-per-thread", "lua-load")


@pytest.mark.parametrize("nbthread", [1, 2])
@pytest.mark.parametrize("load", LOADED)
def test_one_lua_for_all_threads_is_taken_where_it_is_sound(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    token: str,
    load: str,
    nbthread: int,
) -> None:
    haproxy = launch(bare(configuration(), load=load, nbthread=nbthread), start=False)
    sound = load == LOADED[0] or nbthread == 1 or haproxy_version() >= (3, 0)

    if sound:
        haproxy.start()
        assert [ask(haproxy, token).status for _ in range(4)] == [200] * 4
        assert ask(haproxy, standin.token(sign_with="other")).status == FORGED
    else:
        with pytest.raises(NotStarted, match="write lua-load-per-thread"):
            haproxy.start()


def test_the_load_says_what_a_configuration_of_ones_own_lacks(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy], standin: Standin
) -> None:
    class Small(Bare):
        def text(self, folder: Any) -> str:
            return super().text(folder).replace("tune.maxrewrite 8192", "tune.maxrewrite 1024")

    small = bare(configuration())
    check = launch(Small(**vars(small)), start=False).check()
    assert check.status == 1
    assert "write tune.maxrewrite 8192 and tune.bufsize 32768 in the global section" in check.output

    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["may"]["locations"] = ["*"]
    check = launch(bare(configuration(), vertex=vertex), start=False).check()
    assert check.status == 1
    assert "name them one by one" in check.output

    assert launch(small, start=False).check().status == 0
