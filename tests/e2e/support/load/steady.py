"""Steady load over keep-alive connections: every answer and every failure is kept."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from support.load.clients import Clients
from support.wire.http1 import Closed, Connection


@dataclass(frozen=True)
class Failure:
    """A request without an answer.

    `stale`: the connection had served before and was closed before one byte of
    this answer. A client may repeat such a request; HAProxy does this to idle
    connections when it reloads.
    """

    at: float
    error: str
    stale: bool


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass
class Outcome:
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    connections: int = 0

    @property
    def requests(self) -> int:
        return sum(self.statuses.values()) + len(self.failures)

    @property
    def hard_failures(self) -> list[Failure]:
        return [failure for failure in self.failures if not failure.stale]


class SteadyLoad(Clients):
    """`with SteadyLoad(port, request) as load: …` runs until the block ends.

    `request` is one request or a function of (client, number) that makes one.
    `count` bounds the requests of each client, `seconds` the whole.
    """

    def __init__(
        self,
        port: int,
        request: Request | Callable[[int, int], Request],
        clients: int = 4,
        count: int | None = None,
        seconds: float = 30.0,
        pause: float = 0.0,
        timeout: float = 10.0,
    ) -> None:
        super().__init__(clients)
        self._port = port
        self._request = request if callable(request) else lambda _client, _number: request
        self._count = count
        self._pause = pause
        self._timeout = timeout
        self._end = time.monotonic() + seconds
        self._lock = threading.Condition()
        self.outcome = Outcome()

    def join(self) -> Outcome:
        """Waits for `count` requests a client, or for the time to be over."""
        self._wait()
        return self.outcome

    def wait_for(self, requests: int, within: float = 20.0) -> None:
        """Returns when that many more requests have ended than now."""
        with self._lock:
            goal = self.outcome.requests + requests
            if not self._lock.wait_for(lambda: self.outcome.requests >= goal, within):
                raise TimeoutError(f"{requests} more requests: not within {within} s")

    def _goes_on(self, done: int) -> bool:
        if self._enough.is_set() or time.monotonic() > self._end:
            return False
        return self._count is None or done < self._count

    def _client(self, number: int) -> None:
        connection: Connection | None = None
        served = done = 0
        while self._goes_on(done):
            begun = time.monotonic()
            try:
                if connection is None:
                    connection, served = Connection(self._port, timeout=self._timeout), 0
                    self._note(connections=1)
                request = self._request(number, done)
                response = connection.request(
                    request.method, request.target, request.headers, request.body
                )
                served += 1
                self._note(status=response.status, seconds=time.monotonic() - begun)
                if (response.header("connection") or "").lower() == "close":
                    connection.close()
                    connection = None
            except OSError as error:
                unanswered = isinstance(error, BrokenPipeError | ConnectionResetError) or (
                    isinstance(error, Closed) and not error.received
                )
                self._note(
                    failure=Failure(begun, repr(error), stale=served > 0 and unanswered)
                )
                if connection is not None:
                    connection.close()
                connection = None
            done += 1
            if self._pause:
                self._enough.wait(self._pause)
        if connection is not None:
            connection.close()

    def _note(
        self,
        status: int | None = None,
        seconds: float | None = None,
        failure: Failure | None = None,
        connections: int = 0,
    ) -> None:
        with self._lock:
            self.outcome.connections += connections
            if status is not None and seconds is not None:
                self.outcome.statuses[status] += 1
                self.outcome.seconds.append(seconds)
            if failure is not None:
                self.outcome.failures.append(failure)
            self._lock.notify_all()
