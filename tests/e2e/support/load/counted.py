"""Callers of every kind at once, who know the outcome of each request that the log must tell."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from support.wire.calls import BODY, COUNT, GENERATE, OTHER_MODEL, STREAM, headers
from support.wire.http1 import Connection
from support.wire.http2 import H2
from support.world.standin import Standin


@dataclass(frozen=True)
class Kind:
    method: str
    target: str
    headers: dict[str, str]
    status: int
    reason: str


def kinds(standin: Standin) -> list[Kind]:
    """One request for each of the usual outcomes."""
    good = headers(standin.token({"groups": ["ml"]}))
    foreign = headers(standin.token({"groups": ["ml"], "aud": "another-service"}))
    stranger = headers(standin.token({"groups": ["guests"]}))
    return [
        Kind("POST", GENERATE, good, 200, "ok"),
        Kind("POST", COUNT, good, 200, "ok"),
        Kind("POST", GENERATE, headers(None), 401, "token_missing"),
        Kind("POST", GENERATE, headers("garbage"), 401, "token_malformed"),
        Kind("POST", GENERATE, foreign, 401, "audience_wrong"),
        Kind("POST", GENERATE, stranger, 403, "role_none"),
        Kind("POST", OTHER_MODEL, good, 403, "role_none"),
        Kind("POST", f"{GENERATE}?key=secret", good, 400, "query_not_allowed"),
        Kind("PUT", GENERATE, good, 404, "route_unknown"),
        Kind("POST", GENERATE, good | {"Content-Encoding": "gzip"}, 400, "header_not_allowed"),
    ]


class CountedCallers:
    """Runs callers in threads, and counts what they sent by the reason that is due."""

    def __init__(self, standin: Standin, port: int, tls_port: int, ca: Path) -> None:
        self._kinds = kinds(standin)
        self._stream = headers(standin.token({"groups": ["ml"]}))
        self._port, self._tls_port, self._ca = port, tls_port, ca
        self._lock = threading.Lock()
        self.sent: Counter[str] = Counter()
        self.surprises: list[str] = []

    def run(self, *callers: tuple[Callable[[int], Iterator[str]], int]) -> None:
        """Each caller with its number of turns; all at the same time."""
        with ThreadPoolExecutor(len(callers)) as pool:
            for caller, turns in callers:
                pool.submit(self._count, caller, turns)

    def _count(self, caller: Callable[[int], Iterator[str]], turns: int) -> None:
        try:
            for reason in caller(turns):
                with self._lock:
                    self.sent[reason] += 1
        except Exception as error:
            self.surprises.append(f"{caller.__name__}: {error!r}")

    def _note(self, kind: Kind, status: int) -> str:
        if status != kind.status:
            self.surprises.append(f"{kind.reason}: {status}")
        return kind.reason

    def _turns(self, turns: int) -> Iterator[Kind]:
        return (self._kinds[turn % len(self._kinds)] for turn in range(turns))

    # The callers; each yields the reason that is due for what it has sent.
    def keep_alive(self, turns: int) -> Iterator[str]:
        with Connection(self._port) as connection:
            for kind in self._turns(turns):
                answer = connection.request(kind.method, kind.target, kind.headers, BODY)
                yield self._note(kind, answer.status)

    def pipelined(self, turns: int) -> Iterator[str]:
        with Connection(self._port) as connection:
            for kind in self._turns(turns):
                for _ in range(2):
                    connection.send_request(kind.method, kind.target, kind.headers, BODY)
                for _ in range(2):
                    yield self._note(kind, connection.read().status)

    def multiplexed(self, turns: int) -> Iterator[str]:
        with H2(self._tls_port, self._ca) as connection:
            for _ in range(turns):
                streams = [
                    (kind, connection.send(kind.method, kind.target, kind.headers, BODY))
                    for kind in self._kinds
                ]
                for kind, stream in streams:
                    yield self._note(kind, connection.wait(stream).status)

    def leaving_before_the_answer(self, turns: int) -> Iterator[str]:
        for kind in self._turns(turns):
            with Connection(self._port) as connection:
                connection.send_request(kind.method, kind.target, kind.headers, BODY)
            yield "request_incomplete" if kind.reason == "ok" else kind.reason

    def leaving_amid_a_stream(self, turns: int) -> Iterator[str]:
        for turn in range(turns):
            with Connection(self._port) as connection:
                connection.send_request("POST", STREAM, self._stream, BODY)
                next(connection.parts(connection.read_head()))
                if turn % 2:
                    connection.reset()
            yield "ok"

    def taking_streams_back(self, turns: int) -> Iterator[str]:
        for turn in range(turns):
            with H2(self._tls_port, self._ca) as connection:
                streams = [connection.send("POST", STREAM, self._stream, BODY) for _ in range(3)]
                for stream in streams:
                    connection.wait(stream, for_body=True)
                    yield "ok"
                if turn % 2:
                    for stream in streams:
                        connection.reset_stream(stream)
                else:
                    connection.reset()

    def leaving_after_the_answer(self, turns: int) -> Iterator[str]:
        for kind in self._turns(turns):
            connection = Connection(self._port)
            answer = connection.request(kind.method, kind.target, kind.headers, BODY)
            connection.reset()
            yield self._note(kind, answer.status)
