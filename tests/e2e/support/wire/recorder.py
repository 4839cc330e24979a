"""A server that keeps what it is asked, and answers each request with the same bytes, or none, and then
ends the connection or waits."""

import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from support.wire.listener import Listener


@dataclass(frozen=True)
class Asked:
    line: str
    # Names in lower case, values as they came.
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]


class Recorder:
    def __init__(self, answer: bytes, waits: bool = False) -> None:
        self._answer, self._waits = answer, waits
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._asked: list[Asked] = []
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    def stop(self) -> None:
        self._over.set()
        self._listener.close()

    @property
    def asked(self) -> list[Asked]:
        with self._lock:
            return list(self._asked)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection, connection.makefile("rb") as stream:
            try:
                asked = _read(stream)
            except OSError:
                return
            with self._lock:
                self._asked.append(asked)
            connection.sendall(self._answer)
            if self._waits:
                self._over.wait(30)


def _read(stream: BinaryIO) -> Asked:
    line = stream.readline().decode().rstrip("\r\n")
    headers = []
    while text := stream.readline().decode("latin-1").rstrip("\r\n"):
        name, value = re.fullmatch(r"([^:]+):[ \t]*(.*)", text).groups()
        headers.append((name.lower(), value))
    fields = dict(headers)
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join(_chunks(stream))
    else:
        body = stream.read(int(fields.get("content-length", 0)))
    return Asked(line, tuple(headers), body)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while size := int(stream.readline(), 16):
        yield stream.read(size)
        stream.readline()
    stream.readline()
