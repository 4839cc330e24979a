"""Bodies arrive whole, however large the credentials beside them are."""

import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.log.server import LogServer
from support.wire.calls import GENERATE, headers, post
from support.wire.http1 import Connection, Response, once
from support.world.configuration import Configuration, unread, vertex_json
from support.world.haproxy import Haproxy, NotStarted
from support.world.standin import Standin

FOR_12_KB = {"VERTEX_BUFSIZE": "65536", "VERTEX_MAXREWRITE": "16384"}
HAPROXY_DEFAULTS = {"VERTEX_BUFSIZE": "16384", "VERTEX_MAXREWRITE": "1024"}
TOKEN_LIMIT = 16_384


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def token(standin: Standin) -> str:
    return standin.token({"groups": ["ml"]})


def with_access_token(standin: Standin, folder: Path, length: int) -> dict[str, Any]:
    """A configuration whose Google credential is an access token of that length."""
    access_token = ("ya29." + os.urandom(length).hex())[:length]
    vertex = vertex_json(standin.service_account)
    vertex["credentials"] = standin.access_token(folder, access_token)
    return unread(vertex)


def post_in_pieces(connection: Connection, token: str, body: bytes) -> Response:
    """Headers and the first part of the body in one packet, the rest later."""
    first = 12_000
    pairs = headers(token) | {"Content-Length": str(len(body))}
    connection.send_request("POST", GENERATE, pairs, body[:first])
    for at in range(first, len(body), 40_000):
        time.sleep(0.002)
        connection.send(body[at : at + 40_000])
    return connection.read()


@pytest.mark.parametrize("length", [1024, 4096, 12_288])
def test_a_long_google_token_fits_beside_a_body_that_has_begun_to_arrive(
    gateway: Callable[..., Haproxy], standin: Standin, tmp_path: Path, token: str, length: int
) -> None:
    environment = FOR_12_KB if length > 4096 else {}
    haproxy = gateway(vertex=with_access_token(standin, tmp_path, length), environment=environment)
    bodies = [os.urandom(100_000) for _ in range(50)]

    for body in bodies[:25]:
        with Connection(haproxy.port) as connection:
            assert post_in_pieces(connection, token, body).status == 200
    with Connection(haproxy.port) as connection:
        for body in bodies[25:]:
            assert post_in_pieces(connection, token, body).status == 200

    seen = standin.requests(of="google")
    assert [request["body_sha256"] for request in seen] == [sha256(body) for body in bodies]
    assert {request["bearer"]["kind"] for request in seen} == {"access_token"}


@pytest.mark.parametrize("length", [4096, 12_288])
def test_buffers_that_are_too_small_are_refused_with_what_to_write(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
    length: int,
) -> None:
    vertex = with_access_token(standin, tmp_path, length)
    small = launch(configuration(vertex=vertex, environment=HAPROXY_DEFAULTS), start=False)

    check = small.check()

    assert check.status == 1
    for part in (f"{small.folder}/vertex.json: /credentials:", "1024", "16384"):
        assert part in check.output
    written = dict(re.findall(r"\b(VERTEX_[A-Z]+)=(\d+)", check.output))
    assert written.keys() == HAPROXY_DEFAULTS.keys()
    with pytest.raises(NotStarted, match="VERTEX_MAXREWRITE"):
        small.start()

    small.configuration.environment = written  # the twin: what it said is right
    assert small.check().status == 0
    small.start()


def test_buffers_may_be_set_in_a_file_read_before(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
) -> None:
    haproxy = launch(
        configuration(vertex=with_access_token(standin, tmp_path, 12_288)), start=False
    )
    before = tmp_path / "before.cfg"
    files = haproxy.configuration.file_arguments(haproxy.folder / "test.cfg")[1::2]
    haproxy.configuration.files = [before, *files]

    for sizes, status in ((HAPROXY_DEFAULTS, 1), (FOR_12_KB, 0)):
        lines = "".join(f"    setenv {name} {value}\n" for name, value in sizes.items())
        before.write_text("global\n" + lines)
        assert haproxy.check().status == status


def token_of(standin: Standin, length: int) -> str:
    """A caller's token of that length or up to three bytes less."""
    short = len(standin.token({"groups": ["ml"], "pad": ""}))
    token = standin.token({"groups": ["ml"], "pad": "x" * ((length - short) * 3 // 4)})
    assert length - 4 < len(token) <= length
    return token


@pytest.mark.parametrize("header", ["Authorization", "x-goog-api-key", "x-api-key"])
def test_a_caller_s_token_may_have_16_kb(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, header: str
) -> None:
    haproxy = gateway(vertex=unread(vertex_json(standin.service_account)))
    scheme = "Bearer " if header == "Authorization" else ""
    body = os.urandom(100_000)

    def post(token: str, body: bytes = body) -> Response:
        return once(haproxy.port, "POST", GENERATE, {header: scheme + token}, body)

    assert post(token_of(standin, TOKEN_LIMIT)).status == 200
    refused = post(token_of(standin, TOKEN_LIMIT + 5))
    assert refused.status == 401
    assert json.loads(refused.body)["error"]["details"][0]["reason"] == "token_too_long"
    assert post(token_of(standin, 20_000)).status == 401
    assert post("x" * 70_000, b"").status in (400, 431)  # HAProxy's own: more than a buffer

    [seen] = standin.requests(of="google")
    assert seen["body_sha256"] == sha256(body)


SIZES = [0, 1, 64 * 1024, 5_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_body_with_a_content_length_arrives_whole(
    gateway: Callable[..., Haproxy], standin: Standin, token: str, size: int
) -> None:
    body = os.urandom(size)

    haproxy = gateway(vertex=unread(vertex_json(standin.service_account)))

    assert post(haproxy, token, body=body).status == 200

    [seen] = standin.requests(of="google")
    assert (seen["body_length"], seen["body_sha256"]) == (size, sha256(body))


@pytest.mark.parametrize("size", SIZES)
def test_a_chunked_body_arrives_whole(
    gateway: Callable[..., Haproxy], standin: Standin, token: str, size: int
) -> None:
    body = os.urandom(size)
    pairs = headers(token) | {"Transfer-Encoding": "chunked"}
    step = max(1, size // 50)
    haproxy = gateway(vertex=unread(vertex_json(standin.service_account)))

    with Connection(haproxy.port) as connection:
        connection.send_request("POST", GENERATE, pairs)
        for at in range(0, size, step):
            piece = body[at : at + step]
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
        assert connection.read().status == 200

    [seen] = standin.requests(of="google")
    assert (seen["body_length"], seen["body_sha256"]) == (size, sha256(body))


def test_a_caller_who_waits_for_100_continue_is_asked_for_the_body(
    gateway: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    body = os.urandom(100_000)
    pairs = headers(token) | {"Expect": "100-continue", "Content-Length": str(len(body))}
    haproxy = gateway(vertex=unread(vertex_json(standin.service_account)))
    with Connection(haproxy.port) as connection:
        connection.send_request("POST", GENERATE, pairs)
        assert connection.socket.recv(13, socket.MSG_PEEK) == b"HTTP/1.1 100 "
        connection.send(body)
        assert connection.read().status == 200

    [seen] = standin.requests(of="google")
    assert seen["body_sha256"] == sha256(body)


def test_a_caller_who_waits_for_100_continue_may_be_refused_at_once(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    pairs = headers("garbage") | {"Expect": "100-continue", "Content-Length": "100000"}
    with Connection(gateway().port) as connection:
        connection.send_request("POST", GENERATE, pairs)
        assert connection.socket.recv(13) == b"HTTP/1.1 401 "
    assert standin.requests(of="google") == []
