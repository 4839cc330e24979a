"""An upstream that takes bodies of any length, counts their bytes and answers each."""

import re
import selectors
import socket
import threading

from answers import unary

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_END_OF_HEAD = b"\r\n\r\n"


class Eater:
    def __init__(self) -> None:
        self.taken = 0
        answer = unary()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}"
        self._answer = head.encode() + _END_OF_HEAD + answer
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._ready = selectors.DefaultSelector()
        self._ready.register(self._listener, selectors.EVENT_READ)
        self._room = bytearray(1 << 20)
        self._over = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join(5)
        self._ready.close()
        self._listener.close()

    def _serve(self) -> None:
        while not self._over:
            for key, _ in self._ready.select():
                if key.fileobj is self._listener:
                    connection, _ = self._listener.accept()
                    self._ready.register(connection, selectors.EVENT_READ, Request())
                else:
                    self._read(key.fileobj, key.data)

    def _read(self, connection: socket.socket, request: "Request") -> None:
        try:
            count = connection.recv_into(self._room)
            if count and request.takes(memoryview(self._room)[:count]):
                connection.sendall(self._answer)
        except ConnectionError:
            count = 0
        if not count:
            self._ready.unregister(connection)
            connection.close()
        self.taken += request.came


class Request:
    """One after the other on a connection."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        #: Bytes of a body that came last.
        self.came = 0

    def takes(self, data: memoryview) -> bool:
        """Whether these bytes are its last."""
        self.came = 0
        if not self._left:
            self._head += data
            head, end, begun = self._head.partition(_END_OF_HEAD)
            if not end:
                return False
            length = _LENGTH.search(head)
            self._head, self._left = b"", int(length[1]) if length else 0
            data = memoryview(begun)
        self.came = len(data)
        self._left -= self.came
        return self._left <= 0
