"""Servers on a socket of their own, each of whose connections has a thread."""

import socket
import threading
from collections.abc import Callable


class Listener:
    def __init__(self, serve: Callable[[socket.socket], None], backlog: int = 128) -> None:
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()


class Mischief:
    """Answers every connection with the same bytes, or none, and then ends it or waits."""

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
