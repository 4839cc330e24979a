"""What a call costs that says no counts, is given up, or costs nothing: on a real HAProxy, where the
log line tells what came."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from support.expect.budget import body, hold, target, with_roles
from support.expect.eventually import eventually
from support.log.line import AccessLine
from support.log.server import LogServer
from support.wire.calls import BODY, COUNT, headers, post
from support.wire.http1 import Connection
from support.world.haproxy import Haproxy
from support.world.standin import Standin

MEGABYTE = 1 << 20
STREAM = "text/event-stream"


def event(said: dict[str, Any], name: str = "") -> str:
    return f"event: {name}\ndata: {json.dumps(said)}\n\n" if name else f"data: {json.dumps(said)}\n\n"


def gemini(usage: dict[str, int]) -> list[str]:
    part = {"content": {"parts": [{"text": "x"}]}}
    last = {"candidates": [part | {"finishReason": "STOP"}], "usageMetadata": usage}
    return [event({"candidates": [part]}), event(last)]


def claude(usage: dict[str, int]) -> list[str]:
    said = {"usage": usage} if usage else {}
    delta = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}} | said
    return [
        event({"type": "message_start", "message": {"id": "m"} | said}, "message_start"),
        event(delta, "content_block_delta"),
        event(end, "message_delta"),
        event({"type": "message_stop"}, "message_stop"),
    ]


def chat(usage: dict[str, int]) -> list[str]:
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]} | ({"usage": usage} if usage else {})
    return [event({"choices": [{"delta": {"content": "x"}}]}), event(end), "data: [DONE]\n\n"]


# Pieces of a stream, and the counts that it says where it says some: 7 tokens in all.
DIALECTS: dict[str, tuple[Callable[[dict[str, int]], list[str]], dict[str, int]]] = {
    "gemini": (gemini, {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}),
    "claude": (claude, {"input_tokens": 5, "output_tokens": 2}),
    "chat": (chat, {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}),
}


def with_limits(standin: Standin, limits: Any, **members: Any) -> dict[str, Any]:
    return with_roles(standin.service_account, {"ml": {"limits": limits} | members})


def streamed(haproxy: Haproxy, token: str, count: int) -> list[int]:
    """One after the other on one connection: each begins when the line of the one before is written."""
    asked = target(method="streamGenerateContent")
    with Connection(haproxy.port, timeout=20) as connection:
        return [
            connection.request("POST", asked, headers(token), body()).status for _ in range(count)
        ]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_that_ends_well_without_counts_costs_what_it_reserved(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, dialect: str
) -> None:
    events, counts = DIALECTS[dialect]
    reserved = -(-len(body()) // 4) + 1000
    limits = {"per": "principal", "tokens_per_hour": 2 * reserved + 500}
    haproxy = gateway(nbthread=1, vertex=with_limits(standin, limits, reserve_tokens=1000))

    standin.google(interval_ms=0, canned={"content_type": STREAM, "pieces": events({})})
    token = standin.token({"groups": ["ml"], "sub": "silent"})
    assert streamed(haproxy, token, 3) == [200, 200, 429], "two calls have used it up"
    for line in logs.in_order(3)[:2]:
        assert (line["tokens"], line["charged"], line["aborted"]) == ("at_least", str(reserved), "0")
    logs.clear()

    # The twin says what it took.
    standin.google(interval_ms=0, canned={"content_type": STREAM, "pieces": events(counts)})
    token = standin.token({"groups": ["ml"], "sub": "honest"})
    assert streamed(haproxy, token, 30) == [200] * 30
    for line in logs.wait_for(30):
        assert (line["tokens"], line["charged"]) == ("exact", "7"), line.text


def test_a_stream_that_is_left_costs_its_cap(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    limits = {"per": "principal", "tokens_per_hour": 50_000}
    haproxy = gateway(vertex=with_limits(standin, limits))
    standin.google(chunks=3, gate=True)
    token = standin.token({"groups": ["ml"]})
    asked = target(method="streamGenerateContent")
    for _ in range(2):
        connection = Connection(haproxy.port, timeout=20)
        connection.send_request("POST", asked, headers(token), body(24_000))
        head = connection.read_head()
        assert head.status == 200
        next(connection.parts(head))
        connection.close()
    for line in logs.wait_for(2):
        assert (line["tokens"], line["aborted"]) == ("at_least", "1")
        assert int(line["charged"]) == 24_000 + -(-len(body(24_000)) // 4), line.text
    assert post(haproxy, token, asked, body(24_000)).status == 429


def upload(connection: Connection, token: str, size: int) -> None:
    pairs = headers(token) | {"Transfer-Encoding": "chunked"}
    connection.send_request("POST", target(), pairs)
    piece = b"x" * 65_536
    for _ in range(size // len(piece)):
        connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    connection.send(b"0\r\n\r\n")


def costs_its_bytes(line: AccessLine, size: int) -> None:
    assert line["prompt_bytes"] == "-", line.text
    assert line["reserved"] == str(8192 + 1024), line.text
    charged = int(line["charged"])
    # The head is some bytes more; how chunks are framed HAProxy counts on some versions.
    assert size // 4 + 1024 <= charged <= size // 4 + 1024 + 2000, line.text


def test_a_chunked_body_costs_the_bytes_that_went_up(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    size = 4 * MEGABYTE
    limits = {"per": "principal", "tokens_per_hour": 1_050_000}
    haproxy = gateway(vertex=with_limits(standin, limits, body="unread"))
    token = standin.token({"groups": ["ml"]})
    # An answer that nobody can read, late; and none at all before the caller leaves.
    standin.google(
        canned={"content_type": "text/html", "pieces": ["<p>hello"]}, delay_ms=300
    )
    with Connection(haproxy.port, timeout=20) as connection:
        upload(connection, token, size)
        assert connection.read().status == 200
    [line] = logs.wait_for(1)
    assert line["tokens"] == "unknown"
    costs_its_bytes(line, size)
    assert post(haproxy, token).status == 429, "more than what is left"


def test_one_who_leaves_after_a_chunked_body_pays_it_too(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    limits = {"per": "principal", "tokens_per_hour": 30 * MEGABYTE}
    haproxy = gateway(vertex=with_limits(standin, limits, body="unread"))
    standin.google(delay_ms=60_000)
    came = standin.counters()["google_requests"]
    connection = Connection(haproxy.port, timeout=20)
    upload(connection, standin.token({"groups": ["ml"]}), 4 * MEGABYTE)
    eventually(lambda: standin.counters()["google_requests"] > came, "it is at Google's")
    connection.close()
    [line] = logs.wait_for(1)
    assert line["upstream"] == "-", line.text
    costs_its_bytes(line, 4 * MEGABYTE)


def test_counting_takes_no_place_and_no_tokens(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    limits = {"per": "principal", "parallel_requests": 1, "tokens_per_hour": 1100}
    haproxy = gateway(vertex=with_limits(standin, limits))
    standin.google(chunks=2, gate=True)
    token = standin.token({"groups": ["ml"]})
    connection, head = hold(haproxy, token)
    assert (head.status, post(haproxy, token).status) == (200, 429)

    # As many at once as Claude Code sends.
    counted = {"content_type": "application/json", "pieces": ['{"totalTokens": 3}']}
    standin.google(canned=counted, gate=True)
    with ExitStack() as stack:
        counting = [stack.enter_context(Connection(haproxy.port)) for _ in range(20)]
        for one in counting:
            one.send_request("POST", COUNT, headers(token), BODY)
        assert [one.read().status for one in counting] == [200] * 20
    assert post(haproxy, token).status == 429, "the place is taken still"
    standin.release(all=True)
    for _ in connection.parts(head):
        pass
    connection.close()
    lines = [line for line in logs.wait_for(23) if line["method"] == "countTokens"]
    assert [(line["reserved"], line["charged"]) for line in lines] == [("0", "0")] * 20
