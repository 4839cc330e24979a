"""Callers who behave in every way that a log must survive. Each request names a model that no other
one names, so that its line can be found; and it is known whether HAProxy must have read it."""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from support.expect.budget import body
from support.load.clients import Clients
from support.log import hostile
from support.wire.calls import headers
from support.wire.http1 import Closed, Connection

# A model's name, wherever it stands: `gemini-2.5-cut-7-123`.
MARK = re.compile(r"gemini-2\.5-[a-z]+-\d+-\d+")

# Answers of `RawGoogle`, at the location that it serves.
ENDINGS = (
    "good", "slow", "big", "cut", "fin", "short", "none", "reset", "garbage", "half", "line", "head",
    "empty", "piece", "last", "early", "now",
)  # fmt: skip


@dataclass
class Sent:
    """What was sent, by mark: `must` have a line, or `may` have one."""

    must: set[str] = field(default_factory=set)
    may: set[str] = field(default_factory=set)
    # Requests that HAProxy could not read, and answered.
    unreadable: int = 0
    # Those whose connection ended before an answer.
    unread: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)


class RoughCallers(Clients):
    """`tokens`: of callers who may; each client takes one. `places`: the locations of a Google that
    behaves, of one that does not (`RawGoogle`) and of one that is down."""

    def __init__(
        self, port: int, tokens: list[str], places: tuple[str, str, str], clients: int = 24
    ) -> None:
        super().__init__(clients)
        self._port, self._tokens = port, tokens
        self._well, self._ill, self._down = places
        self._lock = threading.Lock()
        self.sent = Sent()

    def _wait(self) -> None:
        for thread in self._threads:
            thread.join(60)
            if thread.is_alive():
                self.sent.surprises.append("a client hangs")

    def _client(self, number: int) -> None:
        chance = random.Random(number)
        one = _Client(self, number, chance)
        while not self._enough.is_set():
            chance.choice(one.ways)()

    def note(self, mark: str, must: bool, status: int | None = None) -> None:
        with self._lock:
            (self.sent.must if must else self.sent.may).add(mark)
            if status is not None:
                self.sent.statuses[status] += 1

    def note_unreadable(self, answered: bool) -> None:
        with self._lock:
            self.sent.unreadable += answered
            self.sent.unread += not answered

    def surprise(self, text: str) -> None:
        with self._lock:
            self.sent.surprises.append(text)

    def target(self, place: str, kind: str, mark: str, streamed: bool) -> str:
        location = {"well": self._well, "ill": self._ill, "down": self._down}[place]
        method = "streamGenerateContent?alt=sse" if streamed else "generateContent"
        model = f"gemini-2.5-{kind}-{mark}"
        return f"/v1/projects/acme-ml/locations/{location}/publishers/google/models/{model}:{method}"


class _Client:
    def __init__(self, callers: RoughCallers, number: int, chance: random.Random) -> None:
        self._callers, self._number, self._chance = callers, number, chance
        self._count = 0
        self._pairs = headers(callers._tokens[number % len(callers._tokens)])
        self.ways: list[Callable[[], None]] = [
            self._plainly, self._plainly, self._many_on_one_connection, self._to_the_end,
            self._badly_answered_behind_others, self._badly_answered_behind_others,
            self._leave_before_the_answer, self._reset_before_the_answer, self._half_close,
            self._leave_amid_the_stream, self._reset_amid_the_stream, self._read_slowly,
            self._refused, self._unreadable, self._cut_off_in_the_headers,
            self._cut_off_in_the_body, *[self._badly_answered] * 4, self._pipelined,
        ]  # fmt: skip
        # These hold a client for seconds.
        if number % 6 == 0:
            self.ways.append(self._nobody_there)

    def _open(self) -> Connection:
        # Listeners change hands on a reload; the kernel then may refuse for a moment.
        end = time.monotonic() + 5
        while True:
            try:
                return Connection(self._callers._port, timeout=30)
            except ConnectionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def _asked(self, kind: str = "good", place: str = "well", streamed: bool = False) -> str:
        self._count += 1
        return self._callers.target(place, kind, f"{self._number}-{self._count}", streamed)

    def _send(self, connection: Connection, target: str, **more: str) -> None:
        connection.send_request("POST", target, self._pairs | more, body(50))

    def _one_by_one(self, connection: Connection, targets: Iterable[str]) -> None:
        """Until the connection is closed."""
        for target in targets:
            try:
                self._send(connection, target)
            except ConnectionError:
                self._note(target, False)
                return
            if not self._read(connection, target):
                return

    def _note(self, target: str, must: bool, status: int | None = None) -> None:
        found = MARK.search(target)
        assert found is not None
        self._callers.note(found[0], must, status)

    def _read(self, connection: Connection, target: str) -> bool:
        """Reads an answer as far as it comes; whether the connection goes on."""
        head = None
        try:
            head = connection.read_head()
            self._note(target, True, head.status)
            for _ in connection.parts(head):
                pass
        except (Closed, ConnectionError) as why:
            received = bool(getattr(why, "received", b"")) or head is not None
            if head is None:
                self._note(target, received)
            return False
        except TimeoutError:
            self._callers.surprise(f"no answer in 30 s: {target}")
            self._note(target, False)
            return False
        return (head.header("connection") or "").lower() != "close"

    # The ways.
    def _plainly(self) -> None:
        asked = self._asked(streamed=self._chance.random() < 0.3)
        with self._open() as connection:
            self._send(connection, asked)
            self._read(connection, asked)

    def _many_on_one_connection(self) -> None:
        with self._open() as connection:
            self._one_by_one(connection, (self._asked() for _ in range(5)))

    def _pipelined(self) -> None:
        with self._open() as connection:
            asked = [self._asked(), self._asked(streamed=True)]
            try:
                for target in asked:
                    self._send(connection, target)
            except ConnectionError:
                for target in asked:
                    self._note(target, False)
                return
            for target in asked:
                if not self._read(connection, target):
                    self._note(asked[1], False)
                    return

    def _to_the_end(self) -> None:
        asked = self._asked("slow", "ill", streamed=True)
        with self._open() as connection:
            self._send(connection, asked)
            self._read(connection, asked)

    def _leave_before_the_answer(self) -> None:
        asked = self._asked()
        with self._open() as connection:
            self._send(connection, asked)
        self._note(asked, True)

    def _reset_before_the_answer(self) -> None:
        asked = self._asked("slow", "ill", streamed=True)
        connection = self._open()
        self._send(connection, asked)
        time.sleep(self._chance.random() * 0.02)
        connection.reset()  # it may overtake what was sent
        self._note(asked, False)

    def _half_close(self) -> None:
        asked = self._asked()
        with self._open() as connection:
            self._send(connection, asked)
            connection.shut_write()
            self._note(asked, True)
            self._read(connection, asked)

    def _amid(self, away: Callable[[Connection], None]) -> None:
        asked = self._asked("slow", "ill", streamed=True)
        connection = self._open()
        self._send(connection, asked)
        try:
            head = connection.read_head()
            self._note(asked, True, head.status)
            next(iter(connection.parts(head)), None)
        except ConnectionError:
            self._note(asked, False)
        away(connection)

    def _leave_amid_the_stream(self) -> None:
        self._amid(Connection.close)

    def _reset_amid_the_stream(self) -> None:
        self._amid(Connection.reset)

    def _read_slowly(self) -> None:
        asked = self._asked("big", "ill")
        with self._open() as connection:
            self._send(connection, asked)
            for pause in (0.2, 0.1):
                time.sleep(pause)
            if self._chance.random() < 0.5:
                self._read(connection, asked)
            else:
                try:
                    self._note(asked, True, connection.read_head().status)
                except ConnectionError:
                    self._note(asked, False)

    def _badly_answered(self) -> None:
        kind = self._chance.choice(ENDINGS)
        asked = self._asked(kind, "ill", streamed=self._chance.random() < 0.5)
        with self._open() as connection:
            self._send(connection, asked)
            self._read(connection, asked)

    def _badly_answered_behind_others(self) -> None:
        """HAProxy says nothing then, as the caller is to repeat the last one."""
        with self._open() as connection:
            kinds = ("good", "good", self._chance.choice(ENDINGS))
            streamed = self._chance.random() < 0.5
            self._one_by_one(connection, (self._asked(kind, "ill", streamed) for kind in kinds))

    def _nobody_there(self) -> None:
        asked = self._asked(place="down")
        with self._open() as connection:
            self._send(connection, asked)
            if self._chance.random() < 0.5:
                time.sleep(0.2)
                self._note(asked, True)
            else:
                self._read(connection, asked)

    def _refused(self) -> None:
        asked = self._asked()
        token = self._chance.choice(("none", "a.b.c", "ya29.x", None))
        pairs = headers(token, Connection="close")
        with self._open() as connection:
            connection.send_request("POST", asked, pairs, body())
            self._read(connection, asked)

    def _cut_off_in_the_body(self) -> None:
        asked = self._asked()
        with self._open() as connection:
            self._send(connection, asked, **{"Content-Length": str(len(body(50)) + 10)})
        self._note(asked, True)

    def _unreadable(self) -> None:
        what = self._chance.choice(list(hostile.UNREADABLE.values()))
        with self._open() as connection:
            try:
                connection.send(what)
                connection.read()
            except ConnectionError as why:
                self._callers.note_unreadable(bool(getattr(why, "received", b"")))
                return
        self._callers.note_unreadable(True)

    def _cut_off_in_the_headers(self) -> None:
        with self._open() as connection:
            connection.send(b"POST /v1/x HTTP/1.1\r\nHost: a\r\n")
        self._callers.note_unreadable(False)
