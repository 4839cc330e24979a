"""A server that answers every connection with the same bytes, or none, and then ends it or waits."""

import socket
import threading

from support.wire.listener import Listener


class Mischief:
    def __init__(self, answer: bytes = b"", waits: bool = False) -> None:
        self._answer, self._waits = answer, waits
        self._over = threading.Event()
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    def stop(self) -> None:
        self._over.set()
        self._listener.close()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                connection.sendall(self._answer)
            except OSError:
                return
            if self._waits:
                self._over.wait(30)
