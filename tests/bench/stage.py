"""Sets everything up: the stand-in, the upstream, and the proxies that are compared, all of
them at once and on a core of their own; then proves that each does its work."""

import os
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.expect.eventually import eventually
from support.wire.calls import GENERATE, STREAM
from support.world.configuration import Configuration
from support.world.haproxy import Haproxy
from support.world.standin import Standin

import answers
import envoy
import first_byte
import subjects
from cpu import Pinned
from first_byte import Way
from measure import Invalid, Load, Measured, Proxy, Subject
from sink import Sink
from subjects import AUDIENCE, ISSUER, Gateways
from traffic import (
    CONNECTIONS,
    FEW_CONNECTIONS,
    KNOWN_TOKENS,
    Callers,
    Files,
    Work,
    google_token,
    send,
)
from variants import CALLBACKS, Unmetered, counting_scripts

PREFLIGHT_REQUESTS = 200
# A stream costs as much as several unary calls.
STREAMS_OF_REQUESTS = 5
# Between two events of a stream: nothing, so that HAProxy reads many at once, or as long as it
# takes for each to be read by itself, as a model's are.
AT_ONCE_MS, PACED_MS = 0, 1
FIRST_BYTE_MS = 5
AT_FEW_CONNECTIONS = ("plain", "unmetered", "warm")

_AUDIT = "vertex{decision=allow reason=ok principal=corp:alice role=ml-team credential=ml-prod"
_METERED = (_AUDIT, "tokens=exact")
_UNMETERED = (_AUDIT, "tokens=unknown")


@dataclass(frozen=True)
class Row:
    """What is measured in each round."""

    name: str
    subject: Subject
    work: Callable[[int], Work]
    pace_ms: int | None = None


class Stage:
    def __init__(self, folder: Path, rounds: int, requests: int) -> None:
        self._folder = folder
        self._rounds = rounds
        self._requests = requests
        self._started: list[Haproxy | envoy.Envoy] = []
        self._rows: list[Row] = []
        self.callbacks: dict[str, float] = {}
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise Invalid("two cores are wanted: one for HAProxy, one for everything else")
        self._core, self._others = cores[:2]

    def __enter__(self) -> "Stage":
        self._sink = Sink()
        with Pinned(self._others):
            self._standin = Standin()
        try:
            self._set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for started in self._started:
            started.remove()
        self._standin.stop()
        self._sink.close()

    def _set_up(self) -> None:
        standin, files = self._standin, Files(self._folder)
        self._files = files
        self._callers = Callers(standin)
        self._load = Load(self._others, files)
        known = self._callers.many(KNOWN_TOKENS)
        self._token, self._known = known[0], files.tokens("known", known)
        self._google_token = google_token()
        # Behind plain HAProxy it is the caller's own that arrives.
        for token in (self._google_token, *known):
            standin.accept_token(token)
        token_file = self._folder / "google-token"
        token_file.write_text(self._google_token)
        self._gateways = Gateways(self._sink, standin.ports["idp_https"], standin.ca, token_file)

        self._preflight()
        self._add_unary()
        self._add_streams()
        self._count_callbacks()

    def _add_unary(self) -> None:
        """All behind one upstream, an HAProxy that answers at once."""
        sink, gateways = self._sink, self._gateways
        answer = self._folder / "answer.json"
        answer.write_bytes(answers.unary())
        upstream, ports = subjects.upstream(answer, self._google_token)
        self._start(upstream, self._others)
        caller, google = ports[subjects.CALLER], ports[subjects.GOOGLE]
        jwks = self._folder / "jwks.json"
        jwks.write_text(self._jwks())
        key = self._folder / "issuer.pem"
        key.write_text(subjects.rsa_key_pem(jwks.read_text()))
        plain = (f'"POST {GENERATE} HTTP/1.1"',)

        self._add_haproxy("plain", subjects.plain(sink, caller), plain, verifies=False)
        self._add_haproxy("native", subjects.native(sink, caller, key), plain)
        self._add_haproxy("unmetered", gateways.leading_to(google, Unmetered), _UNMETERED)
        self._add_haproxy("warm", gateways.leading_to(google), _METERED)
        self._add_haproxy("reading", gateways.leading_to(google, reading=True), _METERED)
        self._add_haproxy("cold", gateways.leading_to(google), _METERED)
        program = envoy.binary()
        if program is not None:
            self._add_envoys(program, caller, jwks)

    def _add_haproxy(
        self,
        name: str,
        configuration: Configuration,
        logged: tuple[str, ...],
        verifies: bool = True,
    ) -> None:
        proxy = Measured(self._start(configuration, self._core), self._sink)
        self._prove(proxy, verifies)
        subject = Subject(name, proxy, logged)
        work = self._fresh_work() if name == "cold" else self._known_work(self._files.unary, 1)
        self._rows.append(Row(name, subject, work))
        if name in AT_FEW_CONNECTIONS:
            few = self._known_work(self._files.unary, 1, FEW_CONNECTIONS)
            self._rows.append(Row(f"{name}_at_{FEW_CONNECTIONS}", subject, few))

    def _add_envoys(self, program: Path, upstream: int, jwks: Path) -> None:
        logged = (f'"POST {GENERATE} HTTP/1.1" 200',)
        filters = {
            "envoy_plain": [],
            "envoy_jwt": [envoy.jwt_authn(ISSUER, AUDIENCE, jwks, cache=False)],
            "envoy_jwt_cached": [envoy.jwt_authn(ISSUER, AUDIENCE, jwks, cache=True)],
        }
        for name in filters:
            with Pinned(self._core):
                proxy = envoy.Envoy(program, self._folder, name, upstream, filters[name])
            self._started.append(proxy)
            self._prove(proxy, verifies=name != "envoy_plain")
            # This token has passed before.
            hits = proxy.cache_hits()
            send(proxy.port, self._token)
            if proxy.cache_hits() - hits != int(name == "envoy_jwt_cached"):
                raise Invalid(f"{name}: its cache does not do what its name says")
            work = self._known_work(self._files.unary, 1)
            self._rows.append(Row(name, Subject(name, proxy, logged), work))

    def _add_streams(self) -> None:
        """All behind the stand-in, which writes each event by itself."""
        port = self._standin.ports["google_http"]
        plain = (f'"POST {STREAM} HTTP/1.1"',)
        configurations = {
            "plain": (subjects.plain(self._sink, port), plain),
            "unmetered": (self._gateways.leading_to(port, Unmetered), _UNMETERED),
            "warm": (self._gateways.leading_to(port), _METERED),
        }
        self._stream_at(AT_ONCE_MS)
        work = self._known_work(self._files.stream, STREAMS_OF_REQUESTS)
        self._ways = {"direct": Way(port, self._google_token)}
        for name, (configuration, logged) in configurations.items():
            proxy = Measured(self._start(configuration, self._core), self._sink)
            self._prove(proxy, verifies=name != "plain")
            subject = Subject(f"{name}, streams", proxy, logged)
            self._ways[name] = Way(proxy.port, self._token)
            for pace, pace_ms in (("stream", AT_ONCE_MS), ("paced", PACED_MS)):
                self._rows.append(Row(f"{name}_{pace}", subject, work, pace_ms))

    def _known_work(
        self, target: Path, fewer: int, connections: int = CONNECTIONS
    ) -> Callable[[int], Work]:
        return lambda _: Work(target, self._known, self._requests // fewer, connections)

    def _fresh_work(self) -> Callable[[int], Work]:
        fresh = self._callers.many(self._requests * self._rounds)
        works = [
            Work(self._files.unary, tokens, self._requests)
            for tokens in (
                self._files.tokens(f"fresh-{number}", fresh[number :: self._rounds])
                for number in range(self._rounds)
            )
        ]
        return lambda number: works[number]

    def _stream_at(self, interval_ms: int, events: list[str] | None = None) -> None:
        canned = {"content_type": "text/event-stream", "pieces": events or answers.events()}
        self._standin.google(canned=canned, interval_ms=interval_ms, record=False)

    def _start(self, configuration: Configuration, core: int) -> Haproxy:
        haproxy = Haproxy(configuration)
        self._started.append(haproxy)
        with Pinned(core):
            return haproxy.start()

    def _jwks(self) -> str:
        url = f"http://127.0.0.1:{self._standin.ports['idp_http']}/corp/jwks"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()

    def _prove(self, proxy: Proxy, verifies: bool) -> None:
        """Good tokens pass; others do not, where they are verified."""
        eventually(lambda: send(proxy.port, self._token).status == 200, "a request passes", 20)
        refused = {
            "signature": self._callers.one(sign_with="other"),
            "audience": self._callers.one(claims={"aud": "another-service"}),
            "age": self._callers.one(lifetime=-3600, iat_offset=-7200),
        }
        for what, token in refused.items() if verifies else ():
            status = send(proxy.port, token).status
            # Envoy says 403 where it is the audience.
            if status not in (401, 403):
                raise Invalid(f"a token of the wrong {what}: {status} instead of 401 or 403")

    def _preflight(self) -> None:
        """The same gateway in front of the stand-in, which judges every credential."""
        port = self._standin.ports["google_http"]
        haproxy = self._start(self._gateways.leading_to(port, reading=True), self._core)
        proxy = Measured(haproxy, self._sink)
        self._prove(proxy, verifies=True)
        self._standin.forget_requests()
        work = Work(self._files.unary, self._known, PREFLIGHT_REQUESTS)
        Subject("preflight", proxy, _METERED).measure(self._load, work)
        seen = self._standin.call("GET", "/requests?of=google")["requests"]
        valid = [r for r in seen if r["bearer"]["valid"] and r["bearer"]["kind"] == "access_token"]
        if not len(seen) == len(valid) == PREFLIGHT_REQUESTS:
            raise Invalid(f"preflight: {len(valid)} valid bearers in {len(seen)} requests")
        haproxy.remove()
        # It has nothing to do while others are measured.
        self._standin.google(record=False)

    def _count_callbacks(self) -> None:
        """How often HAProxy calls the filter in a stream, under the load that is measured."""
        share = counting_scripts(self._folder)
        configuration = self._gateways.leading_to(self._standin.ports["google_http"], share=share)
        haproxy = self._start(configuration, self._core)
        proxy = Measured(haproxy, self._sink)
        self._prove(proxy, verifies=True)
        work = Work(self._files.stream, self._known, self._requests // STREAMS_OF_REQUESTS)
        for pace, pace_ms in (("stream", AT_ONCE_MS), ("paced", PACED_MS)):
            self._stream_at(pace_ms)
            before = int(haproxy.ask(CALLBACKS))
            Subject("counting", proxy, _METERED).measure(self._load, work)
            calls = int(haproxy.ask(CALLBACKS)) - before
            if calls == 0:
                raise Invalid("the filter's callbacks are not counted")
            self.callbacks[pace] = calls / work.requests
        haproxy.remove()

    def round(self, number: int) -> dict[str, float]:
        """CPU microseconds per request of each, each round from another one on."""
        first = number % len(self._rows)
        values = {}
        for row in self._rows[first:] + self._rows[:first]:
            if row.pace_ms is not None:
                self._stream_at(row.pace_ms)
            values[row.name] = row.subject.measure(self._load, row.work(number))
        return {row.name: values[row.name] for row in self._rows}

    def first_events(self) -> dict[str, float]:
        """Milliseconds until the first event of a stream, each way."""
        first, *_, last = answers.events()
        self._stream_at(FIRST_BYTE_MS, [first, last])
        with Pinned(self._others):
            return first_byte.medians(self._ways)
