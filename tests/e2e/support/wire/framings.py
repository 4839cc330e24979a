"""The ways in which a body is framed: with its length, in chunks, over HTTP/2."""

from support.wire.calls import GENERATE, headers
from support.wire.http1 import Connection, Response, once
from support.wire.http2 import H2, Answer
from support.world.haproxy import Haproxy

FRAMINGS = ("length", "chunks", "h2")
_CHUNK_BYTES = 10_000


def send(
    haproxy: Haproxy, token: str, framing: str, body: bytes, path: str = GENERATE
) -> Response | Answer:
    match framing:
        case "length":
            return once(haproxy.port, "POST", path, headers(token), body)
        case "chunks":
            return chunked(haproxy, token, body, path)
        case _:
            with H2(haproxy.port) as h2:
                return h2.request("POST", path, headers(token), body)


def chunked(haproxy: Haproxy, token: str, body: bytes, path: str = GENERATE) -> Response:
    with Connection(haproxy.port) as connection:
        connection.send_request("POST", path, headers(token) | {"Transfer-Encoding": "chunked"})
        for at in range(0, len(body), _CHUNK_BYTES):
            piece = body[at : at + _CHUNK_BYTES]
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
        return connection.read()
