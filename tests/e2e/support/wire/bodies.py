"""An HTTP/1.1 server in Google's place that keeps each byte of a body, also of one that breaks off."""

import re
import socket
import threading
from dataclasses import dataclass

from support.wire.listener import Listener

ANSWER = b'{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"totalTokenCount":7}}'
#: Bytes of a body that no buffer holds, not even a large one of HAProxy 3.4.
UNHELD = 1_200_000
_EVENTS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_EVENT = b"a\r\ndata: {}\r\n\r\n"
_LAST_EVENT = b"%x\r\ndata: %b\n\n\r\n0\r\n\r\n" % (len(ANSWER) + 8, ANSWER)
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_CHUNK = re.compile(rb"([0-9a-fA-F]+)\r\n")


@dataclass
class Recorded:
    head: bytes
    body: bytes = b""
    #: Whether all came that the head had promised.
    is_whole: bool = False


class BodyRecorder:
    """`early`: answers with this status as soon as a head is there, and reads on. `streams`: writes
    an event as soon as a head is there, one for each read, and the last when the body has come.
    `fails`: answers this many with 503."""

    def __init__(
        self, early: int | None = None, streams: bool = False, fails: int = 0
    ) -> None:
        self._early, self._streams, self._fails = early, streams, fails
        self._lock = threading.Lock()
        self._recorded: list[Recorded] = []
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    @property
    def requests(self) -> list[Recorded]:
        with self._lock:
            return list(self._recorded)

    def stop(self) -> None:
        self._listener.close()

    def _serve(self, connection: socket.socket) -> None:
        unread = b""
        with connection:
            try:
                while True:
                    while b"\r\n\r\n" not in unread:
                        unread += _more(connection)
                    head, _, unread = unread.partition(b"\r\n\r\n")
                    request = Recorded(head)
                    with self._lock:
                        self._recorded.append(request)
                    if self._early:
                        _answer(connection, self._early)
                    if self._streams:
                        connection.sendall(_EVENTS + _EVENT)
                    unread = _read_body(connection, request, unread, _EVENT * self._streams)
                    if self._streams:
                        connection.sendall(_LAST_EVENT)
                    elif not self._early:
                        self._fails -= 1
                        _answer(connection, 200 if self._fails < 0 else 503)
            except OSError:
                return


def _read_body(
    connection: socket.socket, request: Recorded, unread: bytes, said: bytes = b""
) -> bytes:
    """What came behind the body; `said` after each read."""
    length = _LENGTH.search(request.head)
    if length or b"chunked" not in request.head:
        wanted = int(length[1]) if length else 0
        request.body, unread = unread, b""
        while len(request.body) < wanted:
            request.body += _more(connection, said)
        unread = request.body[wanted:]
        request.body, request.is_whole = request.body[:wanted], True
        return unread
    while True:
        while not (size := _CHUNK.match(unread)):
            unread += _more(connection, said)
        wanted, unread = int(size[1], 16), unread[size.end() :]
        end = b"\r\n"
        if not wanted:
            while end not in unread:
                unread += _more(connection)
            request.is_whole = True
            return unread.partition(end)[2]
        while len(unread) < wanted + 2:
            unread += _more(connection, said)
        request.body += unread[:wanted]
        unread = unread[wanted + 2 :]


def _more(connection: socket.socket, said: bytes = b"") -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("it has gone")
    connection.sendall(said)
    return data


def _answer(connection: socket.socket, status: int) -> None:
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {len(ANSWER)}\r\n\r\n"
    connection.sendall(head.encode() + ANSWER)
