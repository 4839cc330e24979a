"""The way through: refused without a token, refused outside the role, allowed, streamed."""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from support.client import Connection, Response, once
from support.haproxy import Haproxy
from support.logserver import LogServer
from support.standin import Standin

PROJECT = "/v1/projects/acme-ml/locations/us-central1"
GENERATE = f"{PROJECT}/publishers/google/models/gemini-2.5-flash:generateContent"
STREAM = f"{PROJECT}/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
OTHER_MODEL = f"{PROJECT}/publishers/google/models/gemini-1.5-pro:generateContent"
BODY = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}).encode()


def headers(token: str | None) -> dict[str, str]:
    pairs = {"Content-Type": "application/json"}
    if token is not None:
        pairs["Authorization"] = f"Bearer {token}"
    return pairs


def post(haproxy: Haproxy, target: str, token: str | None) -> Response:
    return once(haproxy.port, "POST", target, headers(token), BODY)


def to_google(standin: Standin) -> list[dict[str, Any]]:
    return standin.requests(of="google")


@pytest.fixture
def token(standin: Standin) -> str:
    return standin.token({"groups": ["ml"], "email": "ada@corp.example"})


def test_without_a_token(gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer) -> None:
    assert post(gateway(), GENERATE, None).status == 401

    [line] = logs.wait_for(1)
    assert (line["decision"], line["reason"]) == ("deny", "token_missing")
    assert to_google(standin) == []


def test_for_another_audience(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    foreign = standin.token({"aud": "another-service", "groups": ["ml"]})

    assert post(gateway(), GENERATE, foreign).status == 401

    [line] = logs.wait_for(1)
    assert (line["decision"], line["reason"]) == ("deny", "audience_wrong")
    assert to_google(standin) == []


def test_a_model_outside_the_role(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str
) -> None:
    assert post(gateway(), OTHER_MODEL, token).status == 403

    [line] = logs.wait_for(1)
    assert (line["decision"], line["reason"]) == ("deny", "role_none")
    assert to_google(standin) == []


def test_allowed(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str
) -> None:
    assert post(gateway(), GENERATE, token).status == 200

    [seen] = to_google(standin)
    assert seen["bearer"]["valid"], seen["bearer"]
    assert token not in json.dumps(seen["headers"])
    assert seen["body_sha256"] == hashlib.sha256(BODY).hexdigest()
    [line] = logs.wait_for(1)
    assert (line["decision"], line["role"], line["credential"]) == ("allow", "ml-team", "ml-prod")
    assert token not in line.text


def test_allowed_over_tls_upstream(
    gateway: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    assert post(gateway(upstream_tls=True), GENERATE, token).status == 200
    assert len(to_google(standin)) == 1


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

    response = post(haproxy, GENERATE, token)

    assert response.status == 200
    assert "allow|us-central1|" in (response.header("x-held") or "")
    assert token not in str(response.headers) and "Bearer" not in str(response.headers)
