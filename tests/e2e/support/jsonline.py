"""The access line as JSON (VERTEX_LOG_STYLE=json), read strictly, and what it says in the text's words."""

import json
from typing import Any
from urllib.parse import unquote_to_bytes

from support import audittail

_MARK = '{"timestamp":'

# The members that every line has, whatever became of the request.
ALWAYS = (
    "timestamp", "client.address", "client.port", "haproxy.frontend", "haproxy.backend",
    "haproxy.server", "haproxy.time.request_ms", "haproxy.time.queue_ms",
    "haproxy.time.connect_ms", "haproxy.time.response_ms", "haproxy.time.total_ms",
    "http.response.status_code", "http.response.size", "haproxy.termination_state",
    "gen_ai.provider.name", "vertex.decision", "vertex.reason",
)  # fmt: skip

_NAMES = {
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
    "error": "vertex.answer_error",
    "first_byte_ms": "vertex.first_byte_ms",
    "prompt_bytes": "vertex.prompt_bytes",
    "reserved": "vertex.tokens.reserved",
    "charged": "vertex.tokens.charged",
    "signals": "vertex.signals",
}


def is_one(line: str) -> bool:
    return _MARK in line


def read(line: str) -> dict[str, Any]:
    """One object and nothing behind it, no name twice, in UTF-8."""
    begin, mark, rest = line.partition(_MARK)
    if not mark or "{" in begin:
        raise ValueError(f"not one JSON line: {line!r}")
    text = (mark + rest).encode("latin-1").decode("utf-8")
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except ValueError as why:
        raise ValueError(f"{why}: {line!r}") from why
    missing = [name for name in ALWAYS if name not in found]
    if missing:
        raise ValueError(f"without {missing}: {line!r}")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name twice in {names}")
    return dict(pairs)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def said(line: dict[str, Any]) -> dict[str, str]:
    """By the names of the text, decoded; without what only the text says."""
    words = {name: _word(line.get(member)) for name, member in _NAMES.items()}
    if line.get("vertex.upstream.closed"):
        words["upstream"] = "closed"
    return words | {"answered": _word(line.get("gen_ai.usage.output_tokens"))}


def _word(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(int(value))
        case list():
            return ",".join(value)
    return str(value)


def said_in_text(fields: dict[str, str]) -> dict[str, str]:
    """The same of a text line's fields, as `audittail.read` gives them."""
    plain = {
        name: "-" if value == "-" else unquote_to_bytes(value).decode("utf-8", "replace")
        for name, value in fields.items()
    }
    out, thought = plain["tokens_out"], plain["tokens_thought"]
    both = [int(count) for count in (out, thought) if count != "-"]
    only_there = ("tokens_out", "tokens_total", "parts")
    kept = {name: plain[name] for name in audittail.KEYS if name not in only_there}
    return kept | {"answered": str(sum(both)) if both else "-"}
