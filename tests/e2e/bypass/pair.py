"""What a row of the table is."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from support.wire.calls import BODY, GENERATE

Pairs = tuple[tuple[str, str], ...]

# What becomes of an attack, where it is not refused with a reason code of the gateway's.
NEUTRALISED = "neutralised"  # it leaves, without what would do harm
HOST = "host"  # HAProxy itself refuses it, before or instead of our rules

JSON: Pairs = (("content-type", "application/json"),)
BOTH = ("1.1", "2")


@dataclass(frozen=True)
class Request:
    """A request as it goes out, whatever is wrong with it."""

    target: str = GENERATE
    method: str = "POST"
    headers: Pairs = ()  # beside the token's and Content-Type
    body: bytes | None = BODY
    group: str = "ml"  # of the caller; "" sends no token
    media: Pairs = JSON
    trailers: Pairs = ()
    chunked: bool = False  # no Content-Length
    cuts: tuple[int, ...] = ()  # where the body is cut: a moment between two pieces
    authority: str = "gateway.example"
    # Over HTTP/2: instead of :method, :scheme, :authority, :path.
    pseudo: tuple[tuple[str, str], ...] | None = None
    # Over HTTP/1.1: the bytes between the request line and the token, as they are.
    raw_lines: bytes = b""

    def but(self, **different: Any) -> "Request":
        return replace(self, **different)


def pieces(request: Request) -> list[bytes]:
    """The body as it is cut."""
    body = request.body or b""
    marks = [0, *request.cuts, len(body)]
    return [body[start:end] for start, end in zip(marks, marks[1:])]


@dataclass(frozen=True)
class Seen:
    """A request as it reached Google."""

    record: Mapping[str, Any]

    @property
    def target(self) -> str:
        return self.record["target"]

    @property
    def has_bearer(self) -> bool:
        return self.record["bearer"]["valid"]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.record["headers"] if key.lower() == name]

    def holds(self, body: bytes | None) -> bool:
        """Whether this very body has come."""
        return self.record["body_sha256"] == hashlib.sha256(body or b"").hexdigest()


# Whether what reached Google does the harm that its sender meant.
Harm = Callable[[Seen], bool]


@dataclass(frozen=True)
class Pair:
    kind: str
    name: str
    attack: Request
    twin: Request
    expect: str  # a reason code, NEUTRALISED or HOST
    harm: Harm
    over: tuple[str, ...] = BOTH
    over_h2: str = ""  # what is expected over HTTP/2, where that differs
    other_haproxies: tuple[str, ...] = ()  # what HAProxys of other versions make of it
    since: tuple[int, int] = (2, 6)  # the HAProxy from which on it is so
    desk: str = "shared"  # which configuration, see gateways.py

    def expected(self, version: str) -> str:
        return self.over_h2 if version == "2" and self.over_h2 else self.expect


@dataclass
class Kind:
    """What pairs of one kind have in common: which check stops them."""

    name: str
    # Checks of the module (src/test_switches.rs), and rules of vertex.cfg (gateways.py).
    checks: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    since: tuple[int, int] = (2, 6)
    pairs: list[Pair] = field(default_factory=list)


# Harm, by what Google would have seen.


def target_has(text: str) -> Harm:
    return lambda seen: text in seen.target


def header_is_there(name: str) -> Harm:
    return lambda seen: bool(seen.all(name))


def header_has(name: str, text: str) -> Harm:
    return lambda seen: any(text.lower() in value.lower() for value in seen.all(name))


def body_arrives(body: bytes | None) -> Harm:
    return lambda seen: seen.holds(body)


# Where to arrive at all is the harm, a header that passes tells the attack from its twin.
MARK = ("x-server-timeout", "2")


def mark(request: Request) -> Request:
    return request.but(headers=(*request.headers, MARK))


is_marked = header_has(*MARK)


def dumps(value: object) -> bytes:
    return json.dumps(value).encode()
