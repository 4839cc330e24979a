"""Which fields make HAProxy write a line at the end of an answer, asked of HAProxy itself: the list of
src/haproxy/log_format.rs."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.log.server import LogServer
from support.wire.listener import Listener
from support.world.configuration import Written
from support.world.haproxy import Haproxy
from support.world.place import ROOT, free_port

FIELDS = json.loads((ROOT / "tests/vectors/log_fields.json").read_text())
NAMES = FIELDS["at_the_end"] + FIELDS["before"]

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
END = b"0\r\n\r\n"


class Slow:
    """A server whose answers end when it is told."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self._listener = Listener(self._answer, backlog=len(NAMES))
        self.port = self._listener.port

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            connection.sendall(HEAD)
            self.may_end.wait(30)
            connection.sendall(END)

    def stop(self) -> None:
        self.may_end.set()
        self._listener.close()


def names_in(lines: list[str]) -> set[str]:
    return {found[1] for line in lines if (found := re.search(r"\]: <(\w+)>", line))}


@pytest.fixture(scope="module")
def early() -> Iterator[set[str]]:
    """The fields whose lines came while every answer had its head and not its end."""
    ports = {name: free_port() for name in NAMES}
    slow, logs = Slow(), LogServer()
    sections = [
        f"frontend {name}\n    bind 127.0.0.1:{port}\n"
        f'    log-format "<{name}> %{name}"\n    default_backend slow\n'
        for name, port in ports.items()
    ]
    own = (
        "defaults\n    mode http\n    log global\n    timeout client 30s\n"
        "    timeout connect 5s\n    timeout server 30s\n"
        + "".join(sections)
        + f"backend slow\n    server s 127.0.0.1:{slow.port}\n"
    )
    haproxy = Haproxy(Written(log_port=logs.port, own=own))
    try:
        haproxy.start()
        with ThreadPoolExecutor(len(NAMES)) as pool:
            clients = list(pool.map(first_bytes, ports.values()))
        # What is written at a head is here by now, as all heads are; a last one is waited for.
        before = set(FIELDS["before"])
        found = names_in(logs.wait_until(lambda lines: before <= names_in(lines), "the early lines"))
        slow.may_end.set()
        logs.wait_until(lambda lines: names_in(lines) == set(NAMES), "all lines")
        for client in clients:
            client.close()
        yield found
    finally:
        haproxy.remove()
        slow.stop()
        logs.stop()


def first_bytes(port: int) -> socket.socket:
    """A client whose answer has begun."""
    client = socket.create_connection(("127.0.0.1", port), 10)
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.recv(4096).startswith(b"HTTP/1.1 200")
    return client


def test_haproxy_waits_for_these_fields_and_for_no_other(early: set[str]) -> None:
    assert early == set(FIELDS["before"])
