"""The shape of each refusal on the wire, beside the request that passes."""

import itertools
import json
from collections.abc import Callable

import pytest

from support.expect.eventually import eventually
from support.expect.refusal import STATUS, assert_refused, message, reasons_of_the_product
from support.expect.twins import CASES, Call, bearer, good, with_headers
from support.log.server import LogServer
from support.wire.calls import BODY, GENERATE, headers
from support.wire.http1 import Connection, Response, once
from support.wire.http2 import H2
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

# Refused for what the gateway or its peers cannot do: tests of their own, here or elsewhere.
OF_THE_GATEWAY = {
    "token_duplicate", "keys_unavailable", "google_credential_refused", "google_denied",
    "undecided",  # test_audit
    "model_missing",  # of paths that are not spoken in Google's dialect: the tests of clients
    "limit_requests", "limit_tokens", "limit_parallel",  # test_limits
    "google_exchange_refused",  # test_exchange
    "busy", "credential_unavailable", "internal",  # the tests of faults and of the slow path
    # test_own_answers
    "request_incomplete", "unrouted", "upstream_unavailable", "upstream_closed", "upstream_timeout",
    "answered_by_rule", "body_timeout",
    "body_too_large_to_check",  # test_long_bodies
}  # fmt: skip


def test_every_reason_has_its_case() -> None:
    assert reasons_of_the_product() == STATUS.keys()
    assert {case.reason for case in CASES.values()} == STATUS.keys() - OF_THE_GATEWAY


def send(haproxy: Haproxy, call: Call) -> Response:
    return once(haproxy.port, call.method, call.target, call.pairs, call.body)


@pytest.mark.parametrize("what", CASES)
def test_a_refusal_has_its_shape_and_its_twin_passes(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, what: str
) -> None:
    case = CASES[what]
    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["may"]["locations"] = ["*"]
    haproxy = gateway(nbthread=1, vertex=vertex)
    refused, twin = case.refused(standin), case.twin(standin)

    with H2(haproxy.port) as h2:
        for answer in (
            send(haproxy, refused),
            h2.request(refused.method, refused.target, refused.pairs, refused.body),
        ):
            assert_refused(answer, case.reason, what)
        assert send(haproxy, twin).status == 200
        assert h2.request(twin.method, twin.target, twin.pairs, twin.body).status == 200

    assert len(standin.requests(of="google")) == 2
    reasons = [line["reason"] for line in logs.in_order(4)]
    assert reasons == [case.reason] * 2 + ["ok"] * 2


def test_keys_that_cannot_be_had_are_503_and_then_they_are_there(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    standin.idp("refuse")
    haproxy = gateway()
    call = bearer(good(standin))

    assert_refused(send(haproxy, call), "keys_unavailable")

    standin.idp()
    eventually(lambda: send(haproxy, call).status == 200, "keys are fetched again", within=20)


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "google_credential_refused"), (403, "google_denied")]
)
def test_google_s_refusal_of_the_gateway_is_not_the_caller_s(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, status: int, reason: str
) -> None:
    haproxy = gateway(nbthread=1)
    call = bearer(good(standin))
    standin.google(status=status)
    with Connection(haproxy.port) as connection:
        answer = connection.request(call.method, call.target, call.pairs, BODY)
        assert_refused(answer, reason)
        standin.google()
        assert connection.request(call.method, call.target, call.pairs, BODY).status == 200

    refused, passed = logs.in_order(2)
    assert (refused["decision"], refused["reason"]) == ("deny", reason)
    assert refused["google"] == reason
    assert (passed["decision"], passed["google"]) == ("allow", "-")


@pytest.mark.parametrize("token", ["ya29.caller", "AIzaCaller"])
def test_who_brings_google_s_token_is_told_which_one_is_wanted(
    gateway: Callable[..., Haproxy], token: str
) -> None:
    haproxy = gateway()
    for name, value in (("Authorization", f"Bearer {token}"), ("x-goog-api-key", token)):
        answer = send(haproxy, with_headers((name, value)))
        assert_refused(answer, "google_token_not_accepted")
        assert "issuer https://idp.example/corp, audience vertex-gateway" in message(answer)
        assert token not in message(answer)


NAMES = ("Authorization", "x-goog-api-key", "x-api-key")


@pytest.mark.parametrize(
    ("one", "other"), [*itertools.combinations_with_replacement(NAMES, 2)]
)
def test_two_credentials_are_refused_unless_they_are_the_same(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, one: str, other: str
) -> None:
    haproxy = gateway(nbthread=1)
    token, another = good(standin), good(standin, {"sub": "mallory"})

    def pair(name: str, token: str) -> tuple[str, str]:
        return name, f"Bearer {token}" if name == "Authorization" else token

    for first, second in ((one, other), (other, one)):
        call = with_headers(pair(first, token), pair(second, another))
        with H2(haproxy.port) as h2:
            over_h2 = h2.request(call.method, call.target, call.pairs, BODY)
        for answer in (send(haproxy, call), over_h2):
            assert_refused(answer, "token_duplicate")
            told = message(answer).lower()
            assert {name for name in NAMES if name.lower() in told} == {one, other}
            assert token not in told and another not in told
    assert standin.requests(of="google") == []
    refused = logs.in_order(4)
    assert {line["reason"] for line in refused} == {"token_duplicate"}
    assert {one.lower() in line["detail"] and other.lower() in line["detail"] for line in refused} == {True}

    for second in (pair(other, token), (other, "")):
        call = with_headers(pair(one, token), second)
        assert send(haproxy, call).status == 200
        with H2(haproxy.port) as h2:
            assert h2.request(call.method, call.target, call.pairs, BODY).status == 200


@pytest.mark.parametrize("size", [len(BODY), 10_000, 20_000])
def test_a_connection_goes_on_after_a_refusal_of_a_request_with_a_body(
    gateway: Callable[..., Haproxy], standin: Standin, size: int
) -> None:
    body = json.dumps({"contents": [], "x": "x" * (size - 24)}).encode()
    token = good(standin)
    with Connection(gateway().port) as connection:
        for pairs, status in ((headers(None), 401), (headers("x"), 401), (headers(token), 200)) * 2:
            answer = connection.request("POST", GENERATE, pairs, body)
            assert answer.status == status
            assert answer.header("connection") is None


def test_a_refusal_before_the_body_has_come_is_read_whole(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    # Up to 2.8 or so HAProxy then ends the connection, and says so; later it reads on.
    haproxy = gateway()
    for pairs, reason in ((headers(None), "token_missing"), (headers("x"), "token_malformed")):
        with Connection(haproxy.port) as connection:
            length = {"Content-Length": "1000000"}
            connection.send_request("POST", GENERATE, pairs | length, b"x" * 1000)
            answer = connection.read()
            assert_refused(answer, reason)
            if answer.header("connection") != "close":
                connection.send(b"x" * 999_000)
                pairs = headers(good(standin))
                assert connection.request("POST", GENERATE, pairs, BODY).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])
def test_only_post_is_let_through(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, method: str
) -> None:
    haproxy = gateway(nbthread=1)
    token = good(standin)
    body = BODY if method in ("PUT", "PATCH") else None
    with Connection(haproxy.port) as connection:
        answer = connection.request(method, GENERATE, headers(token), body)
        if method == "HEAD":
            assert (answer.status, answer.body) == (404, b"")
        else:
            assert_refused(answer, "route_unknown")
        assert connection.request("POST", GENERATE, headers(token), BODY).status == 200

    assert [line["reason"] for line in logs.in_order(2)] == ["route_unknown", "ok"]
    assert len(standin.requests(of="google")) == 1


def exchange(haproxy: Haproxy, head: str, body: bytes = BODY) -> Response:
    with Connection(haproxy.port) as connection:
        text = head.strip().replace("\n", "\r\n") + "\r\nContent-Type: application/json"
        text += f"\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.send(text.encode() + body)
        return connection.read()


def test_a_client_of_http_1_0_is_served_and_refused_alike(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = gateway()
    line = f"POST {GENERATE} HTTP/1.0"

    assert exchange(haproxy, f"{line}\nAuthorization: Bearer {good(standin)}").status == 200
    assert_refused(exchange(haproxy, f"{line}\nAccept: */*"), "token_missing")
    assert_refused(exchange(haproxy, f"{line}\nAuthorization: Bearer x"), "token_malformed")


@pytest.mark.parametrize("authority", ["gateway.example", "us-central1-aiplatform.googleapis.com"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_url_in_absolute_form_is_refused(
    gateway: Callable[..., Haproxy], standin: Standin, authority: str, scheme: str
) -> None:
    haproxy = gateway()
    rest = f"HTTP/1.1\nHost: {authority}\nAuthorization: Bearer {good(standin)}"

    absolute = exchange(haproxy, f"POST {scheme}://{authority}{GENERATE} {rest}")
    assert_refused(absolute, "url_not_canonical")
    assert exchange(haproxy, f"POST {GENERATE} {rest}").status == 200


UPGRADES = {
    "websocket": "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"
    "Sec-WebSocket-Key: jKYksYuBrfspkk0n7UzB9A==",
    "h2c": "Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__",
    "another protocol": "Connection: Upgrade\nUpgrade: TLS/1.2",
}


@pytest.mark.parametrize("what", UPGRADES)
def test_an_upgrade_is_refused(
    gateway: Callable[..., Haproxy], standin: Standin, what: str
) -> None:
    haproxy = gateway()
    head = f"POST {GENERATE} HTTP/1.1\nHost: a\nAuthorization: Bearer {good(standin)}"

    refused = exchange(haproxy, f"{head}\n{UPGRADES[what]}", b"")
    assert_refused(refused, "header_not_allowed")
    assert standin.requests(of="google") == []
    assert exchange(haproxy, head, b"").status == 200


@pytest.mark.parametrize("what", [*UPGRADES, "h2c without settings"])
def test_an_upgrade_that_haproxy_drops_by_itself_is_no_upgrade(
    gateway: Callable[..., Haproxy], standin: Standin, what: str
) -> None:
    """2.6 forgets Upgrade beside a body, every version forgets h2c."""
    lines = UPGRADES.get(what, "Connection: Upgrade\nUpgrade: h2c")
    head = f"POST {GENERATE} HTTP/1.1\nHost: a\nAuthorization: Bearer {good(standin)}"

    answer = exchange(gateway(), f"{head}\n{lines}")

    assert answer.status in (200, 400)
    seen = standin.requests(of="google")
    assert len(seen) == (answer.status == 200)
    for request in seen:
        names = {name.lower() for name, _ in request["headers"]}
        assert not names & {"upgrade", "http2-settings", "connection", "sec-websocket-key"}
