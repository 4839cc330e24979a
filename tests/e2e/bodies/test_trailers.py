"""A request's trailers are headers that no rule sees: they are dropped where HAProxy can."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from support.expect.eventually import eventually
from support.expect.shown import has_no_keys
from support.wire.calls import GENERATE, headers
from support.wire.http1 import Connection
from support.world.configuration import unread, vertex_json
from support.world.haproxy import Haproxy
from support.world.place import haproxy_version
from support.world.standin import Standin

TRAILERS = "x-goog-user-project: victim\r\nauthorization: Bearer evil\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"


class RawUpstream:
    """Takes one request and keeps every byte of it: the stand-in does not show trailers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.received = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(10)
            while b"\r\n0\r\n" not in self.received or not self.received.endswith(b"\r\n\r\n"):
                self.received += connection.recv(65536)
            connection.sendall(ANSWER)

    def stop(self) -> None:
        self._thread.join(10)
        self._listener.close()


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()


@pytest.mark.parametrize("trailers", ["", TRAILERS])
def test_trailers_are_dropped_from_3_2_on(
    gateway: Callable[..., Haproxy], standin: Standin, upstream: RawUpstream, trailers: str
) -> None:
    vertex = unread(vertex_json(standin.service_account))
    haproxy = gateway(google_http=upstream.port, vertex=vertex)
    # One that waits for them has been read when it leaves.
    eventually(lambda: not has_no_keys(haproxy), "keys are there")
    connection = Connection(haproxy.port)
    chunked = {**headers(standin.token()), "Transfer-Encoding": "chunked"}
    connection.send_request("POST", GENERATE, chunked)
    connection.send(f"2\r\n{{}}\r\n0\r\n{trailers}\r\n".encode())

    assert connection.read_head().status == 200
    connection.socket.close()

    upstream.stop()
    assert upstream.received.startswith(b"POST /v1/projects/acme-ml/")
    # Before 3.2 they pass, as SECURITY.md says: should a version mend that, say so there.
    passes = bool(trailers) and haproxy_version() < (3, 2)
    assert (b"victim" in upstream.received) == passes
    assert (b"evil" in upstream.received) == passes
