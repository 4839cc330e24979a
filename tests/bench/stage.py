"""Sets everything up: the stand-in, the upstream, and the HAProxys that are compared, all of
them at once and on a core of their own; then proves that each does its work."""

import os
import urllib.request
from pathlib import Path

from support.configuration import unread
from support.eventually import eventually
from support.haproxy import Haproxy
from support.standin import Standin

import subjects
from cpu import Pinned
from measure import Invalid, Load, Subject
from sink import Sink
from subjects import Gateways
from traffic import KNOWN_TOKENS, TARGET, Callers, Files, google_token, send

# Roles of "reading" look into bodies, those of "warm" and "cold" do not.
NAMES = ("plain", "native", "warm", "reading", "cold")
PREFLIGHT_REQUESTS = 200

_HTTPLOG = f'"POST {TARGET} HTTP/1.1"'
_AUDIT = "vertex{decision=allow reason=ok principal=corp:alice role=ml-team credential=ml-prod"


class Stage:
    def __init__(self, folder: Path, rounds: int, requests: int) -> None:
        self._folder = folder
        self._rounds = rounds
        self._requests = requests
        self._started: list[Haproxy] = []
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
        for haproxy in self._started:
            haproxy.remove()
        self._standin.stop()
        self._sink.close()

    def _set_up(self) -> None:
        folder, sink, standin = self._folder, self._sink, self._standin
        self._callers = Callers(standin)
        files = Files(folder)
        self._load = Load(self._others, files)
        self._known = files.tokens("known", self._callers.many(KNOWN_TOKENS))
        fresh = self._callers.many(self._requests * self._rounds)
        self._fresh = [
            files.tokens(f"fresh-{number}", fresh[number :: self._rounds])
            for number in range(self._rounds)
        ]
        token = google_token()
        standin.accept_token(token)
        token_file = folder / "google-token"
        token_file.write_text(token)
        gateways = Gateways(sink, standin.ports["idp_https"], standin.ca, token_file)

        self._preflight(gateways)
        upstream, ports = subjects.upstream(self._answer(token), token)
        self._start(upstream, self._others)
        key = folder / "issuer.pem"
        key.write_text(subjects.rsa_key_pem(self._jwks()))
        configurations = {
            "plain": subjects.plain(sink, ports[subjects.CALLER]),
            "native": subjects.native(sink, ports[subjects.CALLER], key),
            "warm": gateways.leading_to(ports[subjects.GOOGLE], unread),
            "reading": gateways.leading_to(ports[subjects.GOOGLE]),
            "cold": gateways.leading_to(ports[subjects.GOOGLE], unread),
        }
        self._subjects = {}
        for name, configuration in configurations.items():
            logged = _HTTPLOG if name in ("plain", "native") else _AUDIT
            haproxy = self._start(configuration, self._core)
            self._subjects[name] = Subject(name, haproxy, logged)
            if name != "plain":
                self._check_refusals(haproxy)
            self._wait_for_keys(haproxy)

    def _start(self, configuration: subjects.Configuration, core: int) -> Haproxy:
        haproxy = Haproxy(configuration)
        self._started.append(haproxy)
        with Pinned(core):
            return haproxy.start()

    def _jwks(self) -> str:
        url = f"http://127.0.0.1:{self._standin.ports['idp_http']}/corp/jwks"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()

    def _answer(self, token: str) -> Path:
        """What the stand-in says, for the upstream to say it again."""
        file = self._folder / "answer.json"
        file.write_bytes(send(self._standin.ports["google_http"], token).body)
        return file

    def _wait_for_keys(self, haproxy: Haproxy) -> None:
        token = self._callers.one()
        eventually(lambda: send(haproxy.port, token).status == 200, "a request passes", 20)

    def _check_refusals(self, haproxy: Haproxy) -> None:
        refused = {
            "signature": self._callers.one(sign_with="other"),
            "audience": self._callers.one(claims={"aud": "another-service"}),
            "age": self._callers.one(lifetime=-3600, iat_offset=-7200),
        }
        for what, token in refused.items():
            status = send(haproxy.port, token).status
            if status != 401:
                raise Invalid(f"a token of the wrong {what}: {status} instead of 401")

    def _preflight(self, gateways: Gateways) -> None:
        """The same gateway in front of the stand-in, which judges every credential."""
        haproxy = self._start(gateways.leading_to(self._standin.ports["google_http"]), self._core)
        self._wait_for_keys(haproxy)
        self._standin.forget_requests()
        subject = Subject("preflight", haproxy, _AUDIT)
        subject.measure(self._load, self._sink, self._known, PREFLIGHT_REQUESTS)
        seen = self._standin.call("GET", "/requests?of=google")["requests"]
        valid = [r for r in seen if r["bearer"]["valid"] and r["bearer"]["kind"] == "access_token"]
        if not len(seen) == len(valid) == PREFLIGHT_REQUESTS:
            raise Invalid(f"preflight: {len(valid)} valid bearers in {len(seen)} requests")
        haproxy.remove()
        # It has nothing to do while others are measured.
        self._standin.google(record=False)

    def round(self, number: int) -> dict[str, float]:
        """CPU microseconds per request of each, each round from another one on."""
        first = number % len(NAMES)
        values = {}
        for name in NAMES[first:] + NAMES[:first]:
            tokens = self._fresh[number] if name == "cold" else self._known
            values[name] = self._subjects[name].measure(
                self._load, self._sink, tokens, self._requests
            )
        return {name: values[name] for name in NAMES}
