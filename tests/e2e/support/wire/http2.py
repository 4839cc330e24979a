"""An HTTP/2 client that sends any header bytes and can take a stream back."""

import socket
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.errors
import h2.events
import hpack
import hyperframe.frame

from support.wire.http1 import Connection


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False
    reset: bool = False

    def header(self, name: str) -> str | None:
        for key, value in self.headers:
            if key == name.encode():
                return value.decode("latin-1")
        return None


class H2:
    """With `ca`: over TLS, by ALPN; without: in the clear, with prior knowledge."""

    def __init__(self, port: int, ca: Path | None = None, timeout: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        if ca is not None:
            trust = ssl.create_default_context(cafile=ca)
            trust.set_alpn_protocols(["h2"])
            tls = trust.wrap_socket(self.socket, server_hostname="localhost")
            if tls.selected_alpn_protocol() != "h2":
                raise AssertionError(f"ALPN chose {tls.selected_alpn_protocol()}")
            self.socket = tls
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._answers: dict[int, Answer] = {}
        self.closed = False
        self._written = b""  # frames of our own, before the library's
        self._h2.initiate_connection()
        self._flush()

    def _flush(self) -> None:
        written, self._written = self._written + self._h2.data_to_send(), b""
        self.socket.sendall(written)

    def send(
        self,
        method: str,
        path: bytes | str,
        headers: list[tuple[str, bytes | str]] | dict[str, str] = (),
        body: bytes | None = None,
        end: bool = True,
    ) -> int:
        """The stream's number. A body that does not fit the peer's window is sent as it takes it, or
        until it answers."""
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        head = [
            (b":method", method.encode()),
            (b":scheme", b"https"),
            (b":authority", b"gateway.example"),
            (b":path", _bytes(path)),
            *((name.lower().encode(), _bytes(value)) for name, value in pairs),
        ]
        if body and end and all(name != b"content-length" for name, _ in head):
            head.append((b"content-length", str(len(body)).encode()))
        stream = self._h2.get_next_available_stream_id()
        self._answers[stream] = Answer()
        self._h2.send_headers(stream, head, end_stream=end and not body)
        if body:
            self._send_body(stream, body, end)
        self._flush()
        return stream

    def _send_body(self, stream: int, body: bytes, end: bool) -> None:
        answer = self._answers[stream]
        while body:
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room > 0:
                self._h2.send_data(stream, body[:room], end_stream=end and len(body) <= room)
                body = body[room:]
                continue
            self._flush()
            self._receive()
            if answer.complete or answer.reset or self.closed:
                return

    def send_more(self, stream: int, data: bytes, end: bool) -> None:
        """A piece of the body of a stream that `send` left open."""
        self._send_body(stream, data, end)
        self._flush()

    def is_over(self, stream: int) -> bool:
        """Whether its answer is complete, as far as was read."""
        answer = self._answers[stream]
        return answer.complete or answer.reset or self.closed

    def send_raw(
        self,
        head: list[tuple[str, str]],
        pieces: list[bytes] = (),
        trailers: list[tuple[str, str]] = (),
        pause: float = 0,
    ) -> int:
        """Headers as they are, pseudo-headers and capitals too, around the library's checks. A pause
        before each further piece of the body."""
        stream = self._h2.get_next_available_stream_id()
        self._answers[stream] = Answer()
        self._written += self._headers_frame(stream, head, end=not (any(pieces) or trailers))
        for number, piece in enumerate(pieces, 1):
            self._send_body(stream, piece, end=number == len(pieces) and not trailers)
            if number < len(pieces):
                self._flush()
                time.sleep(pause)
        if trailers:
            self._written += self._h2.data_to_send()
            self._written += self._headers_frame(stream, trailers, end=True)
        self._flush()
        return stream

    def _headers_frame(self, stream: int, pairs: list[tuple[str, str]], end: bool) -> bytes:
        # The library is to know that the stream is open, not what it says.
        self._h2.send_headers(stream, [(b":method", b"POST"), (b":path", b"/")], end_stream=end)
        self._h2.clear_outbound_data_buffer()
        frame = hyperframe.frame.HeadersFrame(stream)
        frame.flags.add("END_HEADERS")
        if end:
            frame.flags.add("END_STREAM")
        # Never indexed: the library's own table and the peer's must stay the same.
        never = [hpack.NeverIndexedHeaderTuple(_bytes(n), _bytes(value)) for n, value in pairs]
        frame.data = hpack.Encoder().encode(never, huffman=False)
        return frame.serialize()

    def reset_stream(self, stream: int) -> None:
        self._h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        self._flush()

    def _receive(self) -> None:
        try:
            data = self.socket.recv(65536)
            for event in self._h2.receive_data(data):
                self._take(event)
            self._flush()
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            data = b""
        if not data:
            self.closed = True

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                answer = self._answers[event.stream_id]
                answer.headers = [(bytes(name), bytes(value)) for name, value in event.headers]
                answer.status = int(dict(answer.headers)[b":status"])
            case h2.events.DataReceived():
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self._answers[event.stream_id].body += event.data
            case h2.events.StreamEnded():
                self._answers[event.stream_id].complete = True
            case h2.events.StreamReset():
                self._answers[event.stream_id].reset = True
            case h2.events.ConnectionTerminated():
                self.closed = True

    def wait(self, stream: int, for_body: bool = False) -> Answer:
        """The answer once it is complete; `for_body`: once some of its body is there."""
        answer = self._answers[stream]
        while not (answer.complete or answer.reset or self.closed or (for_body and answer.body)):
            self._receive()
        return answer

    def request(
        self,
        method: str,
        path: bytes | str,
        headers: list[tuple[str, bytes | str]] | dict[str, str] = (),
        body: bytes | None = None,
    ) -> Answer:
        return self.wait(self.send(method, path, headers, body))

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """RST of the connection, under all its streams."""
        Connection.reset(self)  # type: ignore[arg-type]

    def __enter__(self) -> "H2":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
