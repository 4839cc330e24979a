"""Callers who wait for their issuer's keys, each on a connection of its own, to be told apart by a
mark in the body and by the client's port in the log."""

import json
import uuid
from typing import Any

from support.log.line import AccessLine
from support.wire.calls import GENERATE, headers
from support.wire.http1 import Closed, Connection
from support.world.haproxy import Haproxy


class Waiter:
    """Has sent its request; nothing is awaited yet."""

    def __init__(self, haproxy: Haproxy, token: str) -> None:
        self.mark = str(uuid.uuid4())
        body = {"contents": [{"role": "user", "parts": [{"text": self.mark}]}]}
        self.connection = Connection(haproxy.port, timeout=30)
        self.port: int = self.connection.socket.getsockname()[1]
        sent = headers(token, Connection="close")
        self.connection.send_request("POST", GENERATE, sent, json.dumps(body).encode())

    def leave(self, way: str) -> None:
        """`close` (FIN), `reset` (RST) or `shut_write` (FIN on its side only)."""
        getattr(self.connection, way)()

    def answer(self) -> int | None:
        """The status; nothing if the connection ends without an answer."""
        try:
            return self.connection.read().status
        except Closed as closed:
            if closed.received:
                raise
            return None

    def line(self, lines: list[AccessLine]) -> AccessLine:
        """Its one log line."""
        [mine] = [line for line in lines if int(line.http["client_port"]) == self.port]
        return mine

    def forwarded(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What Google has seen of it."""
        return [request for request in requests if self.mark in request["body_text"]]
