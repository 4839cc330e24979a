"""A body that is longer than HAProxy's buffer is judged as it passes: it arrives as it was sent, or
its last brace does not."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.clients.callers import every_dialect
from support.expect.recorded import nothing_whole
from support.expect.refusal import STATUS
from support.log.server import LogServer
from support.wire.calls import GENERATE, PROJECT, headers
from support.wire.framings import FRAMINGS, chunked, send
from support.wire.http1 import Closed, Connection, once
from support.wire.http2 import H2
from support.wire.listener import Listener
from support.wire.bodies import UNHELD, BodyRecorder
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.place import free_port, haproxy_version
from support.world.standin import Standin


def prompt(length: int, **more: Any) -> bytes:
    """A body of about that many bytes, the members of `more` behind the prompt."""
    words = "word after word, and a line feed\n" * (length // 33)
    body = {"contents": [{"role": "user", "parts": [{"text": words}]}], **more}
    return json.dumps(body).encode()


TOOL = {"tools": [{"googleSearch": {}}]}


@pytest.mark.parametrize("length", [30_000, 115_000, 800_000, 5_000_000])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_long_body_arrives_as_it_was_sent(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, length: int, framing: str
) -> None:
    haproxy = gateway()
    token = standin.token({"groups": ["ml"]})
    body = prompt(length)
    answer = send(haproxy, token, framing, body)
    assert answer.status == 200, answer.body
    [seen] = standin.requests(of="google")
    assert seen["body_sha256"] == hashlib.sha256(body).hexdigest()
    [line] = logs.exactly(1)
    assert (line["decision"], line["reason"], line["role"]) == ("allow", "ok", "ml-team")
    assert line["tokens"] == "exact"


@pytest.mark.parametrize("length", [30_000, 115_000, 800_000])
def test_a_long_body_that_no_role_allows_does_not_arrive(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, length: int
) -> None:
    haproxy = gateway(nbthread=1)
    token = standin.token({"groups": ["ml"]})
    answer = once(haproxy.port, "POST", GENERATE, headers(token), prompt(length, **TOOL))
    assert answer.status == 403, answer.body
    assert json.loads(answer.body)["error"]["details"][0]["reason"] == "body_not_allowed"
    assert once(haproxy.port, "POST", GENERATE, headers(token), prompt(length)).status == 200
    assert len(standin.requests(of="google")) == 1
    refused, passed = logs.in_order(2)
    assert (refused["decision"], refused["reason"]) == ("deny", "body_not_allowed")
    assert refused["principal"] == "corp:alice"
    assert refused.status == 403
    assert (passed["decision"], passed["reason"]) == ("allow", "ok")


@pytest.fixture
def recorder() -> Iterator[BodyRecorder]:
    server = BodyRecorder()
    yield server
    server.stop()


FILL = b'"x' + b"y" * 60_000 + b'"'
SEARCH = b'"tools":[{"googleSearch":{}}]'
PROMPT = b'"contents":[{"role":"user","parts":[{"text":"hi"}]}]'
# What is refused, its reason, and a twin that passes.
VIOLATIONS = {
    "a tool at the beginning": (
        b"{" + SEARCH + b',"a":' + FILL + b"," + PROMPT + b"}", "body_not_allowed", b"googleSearch", b"functionDeclarations",
    ),
    "a tool in the middle": (
        b'{"a":' + FILL + b"," + SEARCH + b',"b":' + FILL + b"," + PROMPT + b"}",
        "body_not_allowed", b"googleSearch", b"functionDeclarations",
    ),
    "a tool at the end": (
        b"{" + PROMPT + b',"a":' + FILL + b"," + SEARCH + b"}",
        "body_not_allowed", b"googleSearch", b"functionDeclarations",
    ),
    "another model, at the end": (
        b"{" + PROMPT + b',"a":' + FILL + b',"model":"gemini-2.5-other"}',
        "model_mismatch", b"gemini-2.5-other", b"gemini-2.5-flash",
    ),
    "a name twice, far apart": (
        b'{"tools":[],"a":' + FILL + b"," + PROMPT + b',"tools":[]}', "body_not_json", b"tools", b"labels",
    ),
    "closed early": (
        b"{" + PROMPT + b',"a":' + FILL + b"}" + b" " * 40_000 + b"}", "body_not_json", b" }", b"  ",
    ),
    "not closed": (
        b"{" + PROMPT + b',"a":' + FILL + b',"b":1 ', "body_not_json", b'"b":1 ', b'"b":1}',
    ),
    "text that is not UTF-8": (
        b"{" + PROMPT + b',"a":' + FILL + b',"b":"\xff"}', "body_not_json", b"\xff", b"f",
    ),
}  # fmt: skip


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("what", VIOLATIONS)
def test_what_is_refused_has_not_left_whole_and_its_twin_has(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    recorder: BodyRecorder,
    logs: LogServer,
    what: str,
    framing: str,
) -> None:
    body, reason, bad, good = VIOLATIONS[what]
    haproxy = gateway(nbthread=1, google_http=recorder.port)
    token = standin.token({"groups": ["ml"]})

    refused = send(haproxy, token, framing, body)
    assert refused.status == STATUS[reason][0], refused.body
    assert json.loads(refused.body)["error"]["details"][0]["reason"] == reason
    time.sleep(0.2)  # what left would be there by now
    if what == "closed early":  # allowed up to its brace, which may be there
        assert not any(request.is_whole for request in recorder.requests)
    else:
        assert nothing_whole(recorder)

    at = body.rindex(bad)
    twin = body[:at] + good + body[at + len(bad) :]
    assert send(haproxy, token, framing, twin).status == 200
    whole = recorder.requests[-1]
    assert (whole.is_whole, whole.body) == (True, twin)

    first, second = logs.in_order(2)
    assert (first["decision"], first["reason"], first.status) == ("deny", reason, refused.status)
    assert (first["principal"], first["charged"], second["decision"]) == ("corp:alice", "-", "allow")
    logs.exactly(2)
    assert "a body was refused" not in haproxy.stderr + "".join(logs.lines)


@pytest.mark.parametrize("framing", ["length", "h2"])
def test_every_cut_of_a_body_is_judged_alike(
    gateway: Callable[..., Haproxy], standin: Standin, recorder: BodyRecorder, framing: str
) -> None:
    """The tool's name is cut at each of its bytes by the end of what the buffer holds."""
    haproxy = gateway(google_http=recorder.port)
    token = standin.token({"groups": ["ml"]})
    for shift in range(len(SEARCH) + 2):
        fill = b'"a":"' + b"z" * (28_000 - shift) + b'",'
        body = b"{" + fill + SEARCH + b"," + PROMPT + b',"b":' + FILL + b"}"
        assert send(haproxy, token, framing, body).status == 403, shift
    assert nothing_whole(recorder)


# Before 2.8 HAProxy waits for such a caller as long as for a server; before 3.0 it does not tell him
# from one who has left.
@pytest.mark.skipif(haproxy_version() < (2, 8), reason="HAProxy 2.6 waits on")
def test_a_caller_who_stops_in_the_middle_is_told_so(
    gateway: Callable[..., Haproxy], standin: Standin, recorder: BodyRecorder, logs: LogServer
) -> None:
    haproxy = gateway(nbthread=1, google_http=recorder.port, environment={"VERTEX_BODY_TIMEOUT": "2s"})
    token = standin.token({"groups": ["ml"]})
    body = prompt(UNHELD)
    with Connection(haproxy.port, timeout=20) as connection:
        sized = headers(token) | {"Content-Length": str(len(body))}
        connection.send_request("POST", GENERATE, sized, body[:50_000])
        answer = connection.read()
    known = haproxy_version() >= (3, 0)
    status, reason = (408, "body_timeout") if known else (400, "request_incomplete")
    assert answer.status == status
    assert json.loads(answer.body)["error"]["details"][0]["reason"] == reason
    assert answer.header("x-should-retry") == "false"
    [line] = logs.in_order(1)
    assert (line["decision"], line["reason"], line["charged"]) == ("deny", reason, "-")
    assert (line["principal"], line["role"], line.status) == ("corp:alice", "ml-team", status)
    assert nothing_whole(recorder)


@pytest.mark.parametrize("way", ["close", "reset"])
def test_a_caller_who_leaves_in_the_middle_has_one_line_and_pays_nothing(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    recorder: BodyRecorder,
    logs: LogServer,
    way: str,
) -> None:
    haproxy = gateway(google_http=recorder.port)
    token = standin.token({"groups": ["ml"]})
    body = prompt(500_000)
    for length in (10_000, 30_000, 200_000, len(body) - 1):
        connection = Connection(haproxy.port)
        sized = headers(token) | {"Content-Length": str(len(body))}
        connection.send_request("POST", GENERATE, sized, body[:length])
        time.sleep(0.1)
        getattr(connection, way)()
        [line] = logs.exactly(1)
        assert (line["decision"], line["reason"]) == ("deny", "request_incomplete"), length
        assert line["charged"] == "-"
        logs.clear()
    assert nothing_whole(recorder)
    assert once(haproxy.port, "POST", GENERATE, headers(token), body).status == 200


def test_an_early_answer_of_googles_reaches_the_caller(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    recorder = BodyRecorder(early=429)
    haproxy = gateway(nbthread=1, google_http=recorder.port)
    token = standin.token({"groups": ["ml"]})
    body = prompt(UNHELD)
    with Connection(haproxy.port) as connection:
        sized = headers(token) | {"Content-Length": str(len(body))}
        connection.send_request("POST", GENERATE, sized, body[:60_000])
        answer = connection.read()
    assert (answer.status, b"usageMetadata" in answer.body) == (429, True)
    [line] = logs.in_order(1)
    assert (line["decision"], line["reason"]) == ("deny", "request_incomplete")
    assert (line["upstream"], line["charged"], line.status) == ("429", "-", 429)
    recorder.stop()


def test_requests_on_one_connection_are_judged_each_for_itself(
    gateway: Callable[..., Haproxy], standin: Standin, recorder: BodyRecorder, logs: LogServer
) -> None:
    haproxy = gateway(google_http=recorder.port)
    token = standin.token({"groups": ["ml"]})
    good, bad = prompt(100_000), prompt(100_000, **TOOL)
    small = prompt(100)
    statuses = []
    for body in (good, small, good, small, bad):
        with Connection(haproxy.port) as connection:
            statuses.append([
                connection.request("POST", GENERATE, headers(token), each).status
                for each in (good, small, body)
            ])
    assert statuses == [[200, 200, 200]] * 4 + [[200, 200, 403]]
    assert [request.body for request in recorder.requests if request.is_whole] == [
        each for body in (good, small, good, small) for each in (good, small, body)
    ] + [good, small]


def test_a_limit_is_told_when_the_body_has_come(
    gateway: Callable[..., Haproxy], standin: Standin, recorder: BodyRecorder, logs: LogServer
) -> None:
    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["limits"] = {"per": "principal", "requests_per_minute": 1}
    haproxy = gateway(nbthread=1, google_http=recorder.port, vertex=vertex)
    token = standin.token({"groups": ["ml"]})
    body = prompt(100_000)
    assert once(haproxy.port, "POST", GENERATE, headers(token), body).status == 200
    refused = once(haproxy.port, "POST", GENERATE, headers(token), body)
    assert refused.status == 429
    assert 0 < int(refused.header("Retry-After")) <= 60
    assert refused.header("x-should-retry") in ("true", "false")
    assert refused.header("x-ratelimit-limit-requests") is None, "Google has no such header"
    assert json.loads(refused.body)["error"]["details"][0]["reason"] == "limit_requests"
    assert len([request for request in recorder.requests if request.is_whole]) == 1
    _, line = logs.in_order(2)
    assert (line["reason"], line["charged"]) == ("limit_requests", "-")


def test_a_limits_headers_are_those_of_the_dialect(
    gateway: Callable[..., Haproxy], standin: Standin, recorder: BodyRecorder
) -> None:
    vertex = every_dialect(standin.service_account)
    for role in vertex["roles"]:
        role["limits"] = {"per": "principal", "requests_per_minute": 1}
    haproxy = gateway(google_http=recorder.port, vertex=vertex)
    token = standin.token({"groups": ["ml"]})
    body = json.dumps({"model": "google/gemini-2.5-flash", "messages": [
        {"role": "user", "content": "word " * 20_000}]}).encode()
    chat = f"{PROJECT}/endpoints/openapi/chat/completions"
    answers = [once(haproxy.port, "POST", chat, headers(token), body) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 429], answers
    assert answers[1].header("x-ratelimit-limit-requests") == "1"
    assert json.loads(answers[1].body)["error"]["code"] == "limit_requests"


def two_roles(standin: Standin, same: bool) -> dict[str, Any]:
    """The first allows no tool, the second a search; they sign as the same identity, or not."""
    vertex = vertex_json(standin.service_account)
    vertex["credentials"].append({**vertex["credentials"][0], "name": "other"})
    first = vertex["roles"][0]
    second = json.loads(json.dumps(first)) | {"name": "searchers", "as": "ml-prod" if same else "other"}
    second["may"]["tools"] = ["googleSearch"]
    vertex["roles"].append(second)
    return vertex


@pytest.mark.parametrize("same", [True, False])
def test_a_later_role_decides_if_it_signs_as_the_first_has(
    gateway: Callable[..., Haproxy], standin: Standin, recorder: BodyRecorder, logs: LogServer, same: bool
) -> None:
    haproxy = gateway(nbthread=1, google_http=recorder.port, vertex=two_roles(standin, same))
    token = standin.token({"groups": ["ml"]})
    answers = [
        once(haproxy.port, "POST", GENERATE, headers(token), body)
        for body in (prompt(100, **TOOL), prompt(UNHELD), prompt(UNHELD, **TOOL))
    ]
    assert [answer.status for answer in answers] == [200, 200, 200 if same else 413]
    small, plain, long = logs.in_order(3)
    assert (small["role"], plain["role"]) == ("searchers", "ml-team")
    if same:
        assert long["role"] == "searchers"
    else:
        assert (long["role"], long["reason"]) == ("-", "body_too_large_to_check")
        text = json.loads(answers[2].body)["error"]["message"]
        assert "the role searchers allows it" in text and '"as"' in text


def test_a_body_in_chunks_that_fits_is_read_like_others(
    gateway: Callable[..., Haproxy], standin: Standin, recorder: BodyRecorder, logs: LogServer
) -> None:
    haproxy = gateway(google_http=recorder.port)
    token = standin.token({"groups": ["ml"]})
    body = b"{" + PROMPT + b"}"
    assert chunked(haproxy, token, body).status == 200
    assert chunked(haproxy, token, b"{" + PROMPT + b"," + SEARCH + b"}").status == 403
    with H2(haproxy.port) as h2:
        stream = h2.send("POST", GENERATE, headers(token), end=False)
        h2.send_more(stream, body, end=True)
        assert h2.wait(stream).status == 200
    assert [(request.body, request.is_whole) for request in recorder.requests] == [(body, True)] * 2
    for request in recorder.requests if haproxy_version() < (3, 0) else []:
        assert b"content-length: %d\r\n" % len(body) in request.head + b"\r\n"
        assert b"chunked" not in request.head


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [("down", 503, "upstream_unavailable"), ("closes", 502, "upstream_closed")],
)
def test_a_server_that_is_not_there_or_leaves_is_told(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, kind: str, status: int, reason: str
) -> None:
    closing = Listener(lambda connection: (connection.recv(100), connection.close()))
    port = free_port() if kind == "down" else closing.port
    haproxy = gateway(google_http=port, upstream_lines="retries 0")
    token = standin.token({"groups": ["ml"]})
    body = prompt(3_000_000)
    with Connection(haproxy.port, timeout=20) as connection:
        sized = headers(token) | {"Content-Length": str(len(body))}
        connection.send_request("POST", GENERATE, sized, body[:60_000])
        # HAProxy may close without a word, as for a short request: the caller is to try again.
        try:
            answer = connection.read()
        except Closed:
            assert kind == "closes"
            answer = None
    closing.close()
    if answer:
        assert answer.status == status
        assert json.loads(answer.body)["error"]["details"][0]["reason"] == reason
    [line] = logs.in_order(1)
    assert (line["decision"], line["reason"]) == ("deny", reason), line.text
    assert (line["principal"], line["charged"]) == ("corp:alice", "-")
