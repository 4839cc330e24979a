"""An HTTP/1.1 server in Google's place that keeps each byte of a body, also of one that breaks off."""

import re
import socket
import threading
from dataclasses import dataclass

from support.wire.listener import Listener

ANSWER = b'{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"totalTokenCount":7}}'
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_CHUNK = re.compile(rb"([0-9a-fA-F]+)\r\n")


@dataclass
class Recorded:
    head: bytes
    body: bytes = b""
    #: Whether all came that the head had promised.
    is_whole: bool = False


class BodyRecorder:
    """`early`: answers with this status as soon as a head is there, and reads on."""

    def __init__(self, early: int | None = None) -> None:
        self._early = early
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
                    unread = _read_body(connection, request, unread)
                    if not self._early:
                        _answer(connection, 200)
            except OSError:
                return


def _read_body(connection: socket.socket, request: Recorded, unread: bytes) -> bytes:
    """What came behind the body."""
    length = _LENGTH.search(request.head)
    if length or b"chunked" not in request.head:
        wanted = int(length[1]) if length else 0
        request.body, unread = unread, b""
        while len(request.body) < wanted:
            request.body += _more(connection)
        unread = request.body[wanted:]
        request.body, request.is_whole = request.body[:wanted], True
        return unread
    while True:
        while not (size := _CHUNK.match(unread)):
            unread += _more(connection)
        wanted, unread = int(size[1], 16), unread[size.end() :]
        end = b"\r\n"
        if not wanted:
            while end not in unread:
                unread += _more(connection)
            request.is_whole = True
            return unread.partition(end)[2]
        while len(unread) < wanted + 2:
            unread += _more(connection)
        request.body += unread[:wanted]
        unread = unread[wanted + 2 :]


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("it has gone")
    return data


def _answer(connection: socket.socket, status: int) -> None:
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {len(ANSWER)}\r\n\r\n"
    connection.sendall(head.encode() + ANSWER)
