"""Paths without project and location, as other APIs have them: the role's default says which are meant,
and the body leaves as it came but for what Claude's own API and Google's differ in."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.log.server import LogServer
from support.wire.bodies import UNHELD, BodyRecorder
from support.wire.calls import headers
from support.wire.framings import FRAMINGS, send
from support.wire.http1 import once
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

PLACE = "projects/acme-ml/locations/us-central1"
GEMINI = "publishers/google/models/gemini-2.5-flash"
PROMPT = b'{"contents":[{"role":"user","parts":[{"text":"hi","thoughtSignature":"\\u0041+/="}]}]}'
CHAT = b'{"model":"google/gemini-2.5-flash","messages":[{"role":"user","content":"hi"}]}'
CLAUDE = (
    b'{"model":"claude-sonnet-4-5-20250929","max_tokens":9,"messages":[{"role":"user","content":'
    b'[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}'
)
VERSION = b'"anthropic_version":"vertex-2023-10-16"'
COUNT = b'{"model":"claude-sonnet-4-5-20250929","messages":[{"role":"user","content":"hi"}]}'


def claude_at_google(body: bytes) -> bytes:
    return body.replace(b'"model":"claude-sonnet-4-5-20250929"', VERSION)


# A path, what is sent, the path at Google, and what is there of the body.
PATHS = {
    "express mode": (
        f"/v1/{GEMINI}:generateContent", PROMPT, f"/v1/{PLACE}/{GEMINI}:generateContent", PROMPT,
    ),
    "express mode, streamed": (
        f"/v1beta1/{GEMINI}:streamGenerateContent?alt=sse", PROMPT,
        f"/v1beta1/{PLACE}/{GEMINI}:streamGenerateContent?alt=sse", PROMPT,
    ),
    "the Gemini API": (
        "/v1beta/models/gemini-2.5-flash:countTokens", PROMPT,
        f"/v1beta1/{PLACE}/{GEMINI}:countTokens", PROMPT,
    ),
    "OpenAI's chat": (
        "/v1/chat/completions", CHAT, f"/v1/{PLACE}/endpoints/openapi/chat/completions", CHAT,
    ),
    "Claude's messages": (
        "/v1/messages?beta=true", CLAUDE,
        f"/v1/{PLACE}/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict",
        claude_at_google(CLAUDE),
    ),
    "Claude's count of tokens": (
        "/v1/messages/count_tokens", COUNT,
        f"/v1/{PLACE}/publishers/anthropic/models/count-tokens:rawPredict",
        COUNT.replace(b"5-20250929", b"5@20250929"),
    ),
}  # fmt: skip


@pytest.fixture
def recorder() -> Iterator[BodyRecorder]:
    server = BodyRecorder()
    yield server
    server.stop()


def configuration(standin: Standin, **role: Any) -> dict[str, Any]:
    vertex = vertex_json(standin.service_account)
    [one] = vertex["roles"]
    one["may"]["models"] = ["google/gemini-2.5-flash", "google/gemini-2.5-*", "anthropic/claude-sonnet-4-5@20250929"]
    one["may"]["methods"] = ["*"]
    one |= {"default": {"project": "acme-ml", "location": "us-central1"}} | role
    return vertex


def long(body: bytes, bytes_more: int) -> bytes:
    """The body with a long text behind all that it has."""
    fill = b',"x":"' + b"word after word, " * (bytes_more // 17) + b'"}'
    return body.removesuffix(b"}") + fill


@pytest.mark.parametrize("bytes_more", [0, 100_000])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("what", PATHS)
def test_a_path_without_project_is_served_where_the_role_says(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    recorder: BodyRecorder,
    logs: LogServer,
    what: str,
    framing: str,
    bytes_more: int,
) -> None:
    path, body, target, at_google = PATHS[what]
    if bytes_more:
        body, at_google = long(body, bytes_more), long(at_google, bytes_more)
    haproxy = gateway(google_http=recorder.port, vertex=configuration(standin))
    answer = send(haproxy, standin.token({"groups": ["ml"]}), framing, body, path)
    assert answer.status == 200, answer.body
    [sent] = recorder.requests
    assert sent.head.split(b" ")[1].decode() == target
    assert (sent.is_whole, sent.body) == (True, at_google)
    [line] = logs.exactly(1)
    said = [line[name] for name in ("decision", "reason", "role", "project", "location")]
    assert said == ["allow", "ok", "ml-team", "acme-ml", "us-central1"]


# A path and a body that are refused, status, reason and words of the message; the twins are above.
REFUSED = {
    "a model that no role has": (
        "/v1/messages", CLAUDE.replace(b"sonnet", b"opus"), 403, "role_none", "no role",
    ),
    "another publisher's model": (
        "/v1/messages", CLAUDE.replace(b'"claude', b'"google/gemini'), 400, "model_mismatch", "",
    ),
    "a model that stands far behind": (
        "/v1/messages", b'{"x":"' + b"y" * UNHELD + b'",' + CLAUDE.removeprefix(b"{"),
        413, "body_too_large_to_check", "first member",
    ),
    "a version of the body's own": (
        "/v1/messages", CLAUDE.replace(b'"max_tokens"', VERSION + b',"max_tokens"'), 400, "body_not_json", "",
    ),
    "no model": ("/v1/messages", b'{"max_tokens":9}', 400, "model_missing", ""),
    "a server's tool": (
        "/v1/messages", CLAUDE.replace(b'"max_tokens"', b'"tools":[{"type":"web_search_20250305","name":"w"}],"max_tokens"'),
        403, "body_not_allowed", "web_search_20250305",
    ),
    "a server's tool behind a long prompt": (
        "/v1/messages", long(CLAUDE, 60_000).removesuffix(b"}") + b',"tools":[{"type":"web_search_20250305","name":"w"}]}',
        403, "body_not_allowed", "web_search_20250305",
    ),
    "a base URL without a version": (
        "/chat/completions", CHAT, 404, "route_unknown", "let the base URL of your client end in /v1",
    ),
    "a base URL with two versions": (
        "/v1/v1/messages", CLAUDE, 404, "route_unknown", "let the base URL of your client end without /v1",
    ),
    "a path of no API": ("/v1/chat", CHAT, 404, "route_unknown", "no project in the path"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_there_has_a_reason_in_the_apis_own_form(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    recorder: BodyRecorder,
    logs: LogServer,
    what: str,
) -> None:
    path, body, status, reason, words = REFUSED[what]
    haproxy = gateway(google_http=recorder.port, vertex=configuration(standin))
    answer = once(haproxy.port, "POST", path, headers(standin.token({"groups": ["ml"]})), body)
    assert answer.status == status, answer.body
    said = json.loads(answer.body)
    if "messages" in path:
        assert said["type"] == "error"
    elif "completions" in path:
        assert "param" in said["error"]
    assert words in said["error"]["message"]
    assert not any(request.is_whole for request in recorder.requests)
    [line] = logs.exactly(1)
    assert (line["decision"], line["reason"]) == ("deny", reason)


def test_without_a_default_the_path_must_name_a_project(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    vertex = configuration(standin)
    [one] = vertex["roles"]
    del one["default"]
    placed = one | {
        "name": "placed",
        "who": {"issuer": "corp", "groups": ["placed"]},
        "default": {"project": "acme-ml", "location": "us-central1"},
    }
    vertex["roles"].append(placed)
    haproxy = gateway(nbthread=1, vertex=vertex)
    path = f"/v1/{GEMINI}:generateContent"
    refused = once(haproxy.port, "POST", path, headers(standin.token({"groups": ["ml"]})), PROMPT)
    assert refused.status == 404
    error = json.loads(refused.body)["error"]
    assert error["message"].endswith(
        'no project in the path, and no role of yours has a "default": set project and location in '
        "your client, or call /v1/projects/<project>/locations/<location>/..."
    )
    passed = once(haproxy.port, "POST", path, headers(standin.token({"groups": ["placed"]})), PROMPT)
    assert passed.status == 200, passed.body
    # Who has both roles is served by the one that says where.
    both = once(haproxy.port, "POST", path, headers(standin.token({"groups": ["ml", "placed"]})), PROMPT)
    assert both.status == 200, both.body
    first, second, third = logs.in_order(3)
    assert (first["reason"], first["location"]) == ("route_unknown", "-")
    assert (second["role"], third["role"]) == ("placed", "placed")


def test_the_models_that_a_caller_may_use_are_listed_in_the_apis_form(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    haproxy = gateway(nbthread=1, vertex=configuration(standin))
    token = standin.token({"groups": ["ml"]})

    def listed(path: str, **more: str) -> Any:
        answer = once(haproxy.port, "GET", path, headers(token, **more))
        assert answer.status == 200, answer.body
        assert answer.header("content-type") == "application/json"
        return json.loads(answer.body)

    models = listed("/v1/models")
    assert [model["id"] for model in models["data"]] == ["google/gemini-2.5-flash"]
    claude = listed("/v1/models?limit=1000", anthropic_version="2023-06-01")
    assert [model["id"] for model in claude["data"]] == ["claude-sonnet-4-5-20250929"]
    assert listed("/v1beta/models")["models"] == [{"name": "models/gemini-2.5-flash"}]
    for pairs, status in ((headers(None), 401), (headers(standin.token({"groups": ["x"]})), 404)):
        assert once(haproxy.port, "GET", "/v1/models", pairs).status == status
    assert standin.requests(of="google") == []
    *allowed, without, nobody = logs.in_order(5)
    for line in allowed:
        said = [line[name] for name in ("decision", "reason", "principal", "charged")]
        assert said == ["allow", "ok", "corp:alice", "-"]
    assert (without["reason"], nobody["reason"]) == ("token_missing", "route_unknown")
