"""A Google that keeps to no rules: it answers as the model's name says, in bytes that no proper
server would send. `gemini-2.5-cut-7` asks for the answer `cut`."""

import re
import socket
import struct
import threading
import time
from collections.abc import Callable

from support.wire.listener import Listener

Answer = Callable[[socket.socket], None]

_MODEL = re.compile(rb"/models/gemini-2\.5-([a-z]+)(?:-[^:]*)?:")
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s\r\n\r\n"
_EVENT = b'data: {"candidates":[{"content":{"parts":[{"text":"x"}]}}]}\r\n\r\n'
_USAGE = b'"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":5,"totalTokenCount":7}'
_LAST = b'data: {"candidates":[{"finishReason":"STOP"}],' + _USAGE + b"}\r\n\r\n"
BIG = 1 << 20


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(body: bytes, kind: bytes = b"application/json") -> bytes:
    return _HEAD % (kind, b"Content-Length: %d" % len(body)) + body


def events(*pieces: bytes) -> bytes:
    begin = _HEAD % (b"text/event-stream", b"Transfer-Encoding: chunked")
    return begin + b"".join(chunk(piece) for piece in pieces)


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def _cut(client: socket.socket) -> None:
    client.sendall(events(_EVENT))
    time.sleep(0.02)
    _reset(client)


def _slow(client: socket.socket) -> None:
    client.sendall(events(_EVENT))
    for piece in (*[_EVENT] * 8, _LAST):
        time.sleep(0.03)
        client.sendall(chunk(piece))
    client.sendall(b"0\r\n\r\n")


def _big(client: socket.socket) -> None:
    text = b'{"candidates":[{"content":{"parts":[{"text":"' + b"x" * BIG + b'"}]}}],' + _USAGE + b"}"
    client.sendall(whole(text))


def _half(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)
    time.sleep(0.2)


def _after(data: bytes) -> Answer:
    """Closes once this much has been sent."""
    return lambda client: client.sendall(data)


ANSWERS: dict[str, Answer] = {
    "good": lambda client: client.sendall(whole(b"{" + _USAGE + b"}")),
    "slow": _slow,
    "big": _big,
    # Endings that are none.
    "cut": _cut,
    "fin": lambda client: client.sendall(events(_EVENT)),
    "short": lambda client: client.sendall(whole(b"{" + _USAGE + b"}")[:-5]),
    "none": lambda client: None,
    "reset": _reset,
    "garbage": lambda client: client.sendall(b"not HTTP\r\n\r\n"),
    "half": _half,
    "line": _after(b"HTTP/1.1 2"),
    "head": _after(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"),
    "empty": _after(_HEAD % (b"application/json", b"Content-Length: 9")),
    "piece": _after(events(_EVENT)[:-9]),
    "last": _after(whole(b"{" + _USAGE + b"}")),
}
# Those that end before the request has been read: `early` its body, `now` its head.
EARLY: dict[str, Answer] = {"early": lambda client: None, "now": _reset}
# After these the connection goes on.
_KEEPS = ("good", "slow", "big", "flash")


class RawGoogle:
    """`answers` adds to those above."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = ANSWERS | answers
        # What every request gets, whatever model it names.
        self.always: str | None = None
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._targets: list[bytes] = []
        self._listener = Listener(self._serve, backlog=512)
        self.port = self._listener.port

    @property
    def targets(self) -> list[str]:
        """The path of each request so far."""
        with self._lock:
            return [target.decode("latin-1") for target in self._targets]

    def stop(self) -> None:
        self._listener.close()
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has gone already

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._clients.add(client)
        unread = b""
        try:
            with client:
                while True:
                    while b"\r\n\r\n" not in unread:
                        more = client.recv(65536)
                        if not more:
                            return
                        unread += more
                    head, _, unread = unread.partition(b"\r\n\r\n")
                    named = _MODEL.search(head)
                    kind = self.always or (named[1].decode() if named else "good")
                    if kind in EARLY:
                        self._note(head)
                        EARLY[kind](client)
                        return
                    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                    wanted = int(length[1]) if length else 0
                    while len(unread) < wanted:
                        unread += client.recv(65536) or self._gone()
                    unread = unread[wanted:]
                    self._note(head)
                    self.answers[kind](client)
                    if kind not in _KEEPS:
                        return
        except OSError:
            pass  # whoever asked has gone
        finally:
            with self._lock:
                self._clients.discard(client)

    def _note(self, head: bytes) -> None:
        with self._lock:
            self._targets.append(head.split(b" ")[1])

    @staticmethod
    def _gone() -> bytes:
        raise ConnectionError("gone amid a body")
