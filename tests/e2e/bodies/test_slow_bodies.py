"""Bodies of requests that have to wait for an issuer's keys first: Lua then awaits them."""

import time
from collections.abc import Callable

import pytest
from support.log.server import LogServer
from support.wire.calls import BODY, GENERATE, headers
from support.wire.http1 import Connection
from support.wire.http2 import H2
from support.world.configuration import Configuration
from support.world.haproxy import Haproxy
from support.world.standin import Standin

CACHE = "/v1/projects/acme-ml/locations/us-central1/cachedContents/7"
LONG = BODY[:-1] + b" " * 40_000 + b"}"


@pytest.fixture
def slow(gateway: Callable[..., Haproxy], standin: Standin) -> Haproxy:
    """A gateway whose first request waits: the issuer takes its time."""
    standin.idp("normal", delay_ms=700)
    return gateway()


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_body_that_does_not_fit_the_buffer_passes_once_the_keys_are_there(
    slow: Haproxy, standin: Standin, logs: LogServer, version: str
) -> None:
    if version == "1.1":
        with Connection(slow.port, timeout=20) as connection:
            status = connection.request("POST", GENERATE, headers(standin.token()), LONG).status
    else:
        length = {"content-length": str(len(LONG))}
        with H2(slow.port, timeout=20) as h2:
            status = h2.request("POST", GENERATE, headers(standin.token()) | length, LONG).status

    assert status == 200
    assert logs.wait_for(1)[0]["reason"] == "ok"
    [seen] = standin.requests(of="google")
    assert seen["body_length"] == len(LONG)


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("parts", [[b"", BODY], [BODY[:9], BODY[9:20], BODY[20:]]])
def test_a_body_that_comes_late_and_in_parts_is_read_whole(
    slow: Haproxy, standin: Standin, version: str, parts: list[bytes]
) -> None:
    length = {"content-length": str(len(BODY))}
    sent = headers(standin.token()) | length
    if version == "1.1":
        with Connection(slow.port, timeout=20) as connection:
            connection.send_request("POST", GENERATE, sent)
            for part in parts:
                connection.send(part)
                time.sleep(0.8)
            status = connection.read().status
    else:
        with H2(slow.port, timeout=20) as h2:
            stream = h2.send("POST", GENERATE, sent, end=False)
            for index, part in enumerate(parts):
                h2.send_more(stream, part, end=index + 1 == len(parts))
                time.sleep(0.8)
            status = h2.wait(stream).status

    assert status == 200
    [seen] = standin.requests(of="google")
    assert seen["body_length"] == len(BODY)


@pytest.mark.parametrize("brings", [False, True])
def test_a_get_over_http_2_brings_no_body_however_late(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    brings: bool,
) -> None:
    standin.idp("normal", delay_ms=700)
    made = configuration()
    made.vertex["roles"][0]["may"]["methods"] = ["stateful/cachedContents.get"]
    haproxy = launch(made)

    with H2(haproxy.port, timeout=20) as h2:
        stream = h2.send("GET", CACHE, headers(standin.token()), end=not brings)
        if brings:
            time.sleep(3)  # long after the keys are there
            h2.send_more(stream, b"{}", end=True)
        status = h2.wait(stream).status

    assert status == (403 if brings else 404)  # the stand-in has no caches
    assert len(standin.requests(of="google")) == (0 if brings else 1)


@pytest.mark.parametrize("body", [BODY, LONG], ids=["short", "long"])
def test_who_waits_to_be_told_to_go_on_is_told(
    slow: Haproxy, standin: Standin, body: bytes
) -> None:
    with Connection(slow.port) as connection:
        sized = {"Content-Length": str(len(body)), "Expect": "100-continue"}
        connection.send_request("POST", GENERATE, headers(standin.token()) | sized)
        assert connection.socket.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.send(body)
        assert connection.read().status == 200
