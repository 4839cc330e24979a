"""A server that answers every connection with the same bytes, or none, and then ends it or waits."""

import socket
import threading


class Mischief:
    def __init__(self, answer: bytes = b"", waits: bool = False) -> None:
        self._answer, self._waits = answer, waits
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._over.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                connection.sendall(self._answer)
            except OSError:
                return
            if self._waits:
                self._over.wait(30)
