"""A request's trailers are headers that no rule sees: they are dropped where HAProxy can."""

from collections.abc import Callable

import pytest

from support.ask import GENERATE, headers
from support.client import Connection
from support.haproxy import Haproxy
from support.place import haproxy_version
from support.standin import Standin

TRAILERS = "x-goog-user-project: victim\r\nauthorization: Bearer evil\r\n"


def body(trailers: str) -> bytes:
    return f"2\r\n{{}}\r\n0\r\n{trailers}\r\n".encode()


@pytest.mark.skipif(haproxy_version() < (3, 2), reason="before 3.2 trailers pass, as SECURITY.md says")
@pytest.mark.parametrize("trailers", ["", TRAILERS])
def test_no_trailer_reaches_google(
    gateway: Callable[..., Haproxy], standin: Standin, trailers: str
) -> None:
    haproxy = gateway()
    token = standin.token()
    connection = Connection(haproxy.port)
    chunked = {**headers(token), "Transfer-Encoding": "chunked"}
    connection.send_request("POST", GENERATE, chunked)
    connection.send(body(trailers))

    assert connection.read_head().status == 200
    connection.socket.close()

    [request] = standin.requests(of="google")
    assert request["bearer"]["valid"]
    assert "victim" not in str(request) and "evil" not in str(request)


