"""Long bodies that are sent in ways that no single request shows: behind others, in drips, over a
reload, to a Google that answers early or fails. Each way is tried with a body that no role allows
and with one that passes, and then with the check off: the bad one has to come through as well."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from support.expect.eventually import eventually
from support.expect.recorded import is_json
from support.log.server import LogServer
from support.wire.bodies import BodyRecorder
from support.wire.calls import GENERATE, STREAM, headers
from support.wire.http1 import Closed, Connection
from support.wire.http2 import H2
from support.world.configuration import Configuration
from support.world.faults import lua_path_with_panic
from support.world.haproxy import Haproxy
from support.world.standin import Standin

from bypass.uploads import OWN, SEARCH, behind_two, fill

BAD, GOOD = (behind_two(member, fill("b", 40_000), member_end) for member, member_end in (
    (SEARCH, b'"c":1'), (OWN, b'"c":1'),
))  # fmt: skip
# A tool near the end: all but 100 bytes of it may have left.
BAD_LATE, GOOD_LATE = (behind_two(fill("b", 40_000), member) for member in (SEARCH, OWN))
RETRIES = "retry-on conn-failure 503\nretries 3\noption redispatch"


@dataclass
class Stage:
    haproxy: Haproxy
    token: str
    google: BodyRecorder

    @property
    def port(self) -> int:
        return self.haproxy.port

    def head(self, body: bytes, **more: str) -> dict[str, str]:
        return headers(self.token) | {"Content-Length": str(len(body))} | more

    def has_come(self, body: bytes) -> bool:
        """Whether Google has the whole of it."""
        return any(request.body == body for request in self.google.requests)


def answer(connection: Connection) -> int:
    """The status; 0 if the connection was ended instead."""
    try:
        return connection.read().status
    except Closed:
        return 0


def pipelined(stage: Stage, body: bytes) -> None:
    with Connection(stage.port) as connection:
        for each in (GOOD, b"{}", body):
            connection.send_request("POST", GENERATE, stage.head(each), each)
        for _ in range(3):
            answer(connection)


def in_turn(stage: Stage, body: bytes) -> None:
    with Connection(stage.port) as connection:
        for each in (GOOD, b"{}", body):
            connection.request("POST", GENERATE, stage.head(each), each)


def in_drips(stage: Stage, body: bytes) -> None:
    with Connection(stage.port) as connection:
        connection.send_request("POST", GENERATE, stage.head(body), body[:-50])
        for at in range(len(body) - 50, len(body)):
            time.sleep(0.002)
            connection.send(body[at : at + 1])
        answer(connection)


def in_chunks_of_a_byte(stage: Stage, body: bytes) -> None:
    with Connection(stage.port) as connection:
        framed = headers(stage.token) | {"Transfer-Encoding": "chunked"}
        connection.send_request("POST", GENERATE, framed)
        start = body[:-3000]
        connection.send(b"%x;x=y\r\n%b\r\n" % (len(start), start))
        rest = (body[at : at + 1] for at in range(len(body) - 3000, len(body)))
        connection.send(b"".join(b"1\r\n%b\r\n" % byte for byte in rest) + b"0\r\n\r\n")
        answer(connection)


def with_100_continue(stage: Stage, body: bytes) -> None:
    with Connection(stage.port) as connection:
        connection.send_request("POST", GENERATE, stage.head(body, Expect="100-continue"))
        assert connection.socket.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.send(body)
        answer(connection)


def in_two_streams(stage: Stage, body: bytes) -> None:
    with H2(stage.port) as h2:
        streams = []
        for each in (GOOD, body):
            # No Content-Length, as the stream is left open.
            begun = h2.send("POST", GENERATE, headers(stage.token), each[:25_000], end=False)
            streams.append((begun, each))
        for at in range(25_000, max(len(GOOD), len(body)), 10_000):
            for stream, each in streams:
                if not h2.is_over(stream) and each[at:]:
                    h2.send_more(stream, each[at : at + 10_000], end=at + 10_000 >= len(each))
        for stream, _ in streams:
            h2.wait(stream)


def over_a_reload(stage: Stage, body: bytes) -> None:
    with Connection(stage.port) as connection:
        connection.send_request("POST", GENERATE, stage.head(body), body[:60_000])
        stage.haproxy.reload()
        connection.send(body[60_000:])
        answer(connection)


def plainly(stage: Stage, body: bytes) -> None:
    with Connection(stage.port) as connection:
        connection.send_request("POST", GENERATE, stage.head(body), body)
        answer(connection)


def as_the_answer_streams(stage: Stage, body: bytes) -> None:
    with Connection(stage.port) as connection:
        connection.send_request("POST", STREAM, stage.head(body), body[:60_000])
        connection.read_head()
        for at in range(60_000, len(body), 5000):
            time.sleep(0.002)
            with contextlib.suppress(ConnectionError):
                connection.send(body[at : at + 5000])
        with contextlib.suppress(Closed):
            while connection.socket.recv(65536):
                if stage.has_come(body):
                    break


@dataclass(frozen=True)
class Scene:
    play: Callable[[Stage, bytes], None]
    google: Callable[[], BodyRecorder] = BodyRecorder
    different: dict[str, object] = field(default_factory=dict)


SCENES = {
    "pipelined": Scene(pipelined),
    "one after the other": Scene(in_turn),
    "in drips": Scene(in_drips),
    "in chunks of a byte": Scene(in_chunks_of_a_byte),
    "with 100-continue": Scene(with_100_continue),
    "in two streams": Scene(in_two_streams),
    "over a reload": Scene(over_a_reload),
    "to a Google that is tried again": Scene(
        plainly, lambda: BodyRecorder(fails=2), {"upstream_lines": RETRIES}
    ),
    "as the answer streams": Scene(as_the_answer_streams, lambda: BodyRecorder(streams=True)),
}

Set = Callable[..., contextlib.AbstractContextManager[Stage]]


@pytest.fixture
def stage(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
) -> Set:
    @contextlib.contextmanager
    def one(scene: Scene, off: str = "") -> Iterator[Stage]:
        google = scene.google()
        environment = {**lua_path_with_panic(), "HAPROXY_VERTEX_WITHOUT": off} if off else {}
        haproxy = launch(
            configuration(google_http=google.port, environment=environment, **scene.different)
        )
        yield Stage(haproxy, standin.token({"groups": ["ml"]}), google)
        google.stop()

    return one


@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
@pytest.mark.parametrize("name", SCENES)
def test_no_way_brings_a_bad_body_through_and_each_a_good_one(
    stage: Set, name: str, late: bool
) -> None:
    bad, good = (BAD_LATE, GOOD_LATE) if late else (BAD, GOOD)
    with stage(SCENES[name]) as here:
        SCENES[name].play(here, bad)
        SCENES[name].play(here, good)
        eventually(lambda: here.has_come(good), "the good one comes")
        assert not here.has_come(bad)
        assert not any(is_json(r.body) and b"googleSearch" in r.body for r in here.google.requests)


@pytest.mark.parametrize("name", SCENES)
def test_with_the_check_off_each_way_brings_it_through(stage: Set, name: str) -> None:
    with stage(SCENES[name], off="tools") as here:
        SCENES[name].play(here, BAD_LATE)
        eventually(lambda: here.has_come(BAD_LATE), "the bad one comes")


LEAVE: dict[str, Callable[[Connection], None]] = {
    "close": lambda connection: connection.close(),
    "half": lambda connection: connection.shut_write(),
    "reset": lambda connection: connection.reset(),
}


@pytest.mark.parametrize("way", LEAVE)
def test_who_leaves_has_sent_nothing_whole(stage: Set, logs: LogServer, way: str) -> None:
    with stage(SCENES["pipelined"]) as here:
        begin = BAD_LATE.index(SEARCH)
        lengths = [30_000, 60_000, begin + 10, len(BAD_LATE) - 2, len(BAD_LATE) - 1, len(BAD_LATE)]
        for length in lengths:
            with Connection(here.port) as connection:
                head = here.head(BAD_LATE)
                connection.send_request("POST", GENERATE, head, BAD_LATE[:length])
                LEAVE[way](connection)
        # With a line each they have ended.
        assert {line["decision"] for line in logs.wait_for(len(lengths))} == {"deny"}
        assert not any(is_json(request.body) for request in here.google.requests)
        plainly(here, GOOD_LATE)
        assert here.has_come(GOOD_LATE)


def test_a_stream_that_is_taken_back_has_sent_nothing_whole(stage: Set) -> None:
    with stage(SCENES["in two streams"]) as here, H2(here.port) as h2:
        for length in (25_000, 60_000):
            head = headers(here.token)
            stream = h2.send("POST", GENERATE, head, BAD_LATE[:length], end=False)
            h2.reset_stream(stream)
        assert h2.request("POST", GENERATE, headers(here.token), GOOD_LATE).status == 200
        eventually(lambda: here.has_come(GOOD_LATE), "the good one comes")
        assert not any(is_json(r.body) and r.body != GOOD_LATE for r in here.google.requests)


def test_what_is_dropped_of_a_refused_body_is_no_request(stage: Set) -> None:
    """The rest of the body looks like one, and names another caller's right."""
    with stage(SCENES["pipelined"]) as here:
        inner = f"\r\n\r\nPOST {GENERATE} HTTP/1.1\r\nHost: x\r\n"
        inner += f"Authorization: Bearer {here.token}\r\n"
        inner += "Content-Type: application/json\r\nContent-Length: 15\r\n\r\n"
        smuggled = BAD_LATE[:-1] + b"," + inner.encode() + b'{"contents":[]}'
        with Connection(here.port) as connection:
            connection.send_request("POST", GENERATE, here.head(smuggled), smuggled)
            assert answer(connection) == 400
            with contextlib.suppress(ConnectionError):
                connection.send_request("POST", GENERATE, here.head(BAD_LATE), BAD_LATE)
                assert answer(connection) in (0, 403)
        with Connection(here.port) as connection:
            connection.send(inner.partition("\r\n\r\n")[2].encode() + b'{"contents":[]}')
            assert answer(connection) == 200
        assert [r.body for r in here.google.requests if is_json(r.body)] == [b'{"contents":[]}']


@pytest.mark.parametrize("status", [200, 413])
def test_an_early_answer_lets_nothing_through(stage: Set, status: int) -> None:
    scene = Scene(plainly, lambda: BodyRecorder(early=status))
    with stage(scene) as here:
        for body in (BAD_LATE, GOOD_LATE):
            with Connection(here.port) as connection:
                connection.send_request("POST", GENERATE, here.head(body), body[:60_000])
                assert connection.read().status == status
                with contextlib.suppress(ConnectionError):
                    connection.send(body[60_000:])
                    connection.send_request("POST", GENERATE, here.head(body), body)
                    answer(connection)
        assert here.google.requests
        assert not here.has_come(BAD_LATE)
