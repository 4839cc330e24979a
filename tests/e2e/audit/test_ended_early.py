"""Requests that end before Google answered, or by a rule of the operator's: one line and one count
each, of what the caller got, and a cost only if the call can have left."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from support.expect.budget import body, target, with_roles
from support.expect.eventually import eventually
from support.expect.metrics import Pages, key
from support.log.line import AccessLine
from support.log.server import LogServer
from support.wire.calls import BODY, GENERATE, headers, post
from support.wire.http1 import Closed, Connection, once
from support.wire.http2 import H2
from support.wire.rawgoogle import RawGoogle, chunk
from support.world.bare import ALL, AUTHORIZE, LOGGED, READ, SIGN, VERIFY, unless
from support.world.haproxy import Haproxy
from support.world.place import haproxy_version
from support.world.standin import Standin

# HAProxy tells how a stream ended, and how many bytes came.
TELLS = haproxy_version() >= (3, 0)
MEGABYTE = 1 << 20


def read_chunks_and_close(client: socket.socket) -> None:
    came = b""
    while not came.endswith(b"0\r\n\r\n"):
        came = came[-5:] + client.recv(65_536)


@pytest.fixture
def raw(raw: RawGoogle) -> RawGoogle:
    raw.answers["drain"] = read_chunks_and_close
    return raw


@pytest.fixture
def serve(gateway: Callable[..., Haproxy], standin: Standin) -> Callable[..., Haproxy]:
    def one(pages: Pages, **different: Any) -> Haproxy:
        limits = {"tokens_per_hour": 10**9, "parallel_requests": 3}
        role = {"limits": limits, "body": "unread"}
        vertex = with_roles(standin.service_account, {"ml": role})
        return gateway(vertex=vertex, sections=pages.section, **different)

    return one


@pytest.fixture
def unreached() -> Iterator[int]:
    """A port that takes no more connections."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waits = stack.enter_context(socket.socket())
            waits.setblocking(False)
            waits.connect_ex(full.getsockname())
        yield full.getsockname()[1]


def the_one_line(haproxy: Haproxy, logs: LogServer, pages: Pages) -> AccessLine:
    """All that was written and counted, once nothing is in flight."""
    in_flight = key("calls_in_flight")
    eventually(lambda: pages.metrics()[in_flight] == 0, "nothing is in flight")
    [line] = logs.wait_for(1)
    time.sleep(0.5)  # another would have come
    assert logs.wait_for(1) == [line]
    outcomes = {
        dict(labels)["reason"]: value
        for (name, labels), value in pages.metrics().items()
        if name.endswith("decisions_total") and value
    }
    assert outcomes == {line["reason"]: 1}
    return line


# Callers who leave before there is a connection to Google.


@pytest.mark.parametrize("way", ["close", "shut_write", "h2 reset", "h2 close"])
def test_a_caller_who_leaves_before_google_is_reached_is_told_once_and_pays_nothing(
    serve: Callable[..., Haproxy], unreached: int, logs: LogServer, token: str, way: str
) -> None:
    pages = Pages()
    haproxy = serve(pages, google_http=unreached)
    with ExitStack() as stack:
        if way.startswith("h2"):
            h2 = stack.enter_context(H2(haproxy.port, timeout=20))
            stream = h2.send("POST", GENERATE, headers(token), BODY)
            time.sleep(0.5)
            h2.reset_stream(stream) if way == "h2 reset" else h2.close()
        else:
            connection = stack.enter_context(Connection(haproxy.port, timeout=20))
            connection.send_request("POST", GENERATE, headers(token), BODY)
            time.sleep(0.5)
            getattr(connection, way)()

    line = the_one_line(haproxy, logs, pages)
    assert (line["decision"], line["reason"], line["upstream"]) == ("deny", "request_incomplete", "-")
    assert line["charged"] == ("0" if TELLS else line["reserved"])


# Google leaves while the body goes up.


@pytest.mark.parametrize("size", [50_000, 3 * MEGABYTE])
@pytest.mark.parametrize("slowly", [False, True])
def test_a_google_that_leaves_amid_the_body_is_told_once(
    serve: Callable[..., Haproxy],
    raw: RawGoogle,
    logs: LogServer,
    token: str,
    size: int,
    slowly: bool,
) -> None:
    pages = Pages()
    raw.always = "now"
    haproxy = serve(pages, google_http=raw.port)
    long = body(10, "x" * size)
    try:
        with Connection(haproxy.port, timeout=10) as connection:
            sized = {**headers(token), "Content-Length": str(len(long))}
            connection.send_request("POST", target(), sized)
            for start in range(0, len(long), 40_000):
                connection.send(long[start : start + 40_000])
                time.sleep(0.01 if slowly else 0)
            status = connection.read().status
    except (Closed, OSError):
        status = None
    assert status in (None, 502)

    line = the_one_line(haproxy, logs, pages)
    assert line["decision"] == "deny"
    # Before 3.0 nobody tells who left first where both sides are gone.
    assert line["reason"] == "upstream_closed" or not TELLS, line.text
    assert int(line["charged"]) >= size // 4


@pytest.mark.skipif(not TELLS, reason="before 3.0 HAProxy does not tell what came up")
def test_a_chunked_body_costs_the_bytes_that_went_up_to_a_google_that_says_nothing(
    serve: Callable[..., Haproxy], raw: RawGoogle, logs: LogServer, token: str
) -> None:
    haproxy = serve(Pages(), google_http=raw.port)
    long = body(10, "x" * 2 * MEGABYTE)
    with Connection(haproxy.port, timeout=10) as connection:
        assert connection.request("POST", target("gemini-2.5-good"), headers(token), BODY).status == 200
        chunked = {**headers(token), "Transfer-Encoding": "chunked"}
        connection.send_request("POST", target("gemini-2.5-drain"), chunked)
        for start in range(0, len(long), 65_536):
            connection.send(chunk(long[start : start + 65_536]))
        connection.send(b"0\r\n\r\n")
        with pytest.raises(Closed):
            connection.read()

    line = logs.wait_for(2)[1]
    assert (line["upstream"], line["prompt_bytes"]) == ("closed", "-"), line.text
    assert int(line["charged"]) >= len(long) // 4


# Rules of the operator's.

ANSWERS = {
    "deny deny_status 403": True,
    "deny deny_status 503": True,
    "redirect location https://elsewhere.example/": True,
    "return status 451": True,
    "set-status 418": True,
    # By its status alone it is an answer of Google's, or of HAProxy's.
    "return status 200": TELLS,
    "deny": TELLS,
}


@pytest.mark.parametrize("rule", ANSWERS)
@pytest.mark.parametrize("where", ["frontend_lines", "upstream_lines"])
def test_a_rule_that_answers_in_googles_place_is_said_to(
    serve: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    token: str,
    rule: str,
    where: str,
) -> None:
    standin.google(canned={"content_type": "application/json", "pieces": ["{}"]})
    haproxy = serve(Pages(), nbthread=1, **{where: f"http-response {rule} unless {{ status 500 }}"})
    answer = post(haproxy, token)
    standin.google(status=500)
    assert post(haproxy, token).status == 500

    answered, twin = logs.in_order(2)
    assert answered.status == answer.status
    said = ("deny", "answered_by_rule") == (answered["decision"], answered["reason"])
    assert said == ANSWERS[rule], answered.text
    assert (twin["decision"], twin["reason"]) == ("allow", "ok")


REFUSALS = [
    "deny deny_status 500",
    "deny deny_status 503",
    "return status 503",
    "tarpit",
    "reject",
    "silent-drop",
]


@pytest.mark.skipif(not TELLS, reason="before 3.0 a rule's answer is told by its status alone")
@pytest.mark.parametrize("rule", REFUSALS)
def test_a_rule_that_refuses_is_no_failure_of_the_gateways(
    serve: Callable[..., Haproxy], logs: LogServer, token: str, rule: str
) -> None:
    pages = Pages()
    lines = f"timeout tarpit 200\nhttp-request {rule}"
    haproxy = serve(pages, upstream_lines=lines)
    try:
        once(haproxy.port, "POST", GENERATE, headers(token), BODY, 3)
    except (Closed, OSError):
        pass

    line = the_one_line(haproxy, logs, pages)
    assert (line["decision"], line["reason"]) == ("deny", "answered_by_rule"), line.text
    assert (line["charged"], line["principal"]) == ("0", "corp:alice")


# Rules of the operator's own, wherever they sign.

HEADS = LOGGED + """log global
option contstats
http-after-response set-var-fmt(txn.vertex.uploaded) "%U"
"""
WAYS: dict[str, tuple[list[str], list[str]]] = {
    "all in the frontend": ([ALL, unless("signed")], []),
    "steps in the frontend": (
        [VERIFY, AUTHORIZE, unless("allowed"), SIGN, unless("signed")],
        [],
    ),
    "signed in the backend": ([VERIFY, AUTHORIZE, unless("allowed")], [SIGN, unless("signed")]),
    "all in the backend": (["http-request set-var(txn.mine) int(1)"], [ALL, unless("signed")]),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_silent_end_is_told_wherever_a_call_was_signed(
    actions: Callable[..., Haproxy],
    standin: Standin,
    raw: RawGoogle,
    logs: LogServer,
    token: str,
    way: str,
) -> None:
    """Google closes every third answer's connection: with three places, the fourth would find none."""
    rules, again = WAYS[way]
    pages = Pages()
    limits = {"parallel_requests": 3}
    haproxy = actions(
        *rules,
        google_http=raw.port,
        vertex=with_roles(standin.service_account, {"ml": {"limits": limits}}),
        frontend_lines=HEADS,
        sections=pages.section.replace(" from vertex-internal", ""),
        before_backend="\n".join([*again, READ]),
    )
    good, none = (target(f"gemini-2.5-{kind}") for kind in ("good", "none"))

    def is_served() -> bool:
        return post(haproxy, token, good).status == 200

    eventually(is_served, "keys are there")
    before = len(logs.wait_for(1))
    for _ in range(5):
        with Connection(haproxy.port, timeout=5) as connection:
            for _ in range(2):
                assert connection.request("POST", good, headers(token), BODY).status == 200
            with pytest.raises(Closed):
                connection.request("POST", none, headers(token), BODY)
            time.sleep(0.1)
    lines = logs.wait_for(before + 15)[before:]
    assert [line["upstream"] for line in lines].count("closed") == 5
    eventually(lambda: pages.metrics()[key("calls_in_flight")] == 0, "nothing is in flight")
    assert is_served()
