"""Which of a caller's headers reach Google: those of the list, over HTTP/1.1 and HTTP/2 alike."""

import json
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.wire.calls import BODY, COUNT, GENERATE, PROJECT, STREAM, outcome
from support.wire.http1 import once
from support.world.configuration import google_host, vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

JSON = ("Content-Type", "application/json")

# What a caller may say to Google.
PASS = {
    "accept": "application/json",
    "anthropic-beta": "beta-1",
    "anthropic-version": "vertex-2023-10-16",
    "content-type": "application/json",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "congo=t61rcWkgMzE",
    "user-agent": "caller/1.0",
    "x-goog-api-client": "gl-python/3.12",
    "x-server-timeout": "60",
}

# What it may not: other people's credentials, names and projects, and what proxies believe.
STOPPED = {
    "accept-encoding": "gzip, br",
    "accept-language": "de",
    "cookie": "session=1",
    "forwarded": "for=192.0.2.1",
    "origin": "https://evil.example",
    "proxy-authorization": "Basic eDp5",
    "range": "bytes=0-1",
    "referer": "https://evil.example/",
    "via": "1.1 evil",
    "x-amzn-oidc-data": "x",
    "x-forwarded-access-token": "x",
    "x-forwarded-for": "192.0.2.1",
    "x-forwarded-host": "evil.example",
    "x-goog-authenticated-user-email": "admin@corp.example",
    "x-goog-iam-authorization-token": "x",
    "x-goog-request-params": "project=other",
    "x-goog-user-project": "other",
    "x-http-anything": "DELETE",
    "x-original-url": "/other",
    "x-real-ip": "192.0.2.1",
    "x-vertex-fetched": "yes",
    "hosts": "evil.example",
    "x-host": "evil.example",
    "authorization-x": "Bearer x",
}

Ask = Callable[[str, dict[str, str]], tuple[int, str]]


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def ask(
    request: pytest.FixtureRequest, gateway: Callable[..., Haproxy], certificate: Path
) -> Ask:
    """`ask(target, headers)` gives the status and the reason of a refusal."""
    haproxy = gateway(tls_certificate=certificate)

    def over_h1(target: str, headers: dict[str, str]) -> tuple[int, str]:
        return outcome(once(haproxy.port, "POST", target, headers, BODY))

    def over_h2(target: str, headers: dict[str, str]) -> tuple[int, str]:
        trust = ssl.create_default_context(cafile=certificate)
        with httpx.Client(http2=True, verify=trust, trust_env=False) as client:
            client.headers.clear()
            url = f"https://localhost:{haproxy.tls_port}{target}"
            answer = client.post(url, headers=headers, content=BODY)
        assert answer.http_version == "HTTP/2"
        refusal = answer.status_code != 200 and answer.json()["error"]["details"][0]["reason"]
        return answer.status_code, refusal or "-"

    return over_h1 if request.param == "HTTP/1.1" else over_h2


@pytest.fixture
def token(standin: Standin) -> str:
    return standin.token()


def the_one(standin: Standin) -> dict[str, Any]:
    [seen] = standin.requests(of="google")
    return seen


def test_headers_of_the_list_reach_google_and_no_others(
    ask: Ask, standin: Standin, token: str
) -> None:
    assert ask(GENERATE, {**PASS, **STOPPED, "authorization": f"Bearer {token}"})[0] == 200

    seen = the_one(standin)
    pairs = [(name, value) for name, value in seen["headers"] if name != "authorization"]
    expected = {
        **PASS,
        "host": google_host("us-central1"),
        "accept-encoding": "identity",
        "content-length": str(len(BODY)),
    }
    agent = dict(pairs)["user-agent"]
    assert re.fullmatch(rf"haproxy-vertex/[0-9a-f-]{{36}} {re.escape(PASS['user-agent'])}", agent)
    assert sorted(pairs) == sorted((expected | {"user-agent": agent}).items())
    assert seen["bearer"]["valid"], seen["bearer"]


@pytest.mark.parametrize("name", ["authorization", "x-goog-api-key", "x-api-key"])
def test_a_callers_token_stays_here_whichever_header_it_comes_in(
    ask: Ask, standin: Standin, token: str, name: str
) -> None:
    value = f"Bearer {token}" if name == "authorization" else token

    assert ask(GENERATE, {**PASS, name: value})[0] == 200

    seen = the_one(standin)
    names = [name for name, _ in seen["headers"]]
    assert names.count("authorization") == 1
    assert not {"x-goog-api-key", "x-api-key"} & set(names)
    assert token not in json.dumps(seen)
    assert token.rpartition(".")[2] not in json.dumps(seen)
    assert seen["bearer"]["valid"]


@pytest.mark.parametrize("target", [GENERATE, STREAM, f"{GENERATE}?alt=json"])
def test_path_query_and_host_are_the_canonical_ones(
    ask: Ask, standin: Standin, token: str, target: str
) -> None:
    sent = {"authorization": f"Bearer {token}", "host": "evil.example"}

    assert ask(target, {**PASS, **sent})[0] == 200

    seen = the_one(standin)
    assert seen["target"] == target
    assert [v for k, v in seen["headers"] if k == "host"] == [google_host("us-central1")]


@pytest.mark.parametrize(
    "name", ["x-http-method", "x-http-method-override", "x-method-override", "content-encoding"]
)
def test_a_header_that_changes_the_meaning_is_a_refusal(
    ask: Ask, standin: Standin, token: str, name: str
) -> None:
    sent = {**PASS, "authorization": f"Bearer {token}"}

    assert ask(GENERATE, {**sent, name: "identity"}) == (400, "header_not_allowed")
    assert standin.requests(of="google") == []

    assert ask(GENERATE, sent)[0] == 200
    assert len(standin.requests(of="google")) == 1


@pytest.mark.parametrize("named", ["x-secret", "authorization", "host", "content-type, x-secret"])
def test_a_connection_header_takes_nothing_away_and_adds_nothing(
    gateway: Callable[..., Haproxy], standin: Standin, token: str, named: str
) -> None:
    sent = [
        ("Authorization", f"Bearer {token}"),
        JSON,
        ("Connection", f"keep-alive, {named}"),
        ("X-Secret", "1"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Proxy-Connection", "keep-alive"),
    ]

    assert once(gateway().port, "POST", GENERATE, sent, BODY).status == 200

    seen = the_one(standin)
    names = {name for name, _ in seen["headers"]}
    known = {
        "host", "authorization", "content-type", "content-length", "accept-encoding", "user-agent",
    }  # fmt: skip
    assert names == known
    assert seen["bearer"]["valid"]


CLAUDE = f"{PROJECT}/publishers/anthropic/models"
BETAS = "claude-code-20250219,context-1m-2025-08-07, fine-grained-tool-streaming-2025-05-14"


def test_betas_reach_claude_s_chat_as_they_are_and_not_its_count_of_tokens(
    gateway: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["may"].update(
        models=["anthropic/*", "google/*"],
        methods=["rawPredict", "streamRawPredict", "countTokens"],
    )
    haproxy = gateway(vertex=vertex)
    body = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hello"}]}
    sent = {**PASS, "anthropic-beta": BETAS, "authorization": f"Bearer {token}"}

    def betas(target: str, sent: dict[str, str], body: dict[str, Any]) -> list[str]:
        standin.forget_requests()
        answer = once(haproxy.port, "POST", target, sent, json.dumps(body).encode())
        assert answer.status == 200, answer.body
        headers = the_one(standin)["headers"]
        assert ("anthropic-version", PASS["anthropic-version"]) in map(tuple, headers)
        return [value for name, value in headers if name == "anthropic-beta"]

    chat = {"anthropic_version": "vertex-2023-10-16", "messages": body["messages"], "max_tokens": 9}
    for method in ("rawPredict", "streamRawPredict"):
        chat["stream"] = method == "streamRawPredict"
        assert betas(f"{CLAUDE}/claude-sonnet-4-5:{method}", sent, chat) == [BETAS]
    assert betas(f"{CLAUDE}/count-tokens:rawPredict", sent, body) == []
    without = {name: value for name, value in sent.items() if name != "anthropic-beta"}
    assert betas(f"{CLAUDE}/count-tokens:rawPredict", without, body) == []
    # The column is Claude's count's alone.
    assert betas(COUNT, sent, json.loads(BODY)) == [BETAS]
