"""What HAProxy itself answers in Google's place, or in ours: the caller reads it in the shape that its
library knows, with a reason, and line and metric say the same."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from support.expect.budget import with_roles
from support.expect.eventually import eventually
from support.expect.metrics import Pages, key
from support.expect.refusal import STATUS, reasons_of_the_product
from support.log.line import AccessLine
from support.log.server import LogServer, all_lines
from support.wire.calls import BODY, GENERATE, PROJECT, headers, outcome, post
from support.wire.http1 import Closed, Connection, Response
from support.wire.http2 import H2
from support.wire.rawgoogle import RawGoogle
from support.world.haproxy import Haproxy
from support.world.place import free_port, haproxy_version
from support.world.standin import Standin

WHO = {"principal": "corp:alice", "role": "ml", "credential": "ml-prod", "project": "acme-ml"}

# HAProxy logs the answer, and closes the connection before it is sent.
LOSES_ANSWERS_TO_NONSENSE = haproxy_version() >= (3, 2)

# A path of each dialect, and its body.
MESSAGE = [{"role": "user", "content": "hello"}]
DIALECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "google": (GENERATE, json.loads(BODY)),
    "openai": (
        f"{PROJECT}/endpoints/openapi/chat/completions",
        {"model": "google/gemini-2.5-flash", "messages": MESSAGE},
    ),
    "anthropic": (
        f"{PROJECT}/publishers/anthropic/models/claude-sonnet-4:rawPredict",
        {"anthropic_version": "vertex-2023-10-16", "max_tokens": 9, "messages": MESSAGE},
    ),
}


@pytest.fixture
def raw(raw: RawGoogle) -> RawGoogle:
    raw.answers["hang"] = lambda client: time.sleep(3)
    return raw


@pytest.fixture
def serve(gateway: Callable[..., Haproxy], standin: Standin) -> Callable[..., Haproxy]:
    """`serve(**what_differs)`: a gateway with a role for every dialect, whose Google takes a second
    at most."""

    def one(upstream_lines: str = "", **different: Any) -> Haproxy:
        lines = f"retries 0\ntimeout server 1s\n{upstream_lines}"
        vertex = with_roles(standin.service_account, {"ml": {}})
        return gateway(**{"upstream_lines": lines, "vertex": vertex, **different})

    return one


def told(answer: Response, dialect: str) -> tuple[str, str]:
    """The reason and the id in an answer's body."""
    said = json.loads(answer.text)
    assert answer.header("content-type") == "application/json"
    assert answer.header("x-request-id") == answer.header("request-id")
    match dialect:
        case "google":
            assert said["error"]["code"] == answer.status
            info, request = said["error"]["details"]
            return info["reason"], request["requestId"]
        case "openai":
            return said["error"]["code"], answer.header("x-request-id")
    text = said["error"]["message"]
    assert said["type"] == "error" and text.endswith(")")
    return text[:-1].rpartition("(")[2], said["request_id"]


def to(model: str) -> str:
    return GENERATE.replace("flash", model)


def assert_refused(line: AccessLine, reason: str, status: int, identifier: str) -> None:
    assert (line["decision"], line["reason"], line.status) == ("deny", reason, status)
    assert {name: line[name] for name in WHO} == WHO
    assert line["id"] == identifier
    assert line.request_line.split(" ")[1].startswith(PROJECT)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("down", "upstream_unavailable"),
        ("disabled", "upstream_unavailable"),
        ("none", "upstream_closed"),
        ("garbage", "upstream_closed"),
        ("hang", "upstream_timeout"),
    ],
)
def test_haproxys_own_answer_has_a_reason_in_the_callers_dialect(
    serve: Callable[..., Haproxy],
    raw: RawGoogle,
    logs: LogServer,
    token: str,
    dialect: str,
    kind: str,
    reason: str,
) -> None:
    pages = Pages()
    raw.always = kind
    port = free_port() if kind == "down" else raw.port
    haproxy = serve(google_http=port, sections=pages.section)
    if kind == "disabled":
        haproxy.ask("disable server vertex_us-central1/google")
    path, asked = DIALECTS[dialect]

    answer = post(haproxy, token, path, json.dumps(asked).encode())

    status = STATUS[reason][0]
    said, identifier = told(answer, dialect)
    assert (answer.status, said) == (status, reason)
    assert (answer.header("x-should-retry") == "false") == (status == 504)
    assert (answer.header("retry-after") is not None) == (status == 503)
    counted = key("decisions_total", decision="deny", reason=reason)
    eventually(lambda: pages.metrics()[counted] == 1, "it is counted")
    assert pages.metrics()[key("decisions_total", decision="allow", reason="ok")] == 0
    [line] = all_lines(haproxy, logs)
    assert_refused(line, reason, status, identifier)
    assert line["charged"] == ("0" if status == 503 else line["reserved"])


def test_googles_own_answer_is_what_it_is(
    serve: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str
) -> None:
    haproxy = serve()
    for status in (200, 502, 503, 504, 500, 400, 408, 429):
        standin.google(status=status)
        answer = post(haproxy, token)
        assert answer.status == status and answer.header("x-request-id") is None

    for line in all_lines(haproxy, logs, 8):
        assert (line["decision"], line["reason"]) == ("allow", "ok")
        assert line["upstream"] == str(line.status)


def test_an_answer_that_stops_before_it_is_whole_is_none_of_googles(
    serve: Callable[..., Haproxy], raw: RawGoogle, logs: LogServer, token: str
) -> None:
    """HAProxy waits for a small answer, to read what it took."""

    def stop(client: Any) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
        time.sleep(3)

    raw.answers["stop"], raw.always = stop, "stop"
    haproxy = serve(google_http=raw.port)

    answer = post(haproxy, token)

    assert outcome(answer) == (504, "upstream_timeout")
    [line] = all_lines(haproxy, logs)
    assert (line["decision"], line["reason"], line["upstream"]) == ("deny", "upstream_timeout", "200")
    assert int(line["charged"]) >= int(line["reserved"])


# The operator's own rules.


@pytest.mark.parametrize(
    ("different", "reason"),
    [
        ({"use_backend": "use_backend vertex_us-central1 if { path /x }"}, "unrouted"),
        ({"use_backend": "use_backend vertex_global"}, "internal"),
    ],
)
def test_a_request_that_is_led_astray_keeps_who_asked_for_what(
    serve: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    token: str,
    different: dict[str, str],
    reason: str,
) -> None:
    haproxy = serve(**different)

    answer = post(haproxy, token)

    said, identifier = told(answer, "google")
    assert (answer.status, said) == (503, reason)
    assert standin.requests(of="google") == []
    [line] = all_lines(haproxy, logs)
    assert_refused(line, reason, 503, identifier)
    assert line["charged"] == "0"


@pytest.mark.parametrize(
    "rule",
    ["deny deny_status 429", "return status 418", "redirect location https://elsewhere.example/"],
)
def test_a_rule_of_the_operators_that_answers_is_said_to(
    serve: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str, rule: str
) -> None:
    haproxy = serve(upstream_lines=f"http-request {rule} if {{ req.hdr(x-server-timeout) -m found }}")

    answer = post(haproxy, token, x_server_timeout="1")
    assert post(haproxy, token).status == 200

    lines = all_lines(haproxy, logs, 2)
    [refused] = [line for line in lines if line.status == answer.status]
    assert (refused["decision"], refused["reason"]) == ("deny", "answered_by_rule")
    assert (refused["principal"], refused["charged"]) == ("corp:alice", "0")
    assert len(standin.requests(of="google")) == 1


# Callers who are slow or leave.


def is_out_of_internal(pages: Pages) -> bool:
    found = pages.metrics()
    return not any(
        value and dict(labels).get("reason") == "internal" for (_, labels), value in found.items()
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_caller_who_is_slow_with_the_body_is_told_so(
    serve: Callable[..., Haproxy], logs: LogServer, token: str, dialect: str
) -> None:
    pages = Pages()
    haproxy = serve(nbthread=1, sections=pages.section, environment={"VERTEX_BODY_TIMEOUT": "2s"})
    assert post(haproxy, token).status == 200
    path, asked = DIALECTS[dialect]
    body = json.dumps(asked).encode()
    sized = {**headers(token), "Content-Length": str(len(body))}
    with Connection(haproxy.port, timeout=20) as connection:
        connection.send_request("POST", path, sized, body[:9])
        answer = connection.read()

    said, identifier = told(answer, dialect)
    assert (answer.status, said) == (408, "body_timeout")
    assert answer.header("x-should-retry") == "false"
    line = logs.in_order(2)[1]
    assert (line["decision"], line["reason"], line.status) == ("deny", "body_timeout", 408)
    assert (line["principal"], line["id"], line["charged"]) == ("corp:alice", identifier, "-")
    assert is_out_of_internal(pages)


def test_over_http2_a_slow_body_is_told_so_as_well(
    serve: Callable[..., Haproxy], logs: LogServer, token: str
) -> None:
    haproxy = serve(nbthread=1, environment={"VERTEX_BODY_TIMEOUT": "2s"})
    assert post(haproxy, token).status == 200
    with H2(haproxy.port, timeout=20) as h2:
        stream = h2.send(
            "POST", GENERATE, headers(token) | {"content-length": str(len(BODY))}, BODY[:9], end=False
        )
        answer = h2.wait(stream)

    assert answer.status == 408
    assert json.loads(answer.body)["error"]["details"][0]["reason"] == "body_timeout"
    assert logs.in_order(2)[1]["reason"] == "body_timeout"


@pytest.mark.parametrize("way", ["close", "reset", "shut_write"])
@pytest.mark.parametrize("first", [True, False], ids=["while keys are fetched", "with keys"])
def test_a_caller_who_leaves_amid_the_body_is_no_failure_of_the_gateways(
    serve: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    token: str,
    way: str,
    first: bool,
) -> None:
    pages = Pages()
    if first:
        standin.idp("normal", delay_ms=1500)
    haproxy = serve(sections=pages.section)
    if not first:
        assert post(haproxy, token).status == 200
    sized = {**headers(token), "Content-Length": str(len(BODY))}
    with Connection(haproxy.port, timeout=20) as connection:
        connection.send_request("POST", GENERATE, sized, BODY[:9])
        time.sleep(0.3)
        getattr(connection, way)()
        if way == "shut_write":
            try:
                answer = connection.read()
                assert outcome(answer)[1] == "request_incomplete", answer
            except Closed:
                pass

    line = logs.in_order(1 if first else 2)[-1]
    assert (line["decision"], line["reason"]) == ("deny", "request_incomplete"), line.text
    assert line["charged"] == "-"
    eventually(lambda: is_out_of_internal(pages), "nothing is the gateway's fault")


def test_a_body_that_is_no_http_is_told_so(
    serve: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str
) -> None:
    haproxy = serve(vertex=unread_roles(standin))
    chunked = {**headers(token), "Transfer-Encoding": "chunked"}
    with Connection(haproxy.port, timeout=20) as connection:
        connection.send_request("POST", GENERATE, chunked)
        connection.send(b"2\r\n{}\r\n")
        time.sleep(0.5)  # else HAProxy's parser answers, before any rule
        connection.send(b"nonsense\r\n")
        answer = answer_or_none(connection)

    line = logs.wait_for(1)[0]
    assert (line["decision"], line["reason"]) == ("deny", "request_incomplete")
    if LOSES_ANSWERS_TO_NONSENSE:
        assert answer is None
        return
    assert answer is not None
    said, identifier = told(answer, "google")
    assert (answer.status, said, line["id"]) == (400, "request_incomplete", identifier)


def answer_or_none(connection: Connection) -> Response | None:
    try:
        return connection.read()
    except Closed as closed:
        assert not closed.received
        return None


def unread_roles(standin: Standin) -> dict[str, Any]:
    return with_roles(standin.service_account, {"ml": {"body": "unread"}})


def test_every_reason_that_no_decision_has_is_tried_here_or_by_the_gate() -> None:
    tried = {
        "request_incomplete", "unrouted", "upstream_unavailable", "upstream_closed",
        "upstream_timeout", "answered_by_rule", "body_timeout",
    }  # fmt: skip
    assert tried < reasons_of_the_product() == set(STATUS)
