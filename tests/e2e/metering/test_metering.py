"""What an answer took is on its audit line: every dialect, whole and streamed, in any pieces, and
no answer goes by unmetered without a word."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from support.clients.callers import every_dialect
from support.expect.answers import ARRAY, canned, counted, events, generated, line_of
from support.log.server import LogServer
from support.wire.calls import BODY, COUNT, GENERATE, PROJECT, STREAM, headers, post
from support.wire.http1 import Connection
from support.world.configuration import unread
from support.world.haproxy import Haproxy
from support.world.standin import Standin

CHAT = f"{PROJECT}/endpoints/openapi/chat/completions"
EMBEDDINGS = f"{PROJECT}/endpoints/openapi/embeddings"
CLAUDE = f"{PROJECT}/publishers/anthropic/models/claude-x@1"
EMBED = f"{PROJECT}/publishers/google/models/gemini-embedding-001:embedContent"
PREDICT = f"{PROJECT}/publishers/google/models/text-embedding-005:predict"

MESSAGES = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 20}
CLAUDE_BODY = {"anthropic_version": "vertex-2023-10-16", **MESSAGES}
CHAT_BODY = {"model": "google/gemini-2.5-flash", **MESSAGES}


@dataclass(frozen=True)
class Call:
    target: str
    body: dict[str, Any]
    tokens: tuple[int | None, ...]  # in, out, thought, cached, total
    streamed: str = "0"
    finish: str = "-"
    aborted: str = "0"


GEMINI = json.loads(BODY)
CALLS = {
    "generateContent": Call(GENERATE, GEMINI, (2, 9, 7, None, 18), finish="STOP"),
    "events": Call(STREAM, GEMINI, (2, 9, 7, None, 18), "1", "STOP"),
    "an array": Call(ARRAY, GEMINI, (2, 9, 7, None, 18), "1", "STOP"),
    "enums as numbers": Call(
        f"{GENERATE}?%24alt=json%3Benum-encoding%3Dint", GEMINI, (2, 9, 7, None, 18), finish="STOP"
    ),
    "chat": Call(CHAT, CHAT_BODY, (2, 10, 7, None, 19), finish="stop"),
    "chat's events": Call(CHAT, CHAT_BODY | {"stream": True}, (2, 10, 7, None, 19), "1", "stop"),
    "Claude": Call(f"{CLAUDE}:rawPredict", CLAUDE_BODY, (2, 7, None, 0, 9), finish="end_turn"),
    "Claude's events": Call(
        f"{CLAUDE}:streamRawPredict", CLAUDE_BODY | {"stream": True}, (2, 7, None, 0, 9), "1",
        "end_turn",
    ),
    "Claude's events by the body": Call(
        f"{CLAUDE}:rawPredict", CLAUDE_BODY | {"stream": True}, (2, 7, None, 0, 9), "1", "end_turn"
    ),
    "embedContent": Call(
        EMBED, {"content": {"parts": [{"text": "hello"}]}}, (2, None, None, None, 2)
    ),
    "predict": Call(PREDICT, {"instances": [{"content": "hello"}]}, (2, None, None, None, 2)),
    "OpenAI's embeddings": Call(
        EMBEDDINGS, {"model": "google/text-embedding-005", "input": "hello"},
        (2, None, None, None, 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_each_dialect_is_counted(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, call: Call
) -> None:
    standin.google(interval_ms=5)

    answer = post(everything, token, call.target, json.dumps(call.body).encode())

    assert answer.status == 200, answer.text
    line = line_of(logs)
    assert line["tokens"] == "exact"
    assert tuple(counted(line).values()) == call.tokens
    assert (line["streamed"], line["finish"], line["aborted"]) == (
        call.streamed, call.finish, call.aborted,
    )  # fmt: skip
    assert line["charged"] == str(call.tokens[-1])
    assert (line["upstream"], line["prompt_bytes"]) == (
        "200", str(len(json.dumps(call.body))),
    )  # fmt: skip


def test_counting_tokens_costs_none(
    everything: Haproxy, logs: LogServer, token: str
) -> None:
    assert post(everything, token, COUNT).status == 200

    line = line_of(logs)
    assert (line["tokens"], line["tokens_in"], line["charged"]) == ("exact", "2", "0")


def test_the_answer_s_id_and_model_and_the_times_are_told(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    standin.google(delay_ms=120)

    answer = json.loads(post(everything, token, GENERATE).text)

    line = line_of(logs)
    assert line["response_id"] == answer["responseId"]
    assert line["model_version"] == answer["modelVersion"]
    assert 120 <= int(line["first_byte_ms"]) < 5000


def test_a_body_that_nobody_read_may_be_streamed_all_the_same(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str
) -> None:
    haproxy = gateway(vertex=unread(every_dialect(standin.service_account)))
    standin.google(chunks=3, gate=True)
    body = json.dumps(CLAUDE_BODY | {"stream": True}).encode()

    connection = Connection(haproxy.port)
    connection.send_request("POST", f"{CLAUDE}:rawPredict", headers(token), body)
    answer = connection.read_head()
    parts = connection.parts(answer)
    assert b"message_start" in next(parts).data, "nobody waits for the end of events"
    standin.release(all=True)
    assert b"message_stop" in b"".join(part.data for part in parts)
    connection.close()

    line = line_of(logs)
    assert (line["tokens"], line["tokens_in"], line["tokens_out"]) == ("exact", "2", "7")


SSE = (
    'data: {"candidates": [{"content": {"parts": [{"text": "one \\"usageMetadata\\": {}"}]}}],'
    '"usageMetadata": {"trafficType": "ON_DEMAND"},"responseId": "r1"}\r\n\r\n'
    'data: {"candidates": [{"content": {"parts": [{"text": "two"}]},"finishReason": "MAX_TOKENS"}],'
    '"usageMetadata": {"promptTokenCount": 12,"candidatesTokenCount": 34,"totalTokenCount": 51,'
    '"thoughtsTokenCount": 5,"cachedContentTokenCount": 3},"responseId": "r1"}\r\n\r\n'
)


GEMINI_OR_CHAT = [name for name, call in CALLS.items() if call.body in (GEMINI, CHAT_BODY)]


@pytest.mark.parametrize("name", [*GEMINI_OR_CHAT, "chat's events", "Claude"])
def test_the_traffic_of_an_answer_is_told_where_google_says_it(
    everything: Haproxy, logs: LogServer, token: str, name: str
) -> None:
    call = CALLS[name]

    post(everything, token, call.target, json.dumps(call.body).encode())

    expected = "-" if name == "Claude" else "ON_DEMAND"
    assert line_of(logs).written["traffic"] == expected


TRAFFIC = {
    "PROVISIONED_THROUGHPUT": "PROVISIONED_THROUGHPUT", "ON_DEMAND_FLEX": "ON_DEMAND_FLEX",
    "X" * 40: "X" * 40, "X" * 41: "-", "on_demand": "-", "A=B": "-", "": "-",
}  # fmt: skip


@pytest.mark.parametrize("said", TRAFFIC)
@pytest.mark.parametrize("way", ["whole", "streamed"])
def test_only_a_name_of_traffic_is_one(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, way: str, said: str
) -> None:
    whole = generated("ON_DEMAND", promptTokenCount=5, trafficType=said)
    standin.google(**(canned(whole) if way == "whole" else events(f"data: {whole}\r\n\r\n")))

    assert post(everything, token, GENERATE if way == "whole" else STREAM).status == 200

    assert line_of(logs).written["traffic"] == TRAFFIC[said]


@pytest.mark.parametrize("size", [1, 7, 100, len(SSE)])
@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_the_pieces_of_a_stream_do_not_matter(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, size: int, line_end: str
) -> None:
    text = SSE.replace("\r\n", line_end)
    standin.google(**events(*(text[at : at + size] for at in range(0, len(text), size))))

    assert post(everything, token, STREAM).text == text

    line = line_of(logs)
    assert (line["tokens"], line["finish"]) == ("exact", "MAX_TOKENS")
    assert tuple(counted(line).values()) == (12, 34, 5, 3, 51)


@pytest.mark.parametrize("size", [100, 30_000, 200_000, 2_000_000])
@pytest.mark.parametrize("pieces", [1, 3])
def test_the_size_of_a_whole_answer_does_not_matter(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, size: int, pieces: int
) -> None:
    text = generated("x" * size, promptTokenCount=5, candidatesTokenCount=6, totalTokenCount=11)
    step = len(text) // pieces + 1
    cut = [text[at : at + step] for at in range(0, len(text), step)]
    standin.google(**canned(*cut), interval_ms=50)

    assert post(everything, token, GENERATE).text == text

    line = line_of(logs)
    assert (line["tokens"], line["tokens_total"], line["aborted"]) == ("exact", "11", "0")


def test_a_whole_answer_may_take_its_time(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    text = generated("slowly", promptTokenCount=5, candidatesTokenCount=6, totalTokenCount=11)
    standin.google(**canned(text[:40], text[40:]), interval_ms=11_000)

    answer = post(everything, token)

    assert (answer.status, answer.text) == (200, text)
    line = line_of(logs)
    assert (line["tokens"], line["tokens_total"], line["aborted"]) == ("exact", "11", "0")
