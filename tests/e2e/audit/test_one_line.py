"""Exactly one access line a request, and every line can be read by a strict reader: under load, with
callers, Googles and reloads of every kind. Afterwards nothing is in flight."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from h2.exceptions import ProtocolError

from support.expect.budget import hold, target, with_roles
from support.expect.eventually import eventually
from support.load.length import of_two
from support.load.lines import one_each, seen
from support.load.rough import RoughCallers
from support.log.line import AccessLine
from support.log.server import LogServer
from support.wire.calls import BODY, headers, post
from support.wire.http1 import Closed, Connection, once
from support.wire.http2 import H2
from support.wire.rawgoogle import RawGoogle
from support.world.configuration import Configuration, section
from support.world.haproxy import Haproxy
from support.world.place import free_port
from support.world.standin import Standin

WELL, ILL, DOWN = PLACES = ("us-central1", "global", "europe-west4")
SECONDS = of_two(4, 90)
RELOADS = of_two(2, 10)
# Style and reloads; each with each would take too long for every day.
STYLES = ("text", "json")
MOBS = of_two(
    [("text", RELOADS), ("json", 0)], [(style, n) for style in STYLES for n in (0, RELOADS)]
)
ROOM = 64  # in flight at once; there are fewer clients

styles = pytest.mark.parametrize("style", STYLES)


@pytest.fixture
def busy(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    raw: RawGoogle,
) -> Callable[..., Haproxy]:
    """`busy(style, nbthread)`: a gateway with three Googles: one that behaves, one that does not,
    one that is down."""

    def one(style: str, nbthread: int = 4) -> Haproxy:
        role: dict[str, Any] = {"limits": {"parallel_requests": ROOM}}
        vertex = with_roles(standin.service_account, {"ml": role})
        vertex["roles"][0]["may"]["locations"] = list(PLACES)
        ports = {ILL: raw.port, DOWN: free_port()}
        others = [
            section(
                f"backend vertex_{location} from vertex-upstream",
                ["retries 0", f"server google 127.0.0.1:{port}", "filter lua.vertex-meter"],
            )
            for location, port in ports.items()
        ]
        made = configuration(
            vertex=vertex,
            locations=(WELL,),
            sections="\n".join(others),
            nbthread=nbthread,
            environment={"VERTEX_LOG_STYLE": style},
        )
        return launch(made)

    return one


def nothing_is_in_flight(haproxy: Haproxy, standin: Standin, token: str) -> None:
    """Whether there is room for as many as there ever may be; and, the twin, for no more."""
    standin.google(chunks=2, gate=True)
    held: list[Connection] = []
    try:
        for _ in range(ROOM):
            connection, head = hold(haproxy, token)
            held.append(connection)
            assert head.status == 200, f"only {len(held) - 1} of {ROOM}"
        connection, head = hold(haproxy, token)
        held.append(connection)
        assert head.status == 429
    finally:
        standin.release(all=True)
        for connection in held:
            connection.close()
    standin.google()


@pytest.mark.parametrize(("style", "reloads"), MOBS)
def test_a_mob_leaves_one_line_a_request(
    busy: Callable[..., Haproxy],
    standin: Standin,
    raw: RawGoogle,
    logs: LogServer,
    style: str,
    reloads: int,
) -> None:
    tokens = standin.tokens(24, {"groups": ["ml"]})
    # So long everybody waits for keys, after the start and after each reload.
    standin.idp(delay_ms=300)
    standin.google(chunks=3, interval_ms=30)
    haproxy = busy(style)

    with RoughCallers(haproxy.port, tokens, PLACES) as mob:
        for _ in range(reloads):
            time.sleep(SECONDS / (reloads + 1))
            haproxy.reload()
        time.sleep(SECONDS / (reloads + 1))
    sent = mob.sent
    haproxy.wait_for_old_workers()
    time.sleep(of_two(1, 5))  # those who left: HAProxy ends their requests

    assert sent.surprises == []
    lines = one_each(style, logs, sent, seen(standin, raw))
    reasons = Counter(line.said["reason"] for line in lines)
    aborted = Counter(line.said["aborted"] for line in lines)
    kinds = Counter(line.said["tokens"] for line in lines)
    print(f"{style}, {reloads} reloads: {len(lines)} lines, {len(sent.must)} sure,", end=" ")
    print(f"{len(sent.may)} unsure; {dict(sent.statuses)} {dict(reasons)} {dict(kinds)}")
    assert len(lines) > of_two(200, 10_000)
    assert {"ok", "token_missing", "token_malformed", "undecided", "upstream_closed"} <= set(reasons)
    assert aborted["0"] and aborted["1"]
    assert set(kinds) == {"-", "exact", "at_least", "unknown", "none"}
    assert {200, 401, 502, 503} <= set(sent.statuses)

    for line in lines:
        is_allowed = line.said["decision"] == "allow"
        assert line.said["charged"] != "-" or not is_allowed, line
        assert line.said["role"] != "-" or line.said["charged"] == "-", line
    logs.clear()
    nothing_is_in_flight(haproxy, standin, tokens[0])


@styles
def test_streams_of_http2_that_are_taken_back_have_one_line_or_none(
    busy: Callable[..., Haproxy], standin: Standin, raw: RawGoogle, logs: LogServer, style: str
) -> None:
    haproxy = busy(style)
    token = standin.token({"groups": ["ml"]})
    pairs = headers(token)
    once(haproxy.port, "POST", target(), pairs, BODY)  # until then there may be no keys
    logs.wait_for(1, which=AccessLine.is_access)
    logs.clear()
    mob = RoughCallers(haproxy.port, [token], PLACES, clients=0)
    for number in range(of_two(20, 200)):
        with H2(haproxy.port) as connection:
            for turn in range(6):
                mark = f"gemini-2.5-slow-{number}-{turn}"
                asked = mob.target("ill", "slow", f"{number}-{turn}", streamed=True)
                stream = connection.send("POST", asked, pairs, BODY)
                if turn % 3 == 0:  # at once: HAProxy may not have looked at it
                    connection.reset_stream(stream)
                    mob.note(mark, must=False)
                    continue
                connection.wait(stream, for_body=True)
                mob.note(mark, must=True)
                if turn % 3 == 1:
                    connection.reset_stream(stream)
            if number % 2:
                connection.reset()
    time.sleep(1)

    lines = one_each(style, logs, mob.sent, seen(standin, raw))
    assert len(lines) >= len(mob.sent.must)
    nothing_is_in_flight(haproxy, standin, token)


TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

# What only the other style can say, or what differs from one run to the next.
DIFFERENT = ("id", "first_byte_ms", "response_id")


def test_both_styles_say_the_same(
    busy: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    told = {}
    for style in ("text", "json"):
        haproxy = busy(style)
        some_of_each(haproxy, standin)
        count = 12
        logs.wait_for(count, which=AccessLine.is_access)
        time.sleep(0.3)
        haproxy.stop()
        logs.catch_up()
        lines = logs.those(AccessLine.is_access)
        assert len(lines) == count, lines
        assert all(line.is_json() == (style == "json") for line in lines)
        told[style] = sorted(
            sorted((key, value) for key, value in line.said.items() if key not in DIFFERENT)
            for line in lines
        )
        ids = [line.said["id"] for line in lines if line.said["upstream"] != "-"]
        assert len(set(ids)) == len(ids) and all(len(one) == 36 for one in ids)
        logs.clear()
    for text, as_json in zip(told["text"], told["json"], strict=True):
        assert text == as_json


def some_of_each(haproxy: Haproxy, standin: Standin) -> None:
    good = standin.token({"groups": ["ml"], "sub": 'a "b" {c}|\n\u20ac', "email": "d e=f\x00"})
    mob = RoughCallers(haproxy.port, [good], PLACES, clients=0)
    for place, kind in (
        ("well", "flash"), ("ill", "good"), ("ill", "big"), ("ill", "cut"), ("ill", "none"),
        ("ill", "slow"), ("down", "good"),
    ):  # fmt: skip
        asked = mob.target(place, kind, "1-1", streamed=kind in ("cut", "slow"))
        try:
            post(haproxy, good, asked, session_id=f"{kind} 1=|", traceparent=TRACEPARENT)
        except Closed:
            pass
    asked = mob.target("well", "flash", "1-1", streamed=False)
    for pairs in (headers(None), headers("x.y.z"), headers(standin.token({"groups": ["no"]}))):
        once(haproxy.port, "POST", asked, pairs, BODY)
    once(haproxy.port, "GET", '/v1/"%22%00{x}|^?key=secret', headers(good))
    with Connection(haproxy.port) as connection:
        connection.send(b"GET / NONSENSE\r\n\r\n")
        connection.read()


CLOSING = (
    "fin", "short", "none", "reset", "garbage", "half", "line", "head", "empty", "piece", "early", "now",
    "last",
)  # fmt: skip


def asked_over_http1(
    haproxy: Haproxy, mob: RoughCallers, token: str, kinds: tuple[str, ...], mark: str
) -> None:
    with Connection(haproxy.port, timeout=20) as connection:
        for turn, kind in enumerate(kinds):
            name = f"gemini-2.5-{kind}-{mark}-{turn}"
            asked = mob.target("ill", kind, f"{mark}-{turn}", streamed=kind in ("piece", "fin"))
            mob.note(name, must=False)  # Google tells which ones left
            try:
                connection.send_request("POST", asked, headers(token), BODY)
                mob.note(name, True, connection.read().status)
            except (Closed, ConnectionError):
                return


def asked_over_http2(
    haproxy: Haproxy, mob: RoughCallers, token: str, kinds: tuple[str, ...], mark: str
) -> None:
    with H2(haproxy.port, timeout=20) as connection:
        for turn, kind in enumerate(kinds):
            asked = mob.target("ill", kind, f"{mark}-{turn}", streamed=kind in ("piece", "fin"))
            name = f"gemini-2.5-{kind}-{mark}-{turn}"
            mob.note(name, must=False)
            try:
                status = connection.request("POST", asked, headers(token), BODY).status
                mob.note(name, bool(status), status or None)
            except ProtocolError:
                return  # an answer that was shorter than it said


WAYS = {"1.1": asked_over_http1, "2": asked_over_http2}


@styles
@pytest.mark.parametrize("version", WAYS)
def test_wherever_google_closes_a_connection_each_request_that_left_has_its_line(
    busy: Callable[..., Haproxy],
    standin: Standin,
    raw: RawGoogle,
    logs: LogServer,
    version: str,
    style: str,
) -> None:
    """On a new connection and on one that was used before, at every point of request and answer."""
    haproxy = busy(style)
    token = standin.token({"groups": ["ml"]})
    mob = RoughCallers(haproxy.port, [token], PLACES, clients=0)
    for number in range(of_two(2, 20)):
        for place, kind in enumerate(CLOSING):
            for behind in range(3):
                kinds = (*["good"] * behind, kind)
                WAYS[version](haproxy, mob, token, kinds, f"{number * 1000 + place * 10 + behind}")
        if number == 0:
            haproxy.reload()
    haproxy.wait_for_old_workers()
    time.sleep(2)

    lines = one_each(style, logs, mob.sent, seen(standin, raw))
    closed = [line for line in lines if line.said["upstream"] == "closed"]
    assert closed, "no connection was closed without a word"
    for line in closed:
        said = line.said
        assert (said["decision"], said["reason"]) == ("deny", "upstream_closed")
        assert said["principal"].startswith("corp:") and said["role"] == "ml"
        assert said["aborted"] == "1" and said["charged"] != "0"
    nothing_is_in_flight(haproxy, standin, token)


def test_a_request_that_an_administrator_ends_has_one_line(
    busy: Callable[..., Haproxy], standin: Standin, raw: RawGoogle, logs: LogServer
) -> None:
    haproxy = busy("text")
    token = standin.token({"groups": ["ml"]})
    raw.answers["hang"] = lambda client: time.sleep(3)
    mob = RoughCallers(haproxy.port, [token], PLACES, clients=0)
    for number in range(3):
        with Connection(haproxy.port) as connection:
            asked = mob.target("ill", "hang", f"{number}-0", streamed=False)
            connection.send_request("POST", asked, headers(token), BODY)
            eventually(lambda: len(raw.targets) > number, "it has left")
            haproxy.ask(f"shutdown sessions server vertex_{ILL}/google")
        mob.note(f"gemini-2.5-hang-{number}-0", must=True)
    logs.wait_for(3, which=AccessLine.is_access)
    time.sleep(1)

    one_each("text", logs, mob.sent, seen(standin, raw))
    nothing_is_in_flight(haproxy, standin, token)
