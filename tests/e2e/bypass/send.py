"""Sends a request of the table over HTTP/1.1 or HTTP/2, byte for byte as it is written there."""

import time
from dataclasses import dataclass

import h2.exceptions
from support.wire.http1 import Closed, Connection
from support.wire.http2 import H2

from bypass.pair import Request, pieces

# So that what was sent before is read by itself, as a rule.
_MOMENT = 0.01


@dataclass(frozen=True)
class Answer:
    status: int  # 0: none, the connection or stream was ended
    port: int  # ours


def send(version: str, port: int, request: Request, token: str) -> Answer:
    return (_over_h1 if version == "1.1" else _over_h2)(port, request, token)


def _over_h1(port: int, request: Request, token: str) -> Answer:
    with Connection(port) as connection:
        own = connection.socket.getsockname()[1]
        try:
            for number, data in enumerate(_parts(request, token)):
                time.sleep(_MOMENT if number else 0)
                connection.send(data)
        except ConnectionError:
            pass  # it may have said why
        try:
            return Answer(connection.read_head().status, own)
        except Closed:
            return Answer(0, own)


def _parts(request: Request, token: str) -> list[bytes]:
    """The bytes of a request, cut where its body is."""
    first, *rest = pieces(request)
    pairs = _pairs(request, token)
    end = b""
    if request.chunked or request.trailers:
        pairs.append(("transfer-encoding", "chunked"))
        trailers = "".join(f"{name}: {value}\r\n" for name, value in request.trailers).encode()
        first, *rest = (b"%x\r\n%b\r\n" % (len(p), p) if p else b"" for p in (first, *rest))
        end = b"0\r\n" + trailers + b"\r\n"
    elif request.body is not None:
        pairs.append(("content-length", str(len(request.body))))
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    if request.authority:
        lines.append(f"host: {request.authority}")
    head = "\r\n".join([*lines, ""]).encode("latin-1")
    fields = "\r\n".join([*(f"{name}: {value}" for name, value in pairs), "", ""]).encode("latin-1")
    parts = [head + request.raw_lines + fields + first, *rest]
    return [*parts[:-1], parts[-1] + end]


def _pairs(request: Request, token: str) -> list[tuple[str, str]]:
    own = [("authorization", f"Bearer {token}")] if token else []
    more = [(name, value.replace("{token}", token)) for name, value in request.headers]
    return [*own, *request.media, *more]


def _over_h2(port: int, request: Request, token: str) -> Answer:
    pairs = _pairs(request, token)
    if request.body is not None and not (request.chunked or request.trailers):
        pairs.append(("content-length", str(len(request.body))))
    pseudo = request.pseudo or (
        (":method", request.method),
        (":scheme", "https"),
        (":authority", request.authority),
        (":path", request.target),
    )
    with H2(port) as connection:
        own = connection.socket.getsockname()[1]
        try:
            stream = connection.send_raw(
                [*pseudo, *pairs], pieces(request), list(request.trailers), _MOMENT
            )
            return Answer(connection.wait(stream).status, own)
        except (h2.exceptions.ProtocolError, ConnectionError):
            return Answer(0, own)
