"""A syslog receiver on UDP that keeps every line HAProxy sends, and knows whether one was lost."""

import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from support.log.line import AccessLine
from support.world.haproxy import Haproxy

_SO_RCVBUFFORCE = 33  # Linux; Python has no name for it
_BUFFER = 4 << 20
_FORCED_BUFFER = 64 << 20

Which = Callable[[AccessLine], bool]


class LogServer:
    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _FORCED_BUFFER)
        except PermissionError:  # not root: `dropped` still tells
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
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

    def _send(self, datagram: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(datagram, ("127.0.0.1", self.port))

    def stop(self) -> None:
        with self._arrived:
            self._stopped = True
        self._send(b"")
        self._thread.join(5)
        self._socket.close()

    @property
    def lines(self) -> list[str]:
        with self._arrived:
            return list(self._lines)

    @property
    def dropped(self) -> int:
        """How many datagrams found the socket's buffer full."""
        for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
            words = line.split()
            if int(words[1].rpartition(":")[2], 16) == self.port:
                return int(words[-1])
        raise LookupError(f"no UDP socket on port {self.port}")

    def clear(self) -> None:
        with self._arrived:
            self._lines.clear()

    def catch_up(self) -> None:
        """Returns when all has been read that was sent before."""
        mark = f"mark {uuid.uuid4()}"
        self._send(mark.encode())
        self.wait_until(lambda lines: mark in lines, "the log server has caught up")

    def wait_until(
        self, enough: Callable[[list[str]], bool], what: str, within: float = 10.0
    ) -> list[str]:
        with self._arrived:
            if not self._arrived.wait_for(lambda: enough(self._lines), within):
                shown = "\n".join(self._lines[-20:])
                raise TimeoutError(f"{what}: not within {within} s; the last lines:\n{shown}")
            return list(self._lines)

    def those(self, which: Which) -> list[AccessLine]:
        return _chosen(self.lines, which)

    def wait_for(
        self, count: int, within: float = 10.0, which: Which = AccessLine.has_tail
    ) -> list[AccessLine]:
        """The audit lines, or those of another kind, once there are at least `count` of them."""

        def enough(lines: list[str]) -> bool:
            return len(_chosen(lines, which)) >= count

        return _chosen(self.wait_until(enough, f"{count} such lines", within), which)

    def in_order(self, count: int) -> list[AccessLine]:
        """The audit lines in the order in which their requests came, to the millisecond. Those of two
        connections arrive in any order: a line is written after its answer, by its connection's thread,
        so a test that asks faster than that wants one thread."""
        return sorted(self.wait_for(count), key=lambda line: line.accepted)

    def exactly(
        self, count: int, settle: float = 0.3, decided: bool = False
    ) -> list[dict[str, str]]:
        """The tails of `count` audit lines, read strictly; there are no more of them.
        `decided`: without those of requests that HAProxy refused by itself."""

        def counts(line: AccessLine) -> bool:
            return line.has_tail() and not (decided and "reason=undecided " in line.text)

        self.wait_for(count, 5, counts)
        time.sleep(settle)  # one too many would come by now
        lines = self.those(counts)
        if self.dropped or len(lines) != count:
            last = "\n".join(line.text for line in lines[-5:])
            raise AssertionError(f"{len(lines)} lines, not {count}; {self.dropped} lost:\n{last}")
        return [line.written for line in lines]


def all_lines(
    haproxy: Haproxy, logs: LogServer, count: int = 1, frontend: str = "ai"
) -> list[AccessLine]:
    """Every line of the frontend's, also one without audit tail: once there are `count` of them,
    and HAProxy has ended and can write no more."""

    def ours(line: AccessLine) -> bool:
        return line.is_of(frontend)

    logs.wait_for(count, which=ours)
    haproxy.stop()
    logs.catch_up()
    return logs.those(ours)


def _chosen(lines: list[str], which: Which) -> list[AccessLine]:
    return [line for line in map(AccessLine, lines) if which(line)]
