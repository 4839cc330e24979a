"""A syslog receiver on UDP that keeps every line HAProxy sends."""

import socket
import threading
from collections.abc import Callable

from support.auditline import AuditLine


class LogServer:
    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._lines: list[str] = []
        self._arrived = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._receive, name="logserver", daemon=True)
        self._thread.start()

    def _receive(self) -> None:
        while True:
            datagram = self._socket.recv(65536)
            with self._arrived:
                if self._stopped:
                    return
                # latin-1 keeps every byte, so that a test sees what was sent.
                self._lines.append(datagram.decode("latin-1").rstrip("\n"))
                self._arrived.notify_all()

    def stop(self) -> None:
        with self._arrived:
            self._stopped = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    @property
    def lines(self) -> list[str]:
        with self._arrived:
            return list(self._lines)

    def clear(self) -> None:
        with self._arrived:
            self._lines.clear()

    def wait_until(
        self, enough: Callable[[list[str]], bool], what: str, within: float = 10.0
    ) -> list[str]:
        with self._arrived:
            if not self._arrived.wait_for(lambda: enough(self._lines), within):
                shown = "\n".join(self._lines[-20:])
                raise TimeoutError(f"{what}: not within {within} s; the last lines:\n{shown}")
            return list(self._lines)

    def wait_for(self, count: int, within: float = 10.0) -> list[AuditLine]:
        """The audit lines, once there are at least `count` of them."""

        def audits(lines: list[str]) -> list[AuditLine]:
            return [AuditLine(line) for line in lines if AuditLine.is_one(line)]

        lines = self.wait_until(
            lambda lines: len(audits(lines)) >= count, f"{count} audit lines", within
        )
        return audits(lines)
