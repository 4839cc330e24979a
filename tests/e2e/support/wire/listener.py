"""A socket of its own, each of whose connections has a thread."""

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
