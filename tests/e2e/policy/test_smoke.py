"""The way through: refused without a token, refused outside the role, allowed, streamed."""

import hashlib
import json
import time
from collections.abc import Callable

from support.log.server import LogServer
from support.wire.calls import BODY, OTHER_MODEL, STREAM, headers, post
from support.wire.http1 import Connection
from support.world.haproxy import Haproxy
from support.world.standin import Standin


def test_without_a_token(gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer) -> None:
    assert post(gateway(), None).status == 401

    [line] = logs.wait_for(1)
    assert (line["decision"], line["reason"]) == ("deny", "token_missing")
    assert standin.requests(of="google") == []


def test_for_another_audience(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    foreign = standin.token({"aud": "another-service", "groups": ["ml"]})

    assert post(gateway(), foreign).status == 401

    [line] = logs.wait_for(1)
    assert (line["decision"], line["reason"]) == ("deny", "audience_wrong")
    assert standin.requests(of="google") == []


def test_a_model_outside_the_role(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str
) -> None:
    assert post(gateway(), token, OTHER_MODEL).status == 403

    [line] = logs.wait_for(1)
    assert (line["decision"], line["reason"]) == ("deny", "role_none")
    assert standin.requests(of="google") == []


def test_allowed(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str
) -> None:
    assert post(gateway(), token).status == 200

    [seen] = standin.requests(of="google")
    assert seen["bearer"]["valid"], seen["bearer"]
    assert token not in json.dumps(seen["headers"])
    assert seen["body_sha256"] == hashlib.sha256(BODY).hexdigest()
    [line] = logs.wait_for(1)
    assert (line["decision"], line["role"], line["credential"]) == ("allow", "ml-team", "ml-prod")
    assert token not in line.text


def test_allowed_over_tls_upstream(
    gateway: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    assert post(gateway(upstream_tls=True), token).status == 200
    assert len(standin.requests(of="google")) == 1


def test_streamed(gateway: Callable[..., Haproxy], standin: Standin, token: str) -> None:
    standin.google(chunks=2, gate=True)
    with Connection(gateway().port) as connection:
        connection.send_request("POST", STREAM, headers(token), BODY)
        response = connection.read_head()
        assert response.status == 200
        parts = connection.parts(response)

        first = next(parts)
        released = time.monotonic()
        standin.release()
        second = next(parts)

        assert first.at < released <= second.at
        standin.release(all=True)
        for _ in parts:
            pass
    assert b"data:" in response.body


def test_the_callers_token_is_in_no_variable_once_the_decision_is_made(
    gateway: Callable[..., Haproxy], token: str
) -> None:
    names = ("line", "headers", "verdict", "location", "gate", "status", "google")
    held = "|".join(f"%[var(txn.vertex.{name})]" for name in names)
    haproxy = gateway(frontend_lines=f'http-response set-header x-held "{held}"')

    response = post(haproxy, token)

    assert response.status == 200
    assert "allow|us-central1|" in (response.header("x-held") or "")
    assert token not in str(response.headers) and "Bearer" not in str(response.headers)
