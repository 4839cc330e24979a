"""Reads the access-log line: HAProxy's standard HTTP fields, then `vertex{…}`."""

import functools
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_TAIL = re.compile(r"vertex\{(?P<fields>[^}]*)\}")

# `option httplog`: configuration manual, chapter 8.2.3. What comes behind the
# queues (captures, the request line, our tail) is `rest`.
_STANDARD = re.compile(
    r"(?P<client>\S+):(?P<client_port>\d+) \[(?P<date>[^\]]+)\] "
    r"(?P<frontend>\S+) (?P<backend>[^/\s]+)/(?P<server>\S+) "
    r"(?P<TR>-?\d+)/(?P<Tw>-?\d+)/(?P<Tc>-?\d+)/(?P<Tr>-?\d+)/(?P<Ta>\+?-?\d+) "
    r"(?P<status>-?\d+) (?P<bytes>\+?\d+) "
    r"(?P<request_cookie>\S+) (?P<response_cookie>\S+) (?P<termination>\S{4}) "
    r"(?P<counts>\d+/\d+/\d+/\d+/\+?\d+) (?P<queues>\d+/\d+) ?(?P<rest>.*)$",
    re.DOTALL,
)
_REQUEST_LINE = re.compile(r'"([^"]*)"')


@dataclass(frozen=True)
class AuditLine:
    text: str

    @staticmethod
    def is_one(text: str) -> bool:
        return "vertex{" in text

    @functools.cached_property
    def fields(self) -> dict[str, str]:
        """The tail's fields, percent-decoded (as latin-1: one character a byte)."""
        tail = _TAIL.search(self.text)
        if tail is None:
            raise ValueError(f"no complete vertex{{…}} in {self.text!r}")
        fields: dict[str, str] = {}
        for pair in tail["fields"].split():
            key, separator, value = pair.partition("=")
            if not separator or key in fields:
                raise ValueError(f"not key=value, or twice: {pair!r} in {self.text!r}")
            fields[key] = unquote_to_bytes(value).decode("latin-1")
        return fields

    @functools.cached_property
    def http(self) -> dict[str, str]:
        """The standard fields, by the names above."""
        found = _STANDARD.search(self.text)
        if found is None:
            raise ValueError(f"not the standard HTTP fields: {self.text!r}")
        return found.groupdict()

    @property
    def status(self) -> int:
        return int(self.http["status"])

    @property
    def request_line(self) -> str | None:
        outside = _TAIL.sub("", self.http["rest"])
        quoted = _REQUEST_LINE.search(outside)
        return quoted and quoted[1]

    def __getitem__(self, field: str) -> str:
        return self.fields[field]

    def get(self, field: str, default: str | None = None) -> str | None:
        return self.fields.get(field, default)
