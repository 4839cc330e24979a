"""A row of the table of routes is all that a new method takes: one that is made up is metered,
limited and logged on a real HAProxy."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.expect.budget import body, target, with_roles
from support.log.line import AccessLine
from support.log.server import LogServer
from support.wire.calls import post
from support.wire.rawgoogle import RawGoogle, events
from support.world.faults import lua_path_with_panic
from support.world.haproxy import Haproxy
from support.world.standin import Standin

METHODS = ["dreamContent", "streamDreamContent"]
PART = {"content": {"parts": [{"text": "x"}]}}
USAGE = {"promptTokenCount": 2, "candidatesTokenCount": 5, "totalTokenCount": 7}
LAST = {"candidates": [PART | {"finishReason": "STOP"}], "usageMetadata": USAGE}
GOOD, CUT = "gemini-2.5-good", "gemini-2.5-fin"
CAP = 1000


def event(said: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(said).encode() + b"\r\n\r\n"


@pytest.fixture
def dreaming(
    gateway: Callable[..., Haproxy], standin: Standin
) -> Callable[..., Haproxy]:
    """`dreaming(google, made_up)`: a gateway whose module has the rows that are made up, or not."""

    def one(google: RawGoogle, made_up: bool = True, **environment: str) -> Haproxy:
        limits = {"per": "principal", "tokens_per_hour": 2 * CAP}
        vertex = with_roles(standin.service_account, {"ml": {"limits": limits}})
        [role] = vertex["roles"]
        role["may"]["methods"] = ["*"]
        if made_up:
            environment |= lua_path_with_panic()
        return gateway(nbthread=1, google_http=google.port, vertex=vertex, environment=environment)

    return one


@pytest.fixture
def google(raw: RawGoogle) -> RawGoogle:
    raw.answers["stream"] = lambda client: client.sendall(events(event(LAST), b"") + b"0\r\n\r\n")
    return raw


def dream(haproxy: Haproxy, token: str, model: str, method: str, cap: int = CAP) -> int:
    """The status; 0 where the answer broke off."""
    try:
        asked = target(model, method)
        return post(haproxy, token, asked, body(cap)).status
    except (OSError, ValueError):
        return 0


@pytest.mark.parametrize("method", METHODS)
def test_a_new_method_is_metered_limited_and_logged(
    dreaming: Callable[..., Haproxy],
    google: RawGoogle,
    standin: Standin,
    logs: LogServer,
    method: str,
) -> None:
    haproxy = dreaming(google)
    token = standin.token({"groups": ["ml"]})
    model = GOOD if method == "dreamContent" else "gemini-2.5-stream"
    prompt = -(-len(body(CAP)) // 4)
    # What it took, not what was reserved: else the second would not fit.
    for calls in (1, 2):
        assert dream(haproxy, token, model, method) == 200
        # It is settled with its line, a moment after its answer.
        logs.wait_for(calls)
    for line in logs.wait_for(2):
        assert (line["method"], line["decision"]) == (method, "allow")
        assert (line["tokens"], line["tokens_total"]) == ("exact", "7"), line.text
        assert (line["reserved"], line["charged"]) == (str(prompt + CAP), "7")
        assert line["streamed"] == ("1" if method.startswith("stream") else "0")
    logs.clear()
    # The body's own cap is what it may take, and what it costs where nothing says what it took.
    assert dream(haproxy, token, model, method, 3 * CAP) == 429
    assert dream(haproxy, token, CUT, method) in (0, 200)
    refused, cut = logs.in_order(2)
    assert refused["reason"] == "limit_tokens"
    assert cut["tokens"] in ("at_least", "unknown"), cut.text
    assert cut["charged"] == str(prompt + CAP), cut.text


def test_a_new_method_has_the_operation_of_its_row(
    dreaming: Callable[..., Haproxy], google: RawGoogle, standin: Standin, logs: LogServer
) -> None:
    haproxy = dreaming(google, VERTEX_LOG_STYLE="json")
    assert dream(haproxy, standin.token({"groups": ["ml"]}), GOOD, "dreamContent") == 200
    [line] = logs.wait_for(1, which=AccessLine.is_json)
    assert line.members["gen_ai.operation.name"] == "dream"
    assert line.members["vertex.tokens.charged"] == 7


def test_the_module_that_ships_does_not_know_it(
    dreaming: Callable[..., Haproxy], google: RawGoogle, standin: Standin, logs: LogServer
) -> None:
    haproxy = dreaming(google, made_up=False)
    token = standin.token({"groups": ["ml"]})
    assert dream(haproxy, token, GOOD, "dreamContent") == 404
    assert dream(haproxy, token, GOOD, "generateContent") == 200
    refused, passed = logs.in_order(2)
    assert (refused["reason"], passed["reason"]) == ("route_unknown", "ok")
    assert google.targets == [target(GOOD)]
