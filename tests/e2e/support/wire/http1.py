"""An HTTP/1.1 client on a bare socket: any bytes out, what comes in with its times."""

import socket
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


class Closed(ConnectionError):
    """The peer closed before the answer was complete; `reset` says how."""

    def __init__(self, what: str, *, reset: bool = False, received: bytes = b"") -> None:
        super().__init__(f"closed {'by reset ' if reset else ''}while waiting for {what}: {received!r}")
        self.reset = reset
        self.received = received


@dataclass
class Part:
    """One chunk (or one read of an unchunked body), and when it was there."""

    at: float
    data: bytes


@dataclass
class Response:
    status: int
    reason: str
    version: str
    headers: list[tuple[str, str]]
    at: float
    parts: list[Part] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(part.data for part in self.parts)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None


class Connection:
    def __init__(self, port: int, host: str = "127.0.0.1", timeout: float = 10.0) -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._method = "GET"

    # Out.
    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | list[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> None:
        """Headers go as they are given, in latin-1, Host and Content-Length added if missing."""
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        names = {name.lower() for name, _ in pairs}
        if "host" not in names:
            pairs.insert(0, ("Host", "gateway.example"))
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            pairs.append(("Content-Length", str(len(body))))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self._method = method
        self.send(head + (body or b""))

    # In.
    def _more(self, what: str) -> None:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            raise Closed(what, reset=True, received=bytes(self._buffer)) from None
        if not data:
            raise Closed(what, received=bytes(self._buffer))
        self._buffer += data

    def _until(self, mark: bytes, what: str) -> bytes:
        while (found := self._buffer.find(mark)) < 0:
            self._more(what)
        taken = bytes(self._buffer[:found])
        del self._buffer[: found + len(mark)]
        return taken

    def _exactly(self, count: int, what: str) -> bytes:
        while len(self._buffer) < count:
            self._more(what)
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def read_head(self) -> Response:
        """The first final answer's status and headers; 1xx are skipped."""
        while True:
            lines = self._until(b"\r\n\r\n", "an answer").decode("latin-1").split("\r\n")
            version, status, *reason = lines[0].split(" ", 2)
            pairs = [line.partition(":") for line in lines[1:]]
            headers = [(name, value.strip()) for name, _, value in pairs]
            if int(status) >= 200 or int(status) == 101:
                reason_text = reason[0] if reason else ""
                return Response(int(status), reason_text, version, headers, time.monotonic())

    def parts(self, response: Response) -> Iterator[Part]:
        """The body as it arrives. A chunk is given out when it is complete."""
        for data in self._pieces(response):
            part = Part(time.monotonic(), data)
            response.parts.append(part)
            yield part

    def _pieces(self, response: Response) -> Iterator[bytes]:
        if self._method == "HEAD" or response.status in (204, 304):
            return
        if (response.header("transfer-encoding") or "").lower() == "chunked":
            while size := int(self._until(b"\r\n", "a chunk").split(b";")[0], 16):
                data = self._exactly(size, "a chunk's rest")
                self._until(b"\r\n", "a chunk's end")
                yield data
            while self._until(b"\r\n", "the trailer"):
                pass
            return
        length = response.header("content-length")
        left = None if length is None else int(length)
        while left is None or left > 0:
            if not self._buffer:
                try:
                    self._more("the body")
                except Closed as closed:
                    if left is None and not closed.reset:
                        return
                    raise
            data = self._exactly(min(len(self._buffer), left or len(self._buffer)), "the body")
            left = None if left is None else left - len(data)
            yield data

    def read(self) -> Response:
        """A whole answer."""
        response = self.read_head()
        for _ in self.parts(response):
            pass
        return response

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | list[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> Response:
        self.send_request(method, target, headers, body)
        return self.read()

    def is_closed_by_peer(self, within: float = 5.0) -> bool:
        """Whether nothing but the end comes. Bytes that come instead are an error."""
        self.socket.settimeout(within)
        try:
            data = self.socket.recv(1)
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        if data:
            raise AssertionError(f"bytes after the end: {data!r}")
        return True

    # Away.
    def close(self) -> None:
        """FIN, both ways."""
        self.socket.close()

    def shut_write(self) -> None:
        """FIN on our side only: the answer is still awaited."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def once(
    port: int,
    method: str,
    target: str,
    headers: Mapping[str, str] | list[tuple[str, str]] = (),
    body: bytes | None = None,
    timeout: float = 10.0,
) -> Response:
    """One request on a connection of its own."""
    with Connection(port, timeout=timeout) as connection:
        return connection.request(method, target, headers, body)
