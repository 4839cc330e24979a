"""What an answer took is on its audit line: every dialect, whole and streamed, in any pieces, and
no answer goes by unmetered without a word."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from support.answers import canned, counted, events, generated
from support.auditline import AuditLine
from support.callers import every_dialect
from support.calls import BODY, COUNT, GENERATE, MODEL, PROJECT, STREAM, headers
from support.client import Connection, Response, once
from support.configuration import unread
from support.haproxy import Haproxy
from support.logserver import LogServer
from support.standin import Standin

ARRAY = STREAM.replace("?alt=sse", "")
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


@pytest.fixture
def everything(gateway: Callable[..., Haproxy], standin: Standin) -> Haproxy:
    return gateway(vertex=every_dialect(standin.service_account))


def post(haproxy: Haproxy, target: str, token: str, body: bytes = BODY, **more: str) -> Response:
    return once(haproxy.port, "POST", target, headers(token, **more), body)


def line_of(logs: LogServer) -> AuditLine:
    [line] = logs.wait_for(1)
    return line


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_each_dialect_is_counted(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, call: Call
) -> None:
    standin.google(interval_ms=5)

    answer = post(everything, call.target, token, json.dumps(call.body).encode())

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
    assert post(everything, COUNT, token).status == 200

    line = line_of(logs)
    assert (line["tokens"], line["tokens_in"], line["charged"]) == ("exact", "2", "0")


def test_the_answer_s_id_and_model_and_the_times_are_told(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    standin.google(delay_ms=120)

    answer = json.loads(post(everything, GENERATE, token).text)

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


@pytest.mark.parametrize("size", [1, 7, 100, len(SSE)])
@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_the_pieces_of_a_stream_do_not_matter(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, size: int, line_end: str
) -> None:
    text = SSE.replace("\r\n", line_end)
    standin.google(**events(*(text[at : at + size] for at in range(0, len(text), size))))

    assert post(everything, STREAM, token).text == text

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

    assert post(everything, GENERATE, token).text == text

    line = line_of(logs)
    assert (line["tokens"], line["tokens_total"], line["aborted"]) == ("exact", "11", "0")


def test_a_whole_answer_may_take_its_time(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    text = generated("slowly", promptTokenCount=5, candidatesTokenCount=6, totalTokenCount=11)
    standin.google(**canned(text[:40], text[40:]), interval_ms=11_000)

    answer = once(everything.port, "POST", GENERATE, headers(token), BODY, timeout=20)

    assert (answer.status, answer.text) == (200, text)
    line = line_of(logs)
    assert (line["tokens"], line["tokens_total"], line["aborted"]) == ("exact", "11", "0")


@pytest.mark.parametrize("target", [STREAM, ARRAY])
def test_an_error_amid_a_stream_leaves_a_lower_bound(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, target: str
) -> None:
    standin.google(chunks=3, mid_stream_error=True)

    post(everything, target, token)

    line = line_of(logs)
    assert (line["tokens"], line["error"]) == ("at_least", "INTERNAL")
    assert int(line["tokens_out"]) >= 1
    assert line["charged"] == line["reserved"]


def test_a_caller_who_hangs_up_leaves_a_lower_bound_and_pays_the_estimate(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    standin.google(chunks=5, gate=True)
    connection = Connection(everything.port)
    connection.send_request("POST", STREAM, headers(token), BODY)
    parts = connection.parts(connection.read_head())
    for _ in range(2):
        next(parts)
        standin.release()
    connection.close()

    line = line_of(logs)
    assert (line["tokens"], line["aborted"]) == ("at_least", "1")
    assert int(line["tokens_out"]) >= 2
    assert int(line["charged"]) == int(line["reserved"]) > 1000


@pytest.mark.parametrize("target", [STREAM, GENERATE])
def test_a_caller_who_hangs_up_before_the_answer_pays_the_estimate(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, target: str
) -> None:
    standin.google(delay_ms=1000)
    connection = Connection(everything.port)
    connection.send_request("POST", target, headers(token), BODY)
    standin_has_it = lambda: standin.counters()["google_connections"]  # noqa: E731
    from support.eventually import eventually

    eventually(standin_has_it, "Google has the request")
    connection.close()

    line = line_of(logs)
    assert (line["tokens"], line["upstream"]) == ("unknown", "-")
    assert int(line["charged"]) == int(line["reserved"]) > 1000


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_a_stream_that_google_cuts_leaves_a_lower_bound(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, chunks: int
) -> None:
    standin.google(chunks=4, interval_ms=20, hangup_after_chunks=chunks)

    with pytest.raises(ConnectionError):
        answer = post(everything, STREAM, token)
        assert answer.status == 502
        raise ConnectionError

    line = line_of(logs)
    # A reset overtakes what it comes right behind: HAProxy then has nothing to read.
    known = {0: ["unknown"], 1: ["at_least", "unknown"], 2: ["at_least"]}
    assert line["tokens"] in known[chunks]
    assert line["charged"] == line["reserved"]


def test_a_prompt_that_was_blocked_says_no_counts(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    blocked = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"trafficType": "ON_DEMAND"},
    }
    standin.google(**canned(json.dumps(blocked)))

    assert post(everything, GENERATE, token).status == 200

    line = line_of(logs)
    assert (line["tokens"], line["block"]) == ("none", "PROHIBITED_CONTENT")
    assert line["charged"] == str(-(-len(BODY) // 4)), "the prompt was read"


@pytest.mark.parametrize("shape", ["{}", '{"name": "operations/1", "status": "queued"}', "[]"])
def test_a_model_s_answer_of_an_unknown_shape_is_unknown_and_costs_the_estimate(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, shape: str
) -> None:
    standin.google(**canned(shape))

    assert post(everything, GENERATE, token).status == 200

    line = line_of(logs)
    assert line["tokens"] == "unknown"
    assert int(line["charged"]) == int(line["reserved"]) > 1000


def test_one_of_two_candidates_is_not_the_whole_answer(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    standin.google(**events(f"data: {generated('x', promptTokenCount=2, totalTokenCount=3)}\n\n"))
    asked = GEMINI | {"generationConfig": {"candidateCount": 2, "maxOutputTokens": 500}}

    post(everything, STREAM, token, json.dumps(asked).encode())

    line = line_of(logs)
    assert (line["tokens"], line["tokens_total"]) == ("at_least", "3")
    assert int(line["charged"]) == int(line["reserved"]) > 1000


@pytest.mark.parametrize("content_type", ["text/html", "application/x-protobuf", ""])
def test_an_answer_that_cannot_be_read_is_unknown_and_costs_the_estimate(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, content_type: str
) -> None:
    standin.google(**canned("<html>whatever", content_type=content_type))

    assert post(everything, GENERATE, token).status == 200

    line = line_of(logs)
    assert (line["tokens"], line["tokens_in"], line["aborted"]) == ("unknown", "-", "-")
    assert int(line["charged"]) == int(line["reserved"]) > 1000


@pytest.mark.parametrize("status", [400, 429, 500, 503])
@pytest.mark.parametrize("target", [GENERATE, STREAM, ARRAY])
def test_what_google_refuses_costs_nothing(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, status: int, target: str
) -> None:
    standin.google(status=status)

    assert post(everything, target, token).status == status

    line = line_of(logs)
    assert (line["tokens"], line["charged"], line["upstream"]) == ("none", "0", str(status))
    assert line["error"] not in ("-", ""), "Google's reason"


def test_what_never_reached_google_costs_nothing(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    standin.down("google")

    assert post(everything, GENERATE, token).status == 503

    line = line_of(logs)
    assert (line["tokens"], line["charged"], line["upstream"]) == ("none", "0", "-")


def test_a_backend_without_the_filter_does_not_start(
    gateway: Callable[..., Haproxy],
) -> None:
    from support.haproxy import NotStarted

    with pytest.raises(NotStarted, match="filter lua.vertex-meter"):
        gateway(meter="")
    gateway()


@pytest.mark.parametrize(
    "line",
    [
        'log-format "%ci"', "option httplog", "option httpslog", "option logasap",
        "option dontlog-normal", "no log", "http-request set-log-level silent",
    ],
)  # fmt: skip
def test_a_frontend_whose_requests_would_never_end_does_not_start(
    gateway: Callable[..., Haproxy], line: str
) -> None:
    from support.haproxy import NotStarted

    with pytest.raises(NotStarted, match="vertex_account"):
        gateway(frontend_lines=line)


def test_a_backend_that_sends_calls_twice_does_not_start(gateway: Callable[..., Haproxy]) -> None:
    from support.haproxy import NotStarted

    with pytest.raises(NotStarted, match="counted once"):
        gateway(upstream_lines="retry-on response-timeout")
    gateway(upstream_lines="retry-on conn-failure 503")


def test_labels_of_the_role_and_the_caller_go_to_google_and_the_caller_s_own_do_not(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str
) -> None:
    vertex = every_dialect(standin.service_account)
    own = base64.b64encode(b'{"team":"mine"}').decode()

    def labels() -> Any:
        [seen] = standin.requests(of="google")
        values = [v for name, v in seen["headers"] if name.lower() == "x-vertex-ai-labels"]
        return [json.loads(base64.b64decode(value)) for value in values]

    assert post(gateway(vertex=vertex), GENERATE, token, X_Vertex_AI_Labels=own).status == 200
    assert labels() == []

    standin.forget_requests()
    vertex["roles"][0] |= {"labels": {"team": "ml"}, "principal_label": "caller"}
    assert post(gateway(vertex=vertex), GENERATE, token, X_Vertex_AI_Labels=own).status == 200
    [sent] = labels()
    assert sent["team"] == "ml" and sent["caller"].startswith("corp_alice-")
