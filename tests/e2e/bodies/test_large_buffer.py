"""From HAProxy 3.4 on a body that has to be read, and does not fit a buffer, is held in a large one and
decided on before anything of it leaves."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.log.server import LogServer
from support.wire.bodies import BodyRecorder
from support.wire.calls import GENERATE, headers
from support.wire.http1 import once
from support.wire.http2 import H2
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.place import haproxy_version
from support.world.standin import Standin

pytestmark = pytest.mark.skipif(haproxy_version() < (3, 4), reason="no large buffers before 3.4")

SEARCH = {"tools": [{"googleSearch": {}}]}
CHAT = "/v1/projects/acme-ml/locations/us-central1/endpoints/openapi/chat/completions"


def prompt(length: int, **more: Any) -> bytes:
    text = "word after word, " * (length // 17)
    return json.dumps({"contents": [{"role": "user", "parts": [{"text": text}]}], **more}).encode()


@pytest.fixture
def recorder() -> Iterator[BodyRecorder]:
    server = BodyRecorder()
    yield server
    server.stop()


def two_identities(standin: Standin) -> dict[str, Any]:
    """A role without tools, then one with them that signs as another identity."""
    vertex = vertex_json(standin.service_account)
    vertex["credentials"].append({**vertex["credentials"][0], "name": "other"})
    [first] = vertex["roles"]
    second = json.loads(json.dumps(first)) | {"name": "searchers", "as": "other"}
    second["may"]["tools"] = ["googleSearch"]
    vertex["roles"].append(second)
    return vertex


@pytest.mark.parametrize("length", [30_000, 115_000, 900_000])
def test_the_role_that_the_whole_body_needs_decides_and_signs(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    recorder: BodyRecorder,
    logs: LogServer,
    length: int,
) -> None:
    haproxy = gateway(nbthread=1, google_http=recorder.port, vertex=two_identities(standin))
    token = standin.token({"groups": ["ml"]})
    plain, search = prompt(length), prompt(length, **SEARCH)
    with H2(haproxy.port) as h2:
        for body in (plain, search):
            assert once(haproxy.port, "POST", GENERATE, headers(token), body).status == 200
            assert h2.request("POST", GENERATE, headers(token), body).status == 200
    assert [request.body for request in recorder.requests] == [plain, plain, search, search]
    said = [(line["role"], line["credential"]) for line in logs.in_order(4)]
    assert said == 2 * [("ml-team", "ml-prod")] + 2 * [("searchers", "other")]


def test_nothing_of_a_body_that_is_refused_leaves(
    gateway: Callable[..., Haproxy], standin: Standin, recorder: BodyRecorder, logs: LogServer
) -> None:
    haproxy = gateway(nbthread=1, google_http=recorder.port)
    token = standin.token({"groups": ["ml"]})
    for length in (30_000, 900_000):
        answer = once(haproxy.port, "POST", GENERATE, headers(token), prompt(length, **SEARCH))
        assert answer.status == 403, answer.body
        assert once(haproxy.port, "POST", GENERATE, headers(token), prompt(length)).status == 200
    assert [request.is_whole for request in recorder.requests] == [True, True]
    reasons = [line["reason"] for line in logs.in_order(4)]
    assert reasons == ["body_not_allowed", "ok"] * 2


def test_a_model_behind_a_long_prompt_is_found(
    gateway: Callable[..., Haproxy], standin: Standin, recorder: BodyRecorder, logs: LogServer
) -> None:
    vertex = two_identities(standin)
    for role, model in zip(vertex["roles"], ("google/gemini-2.5-flash", "google/gemini-2.5-pro"), strict=True):
        role["may"] |= {"models": [model], "methods": ["chat.completions"]}
    haproxy = gateway(nbthread=1, google_http=recorder.port, vertex=vertex)
    token = standin.token({"groups": ["ml"]})
    for model in ("flash", "pro", "other"):
        messages = [{"role": "user", "content": "word after word, " * 20_000}]
        body = json.dumps({"messages": messages, "model": f"google/gemini-2.5-{model}"}).encode()
        answer = once(haproxy.port, "POST", CHAT, headers(token), body)
        assert answer.status == (403 if model == "other" else 200), answer.body
    flash, pro, other = logs.in_order(3)
    assert (flash["credential"], pro["credential"], other["reason"]) == ("ml-prod", "other", "role_none")


def test_a_body_beyond_the_large_buffer_is_read_as_it_passes(
    gateway: Callable[..., Haproxy], standin: Standin, recorder: BodyRecorder, logs: LogServer
) -> None:
    haproxy = gateway(nbthread=1, google_http=recorder.port)
    token = standin.token({"groups": ["ml"]})
    body = prompt(3_000_000)
    assert once(haproxy.port, "POST", GENERATE, headers(token), body).status == 200
    refused = once(haproxy.port, "POST", GENERATE, headers(token), prompt(3_000_000, **SEARCH))
    assert refused.status == 403
    assert [request.body for request in recorder.requests if request.is_whole] == [body]
    assert [line["reason"] for line in logs.in_order(2)] == ["ok", "body_not_allowed"]
