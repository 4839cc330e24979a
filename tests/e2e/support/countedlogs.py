"""A log server that knows whether the kernel dropped a line, so that a count means something."""

import socket
import time
from pathlib import Path

from support import audittail
from support.logserver import LogServer

_SO_RCVBUFFORCE = 33  # Linux; Python has no name for it
_BUFFER = 64 << 20


class CountedLogServer(LogServer):
    def __init__(self) -> None:
        super().__init__()
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except PermissionError:
            pass  # not root: `dropped` still tells

    @property
    def dropped(self) -> int:
        """How many datagrams found the socket's buffer full."""
        for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
            words = line.split()
            if int(words[1].rpartition(":")[2], 16) == self.port:
                return int(words[-1])
        raise LookupError(f"no UDP socket on port {self.port}")

    def exactly(
        self, count: int, settle: float = 0.3, decided: bool = False
    ) -> list[dict[str, str]]:
        """The tails of `count` audit lines, read strictly; there are no more of them.
        `decided`: without those of requests that HAProxy refused by itself."""

        def counted(lines: list[str]) -> list[str]:
            audits = [line for line in lines if "vertex{" in line]
            return [line for line in audits if not (decided and "reason=undecided " in line)]

        self.wait_until(lambda lines: len(counted(lines)) >= count, f"{count} audit lines", 5)
        time.sleep(settle)  # one too many would come by now
        lines = counted(self.lines)
        if self.dropped or len(lines) != count:
            last = "\n".join(lines[-5:])
            raise AssertionError(f"{len(lines)} lines, not {count}; {self.dropped} lost:\n{last}")
        return [audittail.read(line) for line in lines]
