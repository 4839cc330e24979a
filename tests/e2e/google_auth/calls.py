"""What a client asked, field by field, so that two clients can be compared."""

import base64
import calendar
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from endpoints import Asked

# Of a connection or of a library, not of what is asked. All other headers are compared.
UNCOMPARED = {
    "accept": "google-auth's transport says it takes anything; HAProxy's client does not say",
    "accept-encoding": "google-auth's transport reads compressed answers; HAProxy's does not",
    "connection": "of the connection",
    "content-length": "follows from the body",
    "host": "compared with the URL",
    "user-agent": "each its own",
    "x-goog-api-client": "google-auth counts its own use; Google's pages ask nobody else to",
}

# Seconds by which the time of a signature may be off.
_TIME_LEEWAY_SECS = 60

Fields = dict[str, Any]


@dataclass(frozen=True)
class Call:
    method: str
    host: str
    path: str
    fields: Fields

    @property
    def line(self) -> str:
        return f"{self.method} {self.host}{self.path}"


@dataclass(frozen=True)
class Difference:
    """`field` is "call" for one that only one of the two makes."""

    host: str
    field: str
    theirs: str | None
    ours: str | None


def read(asked: Asked, giver: Callable[[str], str | None]) -> Call:
    """`giver` tells tokens by whom they came from, as no two are the same."""
    url = urlsplit(asked.path)
    fields = {f"query.{name}": value for name, value in _single(url.query).items()}
    for name, value in asked.headers.items():
        if name not in UNCOMPARED:
            fields[f"header.{name}"] = value
    fields |= credentials(fields.pop("header.authorization", None), giver)
    fields |= _named(fields, "header.x-aws-ec2-metadata-token", giver)
    kind = asked.headers.get("content-type", "")
    if kind == "application/x-www-form-urlencoded":
        for name, value in _single(asked.body.decode()).items():
            fields |= _form_field(f"form.{name}", value)
        fields |= _named(fields, "form.subject_token", giver)
    elif kind == "application/json":
        body = json.loads(asked.body)
        fields |= {f"json.{name}": value for name, value in body.items()}
    elif asked.body:
        fields["body"] = asked.body
    return Call(asked.method, asked.host, url.path, fields)


def _named(fields: Fields, name: str, giver: Callable[[str], str | None]) -> Fields:
    who = giver(fields[name]) if name in fields else None
    return {name: f"<token of {who}>"} if who else {}


def credentials(header: str | None, giver: Callable[[str], str | None]) -> Fields:
    if header is None:
        return {}
    scheme, _, token = header.partition(" ")
    who = giver(token)
    return {"header.authorization": f"{scheme} <token of {who}>" if who else header}


def compare(theirs: list[Call], ours: list[Call]) -> Counter[Difference]:
    found: Counter[Difference] = Counter()
    matcher = SequenceMatcher(None, [c.line for c in theirs], [c.line for c in ours], False)
    for _, their_start, their_end, our_start, our_end in matcher.get_opcodes():
        their_part, our_part = theirs[their_start:their_end], ours[our_start:our_end]
        if [call.line for call in their_part] == [call.line for call in our_part]:
            for pair in zip(their_part, our_part, strict=True):
                found.update(_compare_fields(*pair))
            continue
        found.update(Difference(call.host, "call", call.line, None) for call in their_part)
        found.update(Difference(call.host, "call", None, call.line) for call in our_part)
    return found


def _compare_fields(theirs: Call, ours: Call) -> Iterator[Difference]:
    for name in theirs.fields.keys() | ours.fields.keys():
        pair = [call.fields.get(name) for call in (theirs, ours)]
        if pair[0] != pair[1] or any(name not in call.fields for call in (theirs, ours)):
            yield Difference(theirs.host, name, *(_told(value) for value in pair))


def _told(value: object) -> str | None:
    return value if isinstance(value, str | None) else json.dumps(value)


def _single(encoded: str) -> dict[str, str]:
    """A query or a form without any name that is there twice."""
    fields = parse_qs(encoded, keep_blank_values=True, strict_parsing=bool(encoded))
    assert all(len(values) == 1 for values in fields.values()), encoded
    return {name: value for name, [value] in fields.items()}


def _form_field(name: str, value: str) -> Fields:
    if name == "form.assertion":
        head, claims, _ = value.split(".")
        parts = {"header": _decoded(head), "claims": _with_relative_times(_decoded(claims))}
        return {f"{name}.{part}.{of}": v for part, all in parts.items() for of, v in all.items()}
    if value.startswith("%7B") and name == "form.subject_token":
        return _signed_request(name, json.loads(unquote(value)))
    return {name: value}


def _decoded(part: str) -> Fields:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def _with_relative_times(claims: Fields) -> Fields:
    issued = claims["iat"]
    assert abs(time.time() - issued) < _TIME_LEEWAY_SECS, claims
    return {**claims, "iat": "now", "exp": f"iat + {claims['exp'] - issued}"}


def _signed_request(name: str, request: Fields) -> Fields:
    """A request that AWS can be asked with; what follows from its time is left out."""
    headers = {header["key"].lower(): header["value"] for header in request["headers"]}
    signed_at = calendar.timegm(time.strptime(headers.pop("x-amz-date"), "%Y%m%dT%H%M%SZ"))
    assert abs(time.time() - signed_at) < _TIME_LEEWAY_SECS, request
    credential, signed, _ = headers.pop("authorization").split(", ")
    told = {"method": request["method"], "url": request["url"]}
    told |= {"credential": credential, "signed": signed.removeprefix("SignedHeaders=")}
    told |= {f"header.{key}": value for key, value in headers.items()}
    return {f"{name}.{key}": value for key, value in told.items()}
