"""Answers of Google's as a test writes them, and what a line should then say."""

import json
from typing import Any

from support.log.line import AccessLine
from support.log.server import LogServer
from support.wire.calls import STREAM

ARRAY = STREAM.replace("?alt=sse", "")

COUNTS = ("tokens_in", "tokens_out", "tokens_thought", "tokens_cached", "tokens_total")


def counted(line: AccessLine) -> dict[str, int | None]:
    """The counts of a line; None is what the answer did not say."""
    return {name: None if line[name] == "-" else int(line[name]) for name in COUNTS}


def canned(*pieces: str, content_type: str = "application/json; charset=UTF-8") -> dict[str, Any]:
    return {"canned": {"content_type": content_type, "pieces": list(pieces)}}


def events(*pieces: str) -> dict[str, Any]:
    return {**canned(*pieces, content_type="text/event-stream"), "interval_ms": 0}


def generated(text: str, **usage: int | str) -> str:
    """An answer of `generateContent`."""
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}
    return json.dumps(
        {
            "candidates": [candidate],
            "usageMetadata": usage,
            "modelVersion": "gemini-2.5-flash",
            "responseId": "an-id",
        }
    )


def line_of(logs: LogServer) -> AccessLine:
    [line] = logs.wait_for(1)
    return line
