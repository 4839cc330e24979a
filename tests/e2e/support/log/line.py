"""Reads a line of the access log, as text (HAProxy's HTTP fields, then `vertex{…}`) or as JSON."""

import functools
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

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
_TAIL = re.compile(r"vertex\{(?P<fields>[^}]*)\}")

# The tail's fields, written with the verdict, then what became of the call (`Usage::write_fields`
# in the middle).
KEYS = (
    "decision", "reason", "principal", "role", "credential", "google_identity", "project",
    "location", "publisher", "model", "method", "display", "detail", "session", "trace", "google",
    "id",
    "streamed", "upstream", "aborted",
    "tokens", "tokens_in", "tokens_out", "tokens_cached", "tokens_cache_write", "tokens_thought",
    "tokens_tool_use", "tokens_total", "images", "finish", "block", "response_id",
    "model_version", "traffic", "error", "parts",
    "first_byte_ms", "prompt_bytes", "reserved", "charged", "signals",
)  # fmt: skip

# What a machine that reads the log relies on.
_STRICT = re.compile(
    r'(?P<before>[^"{}]*) "(?P<request>[!#-z|~]+(?: [!#-z|~]+ HTTP/[0-9.]+)?)"'
    r" vertex\{(?P<tail>[^{}]*)\}"
)
_VALUE = r"(?:[A-Za-z0-9._:@/~-]|%[0-9A-F]{2})+"
_NUMBER = r"-|[0-9]+"
# What is written more narrowly than other values.
_OTHER = {
    **dict.fromkeys((key for key in KEYS if key.startswith("tokens_")), _NUMBER),
    **dict.fromkeys(("images", "parts", "prompt_bytes", "reserved", "charged"), _NUMBER),
    **dict.fromkeys(("streamed", "aborted"), "[01-]"),
    "first_byte_ms": r"-|-?[0-9]+",
    "upstream": r"-|closed|[1-5][0-9]{2}",
    "tokens": r"-|exact|at_least|unknown|none",
    "traffic": r"-|[A-Z_]{1,40}",
    "trace": r"-|[0-9a-f]{32}",
    "signals": r"-|[a-z_]+(?:,[a-z_]+)*",
}
_CUT = re.compile(r"~([0-9a-f]{8})$")

_JSON = '{"timestamp":'

# The members that every line of JSON has, whatever became of the request.
_ALWAYS = (
    "timestamp", "client.address", "client.port", "haproxy.frontend", "haproxy.backend",
    "haproxy.server", "haproxy.time.request_ms", "haproxy.time.queue_ms",
    "haproxy.time.connect_ms", "haproxy.time.response_ms", "haproxy.time.total_ms",
    "http.response.status_code", "http.response.size", "haproxy.termination_state",
    "gen_ai.provider.name", "vertex.decision", "vertex.reason",
)  # fmt: skip

# What JSON calls the tail's fields.
_MEMBERS = {
    "decision": "vertex.decision",
    "reason": "vertex.reason",
    "principal": "vertex.principal",
    "role": "vertex.role",
    "credential": "vertex.credential",
    "google_identity": "vertex.google_identity",
    "project": "gcp.project_id",
    "location": "cloud.region",
    "publisher": "vertex.publisher",
    "model": "gen_ai.request.model",
    "method": "vertex.method",
    "display": "vertex.display",
    "detail": "vertex.detail",
    "session": "gen_ai.conversation.id",
    "trace": "trace_id",
    "google": "vertex.google",
    "id": "vertex.id",
    "streamed": "vertex.streamed",
    "upstream": "vertex.upstream.status_code",
    "aborted": "vertex.aborted",
    "tokens": "vertex.tokens.counted",
    "tokens_in": "gen_ai.usage.input_tokens",
    "tokens_cached": "gen_ai.usage.cache_read.input_tokens",
    "tokens_cache_write": "gen_ai.usage.cache_creation.input_tokens",
    "tokens_thought": "gen_ai.usage.reasoning.output_tokens",
    "tokens_tool_use": "vertex.tokens.tool_use",
    "images": "vertex.images",
    "finish": "gen_ai.response.finish_reasons",
    "block": "vertex.block_reason",
    "response_id": "gen_ai.response.id",
    "model_version": "gen_ai.response.model",
    "traffic": "vertex.traffic_type",
    "error": "vertex.answer_error",
    "first_byte_ms": "vertex.first_byte_ms",
    "prompt_bytes": "vertex.prompt_bytes",
    "reserved": "vertex.tokens.reserved",
    "charged": "vertex.tokens.charged",
    "signals": "vertex.signals",
}
# What only the text says.
_ONLY_IN_TEXT = ("tokens_out", "tokens_total", "parts")


@dataclass(frozen=True)
class AccessLine:
    """`fields` and `http` take a tail of any fields and lines with more around it; `written`,
    `members` and `said` are strict, and raise a ValueError for whatever is not as documented."""

    text: str

    def has_tail(self) -> bool:
        return "vertex{" in self.text

    def is_json(self) -> bool:
        return _JSON in self.text

    def is_of(self, frontend: str) -> bool:
        """Whether it is text on a request to this frontend, with a tail or without."""
        return f"] {frontend} " in self.text or f"] {frontend}~ " in self.text

    def is_access(self) -> bool:
        """Whether it tells of a request, in whatever style, also without a tail."""
        return self.has_tail() or self.is_json() or self.is_of("ai")

    # As text.
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

    def __getitem__(self, field: str) -> str:
        return self.fields[field]

    def get(self, field: str, default: str | None = None) -> str | None:
        return self.fields.get(field, default)

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
    def accepted(self) -> datetime:
        """When the request came (`%t`), to the millisecond."""
        return datetime.strptime(self.http["date"], "%d/%b/%Y:%H:%M:%S.%f")

    @property
    def request_line(self) -> str | None:
        outside = _TAIL.sub("", self.http["rest"])
        quoted = _REQUEST_LINE.search(outside)
        return quoted and quoted[1]

    @functools.cached_property
    def written(self) -> dict[str, str]:
        """The tail's fields as they are written: each key once, in its order, nothing else."""
        whole = _STRICT.fullmatch(self.text)
        if whole is None:
            raise ValueError(f"not one audit line: {self.text!r}")
        pairs = [part.partition("=") for part in whole["tail"].split(" ")]
        if tuple(key for key, _, _ in pairs) != KEYS:
            raise ValueError(f"other keys or another order: {self.text!r}")
        for key, _, value in pairs:
            if not re.fullmatch(_OTHER.get(key, _VALUE), value):
                raise ValueError(f"{key} is {value!r}: {self.text!r}")
        return {key: value for key, _, value in pairs}

    # As JSON.
    @functools.cached_property
    def members(self) -> dict[str, Any]:
        """One object and nothing behind it, no name twice, in UTF-8."""
        begin, mark, rest = self.text.partition(_JSON)
        if not mark or "{" in begin:
            raise ValueError(f"not one JSON line: {self.text!r}")
        text = (mark + rest).encode("latin-1").decode("utf-8")
        try:
            found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
        except ValueError as why:
            raise ValueError(f"{why}: {self.text!r}") from why
        missing = [name for name in _ALWAYS if name not in found]
        if missing:
            raise ValueError(f"without {missing}: {self.text!r}")
        return found

    # As either.
    @property
    def path(self) -> str:
        """The request's path, in text with the rest of its line; "-" for none."""
        if self.is_json():
            return self.members.get("url.path", "-")
        return self.request_line or "-"

    @functools.cached_property
    def said(self) -> dict[str, str]:
        """By the names of the tail, decoded; without what only the text says."""
        return self._said_in_json() if self.is_json() else self._said_in_text()

    def _said_in_json(self) -> dict[str, str]:
        words = {name: _word(self.members.get(member)) for name, member in _MEMBERS.items()}
        if self.members.get("vertex.upstream.closed"):
            words["upstream"] = "closed"
        return words | {"answered": _word(self.members.get("gen_ai.usage.output_tokens"))}

    def _said_in_text(self) -> dict[str, str]:
        plain = {
            name: "-" if value == "-" else unquote_to_bytes(value).decode("utf-8", "replace")
            for name, value in self.written.items()
        }
        out, thought = plain["tokens_out"], plain["tokens_thought"]
        both = [int(count) for count in (out, thought) if count != "-"]
        kept = {name: value for name, value in plain.items() if name not in _ONLY_IN_TEXT}
        return kept | {"answered": str(sum(both)) if both else "-"}


def means(written: str, text: str) -> bool:
    """Whether a written value stands for `text`: decoded it is the same, or it is the
    beginning and `~` and eight digits of the SHA-256 of the whole."""
    raw = text.encode()
    cut = _CUT.search(written)
    if cut is None:
        return unquote_to_bytes(written) == raw
    beginning = unquote_to_bytes(written[: cut.start()])
    return raw.startswith(beginning) and hashlib.sha256(raw).hexdigest()[:8] == cut[1]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name twice in {names}")
    return dict(pairs)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _word(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(int(value))
        case list():
            return ",".join(value)
    return str(value)
