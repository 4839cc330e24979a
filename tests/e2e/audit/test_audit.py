"""Exactly one audit line a request, whatever the caller does and whatever he writes."""

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from support.expect.eventually import eventually
from support.load.counted import CountedCallers
from support.log import hostile, secrets
from support.log.line import means
from support.log.server import LogServer
from support.wire.calls import BODY, GENERATE, OTHER_MODEL, STREAM, headers, post
from support.wire.http1 import Connection, Response, once
from support.wire.http2 import H2, Answer
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

JSON = "application/json"
TOKEN_HEADERS = ("Authorization", "X-Api-Key")
HEADER_TIMEOUT_SECONDS = 10  # `timeout http-request` of vertex.cfg


def test_a_crowd_leaves_one_line_a_request(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, certificate: Path
) -> None:
    haproxy = gateway(tls_certificate=certificate)
    standin.google(gate=True, chunks=3, record=False)
    crowd = CountedCallers(standin, haproxy.port, haproxy.tls_port, certificate)

    crowd.run(
        (crowd.keep_alive, 1000),
        (crowd.keep_alive, 1000),
        (crowd.pipelined, 200),
        (crowd.multiplexed, 60),
        (crowd.multiplexed, 60),
        (crowd.leaving_before_the_answer, 200),
        (crowd.leaving_amid_a_stream, 60),
        (crowd.taking_streams_back, 20),
        (crowd.leaving_after_the_answer, 200),
    )
    standin.release(all=True)

    assert crowd.surprises == []
    assert crowd.sent.total() == 2000 + 400 + 1200 + 200 + 60 + 60 + 200
    reasons = Counter(tail["reason"] for tail in logs.exactly(crowd.sent.total()))
    # Google may have answered before one who left was gone.
    faster = reasons["ok"] - crowd.sent["ok"]
    assert 0 <= faster < 20
    assert reasons == crowd.sent + Counter(ok=faster) - Counter(request_incomplete=faster)


@pytest.mark.parametrize("way", ["close", "reset"])
def test_callers_who_leave_while_google_thinks_have_their_line(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, way: str
) -> None:
    haproxy = gateway()
    standin.google(delay_ms=1500)
    token = standin.token({"groups": ["ml"]})
    before = standin.counters()["google_requests"]
    connections = [Connection(haproxy.port) for _ in range(40)]
    for connection in connections:
        connection.send_request("POST", GENERATE, headers(token), BODY)
    eventually(lambda: standin.counters()["google_requests"] - before == 40, "all at Google's")

    for connection in connections:
        getattr(connection, way)()

    assert {tail["reason"] for tail in logs.exactly(40)} == {"request_incomplete"}


def test_a_stream_taken_back_at_once_has_its_line_if_it_came_to_google(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    # 3.2 forgets a stream that ends before its rules have run: no rule, no request, no line.
    haproxy = gateway()
    token = standin.token({"groups": ["ml"]})
    post(haproxy, token)
    with H2(haproxy.port) as connection:
        for _ in range(200):
            connection.reset_stream(connection.send("POST", GENERATE, headers(token), BODY))
        assert connection.request("POST", GENERATE, headers(token), BODY).status == 200
    time.sleep(1)

    lines = len(logs.wait_for(2))
    assert 2 + 200 >= lines >= len(standin.requests(of="google"))
    assert {tail["reason"] for tail in logs.exactly(lines)} <= {"ok", "request_incomplete"}


@pytest.mark.parametrize("what", hostile.UNREADABLE)
def test_a_request_that_haproxy_cannot_read_has_an_undecided_line(
    gateway: Callable[..., Haproxy], logs: LogServer, what: str
) -> None:
    haproxy = gateway()
    with Connection(haproxy.port) as connection:
        connection.send(hostile.UNREADABLE[what])
        assert connection.read().status in (400, 414)

    [tail] = logs.exactly(1)
    assert (tail["decision"], tail["reason"]) == ("deny", "undecided")
    assert "secret" not in "".join(logs.lines)


@pytest.mark.parametrize("way", ["close", "reset"])
def test_a_request_cut_off_in_its_headers_has_an_undecided_line(
    gateway: Callable[..., Haproxy], logs: LogServer, way: str
) -> None:
    haproxy = gateway()
    connection = Connection(haproxy.port)
    connection.send(b"POST /?key=secret HTTP/1.1\r\nHost: a\r\n")
    time.sleep(0.2)  # a reset would overtake it
    getattr(connection, way)()

    [tail] = logs.exactly(1)
    assert (tail["decision"], tail["reason"]) == ("deny", "undecided")


def test_a_request_whose_headers_come_too_slowly_has_an_undecided_line(
    gateway: Callable[..., Haproxy], logs: LogServer
) -> None:
    haproxy = gateway()
    with Connection(haproxy.port, timeout=HEADER_TIMEOUT_SECONDS + 5) as connection:
        connection.send(b"POST / HTTP/1.1\r\nHost: a\r\n")
        assert connection.read().status == 408

    [tail] = logs.exactly(1)
    assert (tail["decision"], tail["reason"]) == ("deny", "undecided")


def test_a_connection_without_a_byte_is_no_request(
    gateway: Callable[..., Haproxy], logs: LogServer
) -> None:
    haproxy = gateway()
    Connection(haproxy.port).close()
    Connection(haproxy.port).reset()
    with Connection(haproxy.port) as connection:  # its twin
        connection.request("POST", GENERATE, headers(None), BODY)

    [tail] = logs.exactly(1)
    assert tail["reason"] == "token_missing"


def test_a_short_line_of_json_is_cut_behind_decision_reason_and_principal(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    haproxy = gateway(log_length=1024, environment={"VERTEX_LOG_STYLE": "json"})
    token = standin.token({"sub": "\x00" * 1500, "email": "e" * 1000, "groups": ["ml"]})
    post(haproxy, token)

    is_ours = lambda line: "haproxy.frontend" in line  # noqa: E731
    [line] = filter(is_ours, logs.wait_until(lambda lines: any(map(is_ours, lines)), "a line"))
    for member in ('"vertex.decision":"allow"', '"vertex.reason":"ok"', '"vertex.principal":"corp:'):
        assert member in line, line


def test_a_long_url_leaves_decision_reason_and_principal_in_a_short_line(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    haproxy = gateway(log_length=1024)
    subject = "|{}%\n" * 1500
    token = standin.token({"sub": subject, "email": "e" * 1000, "groups": ["ml"]})
    for target in ("/" + "x" * 4000, "/v1/" + "%7B" * 1333, GENERATE):
        post(haproxy, token, target)

    lines = [line.text for line in logs.wait_for(3)]

    words = [line.partition("vertex{")[2].split(" ")[:4] for line in lines]
    decided = [tuple(word.partition("=")[2] for word in four[:2]) for four in words]
    assert sorted(decided) == [
        ("allow", "ok"), ("deny", "route_unknown"), ("deny", "url_not_canonical"),
    ]  # fmt: skip
    for line, four in zip(lines, words, strict=True):
        assert len(line) <= 1024
        assert four[2].startswith("principal=corp:") and four[3].startswith("role="), line
        assert means(four[2].removeprefix("principal=corp:"), subject)


@pytest.mark.parametrize("query", ["access_token=secret", "key=secret", "alt=sse&key=secret"])
def test_the_query_is_never_logged(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, query: str
) -> None:
    haproxy = gateway()
    token = standin.token({"groups": ["ml"]})
    absolute = f"http://gateway.example{GENERATE}?{query}"
    for target in (f"{GENERATE}?{query}", f"//?{query}", absolute):
        assert post(haproxy, token, target).status == 400
    with H2(haproxy.port) as connection:
        answer = connection.request("POST", f"{GENERATE}?{query}", headers(token), BODY)
        assert answer.status == 400

    logs.exactly(4)
    assert "secret" not in "".join(logs.lines)


@pytest.mark.parametrize("claim", ["sub", "email", "groups"])
def test_no_claim_can_leave_its_field(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, claim: str
) -> None:
    haproxy = gateway()
    with Connection(haproxy.port) as h1, H2(haproxy.port) as h2:
        for what, value in hostile.CLAIMS.items():
            claims = {"groups": ["ml"], claim: value if claim != "groups" else ["ml", value]}
            pairs = headers(standin.token(claims))
            assert h1.request("POST", GENERATE, pairs, BODY).status == 200, what
            assert h2.request("POST", GENERATE, pairs, BODY).status == 200, what

            found = logs.exactly(2, settle=0.02)
            for tail in found:
                issuer, _, subject = tail["principal"].partition(":")
                assert issuer == "corp"
                assert means(subject, value if claim == "sub" else "alice"), tail
                shown = value if claim == "email" else "alice@corp.example"
                assert means(tail["display"], shown), tail
            logs.clear()


def is_ours(answer: Response | Answer) -> bool:
    """Whether our rules gave this answer: HAProxy's own to what it cannot read is undecided."""
    if answer.header("content-type") != JSON:
        return False
    [detail, *_] = json.loads(answer.body)["error"]["details"]
    return detail["reason"] != "undecided"


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_no_byte_in_a_url_breaks_the_line(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, version: str
) -> None:
    haproxy = gateway()
    pairs = headers(standin.token({"groups": ["ml"]}))
    ours = 0
    for url in hostile.urls():
        if version == "HTTP/2":
            with H2(haproxy.port) as h2:
                ours += is_ours(h2.request("POST", url, pairs, BODY))
            continue
        with Connection(haproxy.port) as h1:
            head = "".join(f"{name}: {value}\r\n" for name, value in pairs.items())
            h1.send(b"POST " + url + f" HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode())
            ours += is_ours(h1.read())

    assert ours > 4 * 70
    decided = logs.exactly(ours, decided=True)
    assert {tail["principal"] for tail in decided} == {"corp:alice"}


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize(
    "name",
    ["X-Odd", "User-Agent", "Authorization", "X-Api-Key", "X-Claude-Code-Session-Id", "Traceparent"],
)
def test_no_byte_in_a_header_breaks_the_line(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    name: str,
    version: str,
) -> None:
    haproxy = gateway()
    pairs = headers(None if name in TOKEN_HEADERS else standin.token({"groups": ["ml"]}))
    answered = 0
    for byte in hostile.HEADER_BYTES:
        odd = pairs | {name: f"Bearer a{chr(byte)}b\" vertex{{decision=allow"}
        client = Connection if version == "HTTP/1.1" else H2
        with client(haproxy.port) as connection:
            answered += bool(connection.request("POST", GENERATE, odd, BODY).status)

    assert answered > 240
    logs.exactly(answered, decided=True)


@pytest.mark.parametrize("kind", ["service_account", "access_token"])
def test_no_secret_is_in_anything_that_haproxy_writes(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    tmp_path: Path,
    kind: str,
) -> None:
    vertex = vertex_json(standin.service_account)
    known = secrets.of_a_key_file(standin.service_account)
    if kind == "access_token":
        access_token = "ya29." + "k" * 200
        vertex["credentials"] = standin.access_token(tmp_path, access_token)
        known = {access_token}
    haproxy = gateway(vertex=vertex)
    good = standin.token({"groups": ["ml"]})
    bearers = [good, good + "A", good + ".x", standin.token({"aud": "other"}), "ya29.caller"]
    bodies: list[bytes] = []
    standin.google(gate=True, chunks=2)
    with Connection(haproxy.port) as streaming:
        streaming.send_request("POST", STREAM, headers(good), BODY)
        next(streaming.parts(streaming.read_head()))
        for target, bearer in itertools.product((GENERATE, OTHER_MODEL, "/"), bearers):
            for pairs in (headers(bearer), headers(None, x_api_key=bearer)):
                bodies.append(once(haproxy.port, "POST", target, pairs, BODY).body)
        lines = [line.text for line in logs.wait_for(30)]
        written = secrets.written_by(haproxy, lines, bodies)
    standin.release(all=True)

    google = secrets.sent_to_google(standin)
    known |= google.union(*(secrets.of_a_token(bearer) for bearer in bearers))
    assert len(google) >= 1
    assert all(written[where] for where in ("the log", "vertex show keys json", "an answer"))
    assert [where for where, text in written.items() if any(part in text for part in known)] == []
