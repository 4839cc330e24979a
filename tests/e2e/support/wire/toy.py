"""An origin of a few lines, for the harness's own tests: no stand-in, no module."""

import socket
import threading

from support.wire.listener import Listener


class ToyOrigin:
    """Answers every request 200 with its own request head as the body.

    `/stream` sends one chunk, then waits for `release()` before the second;
    `/hold` answers nothing before `release()`.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.aborted = threading.Event()
        self.arrived = threading.Event()
        self._gate = threading.Event()
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    def release(self) -> None:
        self._gate.set()

    def stop(self) -> None:
        self._gate.set()
        self._listener.close()

    def _serve(self, connection: socket.socket) -> None:
        received = b""
        with connection:
            try:
                while True:
                    while b"\r\n\r\n" not in received:
                        data = connection.recv(65536)
                        if not data:
                            return
                        received += data
                    head, _, received = received.partition(b"\r\n\r\n")
                    self._answer(connection, head)
            except OSError:
                self.aborted.set()

    def _answer(self, connection: socket.socket, head: bytes) -> None:
        target = head.split(b" ", 2)[1].decode()
        self.seen.append(target)
        self.arrived.set()
        if target == "/stream":
            connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            connection.sendall(b"5\r\nfirst\r\n")
            self._gate.wait(10)
            connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")
            return
        if target == "/hold":
            self._wait_at_the_gate(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(head), head))

    def _wait_at_the_gate(self, connection: socket.socket) -> None:
        connection.settimeout(0.05)
        for _ in range(200):
            if self._gate.is_set():
                break
            try:
                if not connection.recv(1, socket.MSG_PEEK):
                    raise ConnectionResetError("the peer is gone")
            except TimeoutError:
                continue
        connection.settimeout(None)
