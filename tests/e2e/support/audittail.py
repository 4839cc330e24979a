"""The end of an audit line, read strictly: what a machine that reads the log relies on."""

import hashlib
import re
from urllib.parse import unquote_to_bytes

# Written with the verdict, then what became of the call (`Usage::write_fields` in the middle).
KEYS = (
    "decision", "reason", "principal", "role", "credential", "google_identity", "project",
    "location", "publisher", "model", "method", "display", "google", "id",
    "streamed", "upstream", "aborted",
    "tokens", "tokens_in", "tokens_out", "tokens_cached", "tokens_cache_write", "tokens_thought",
    "tokens_tool_use", "tokens_total", "images", "finish", "block", "response_id",
    "model_version", "error", "parts",
    "first_byte_ms", "prompt_bytes", "reserved", "charged", "signals",
)  # fmt: skip

_LINE = re.compile(
    r'(?P<before>[^"{}]*) "(?P<request>[!#-z|~]+(?: [!#-z|~]+ HTTP/[0-9.]+)?)"'
    r" vertex\{(?P<tail>[^{}]*)\}"
)
_VALUE = r"(?:[A-Za-z0-9._:@/~-]|%[0-9A-F]{2})+"
_NUMBER = r"-|[0-9]+"
# What is written more narrowly than other values.
_OTHER = {
    **dict.fromkeys(
        (key for key in KEYS if key.startswith("tokens_")), _NUMBER
    ),
    **dict.fromkeys(("images", "parts", "prompt_bytes", "reserved", "charged"), _NUMBER),
    **dict.fromkeys(("streamed", "aborted"), "[01-]"),
    "first_byte_ms": r"-|-?[0-9]+",
    "upstream": r"-|closed|[1-5][0-9]{2}",
    "tokens": r"-|exact|at_least|unknown|none",
    "signals": r"-|[a-z_]+(?:,[a-z_]+)*",
}
_CUT = re.compile(r"~([0-9a-f]{8})$")


def read(line: str) -> dict[str, str]:
    """The tail's fields as they are written: each key once, in its order, nothing else."""
    whole = _LINE.fullmatch(line)
    if whole is None:
        raise ValueError(f"not one audit line: {line!r}")
    pairs = [part.partition("=") for part in whole["tail"].split(" ")]
    fields = {key: value for key, _, value in pairs}
    if tuple(key for key, _, _ in pairs) != KEYS:
        raise ValueError(f"other keys or another order: {line!r}")
    for key, value in fields.items():
        if not re.fullmatch(_OTHER.get(key, _VALUE), value):
            raise ValueError(f"{key} is {value!r}: {line!r}")
    return fields


def means(written: str, text: str) -> bool:
    """Whether a written value stands for `text`: decoded it is the same, or it is the
    beginning and `~` and eight digits of the SHA-256 of the whole."""
    raw = text.encode()
    cut = _CUT.search(written)
    if cut is None:
        return unquote_to_bytes(written) == raw
    beginning = unquote_to_bytes(written[: cut.start()])
    return raw.startswith(beginning) and hashlib.sha256(raw).hexdigest()[:8] == cut[1]
