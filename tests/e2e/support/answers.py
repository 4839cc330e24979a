"""Answers of Google's as a test writes them, and what a line should then say."""

import json
from typing import Any

from support.auditline import AuditLine
from support.calls import BODY, STREAM, headers
from support.client import Response, once
from support.haproxy import Haproxy
from support.logserver import LogServer

ARRAY = STREAM.replace("?alt=sse", "")

COUNTS = ("tokens_in", "tokens_out", "tokens_thought", "tokens_cached", "tokens_total")


def counted(line: AuditLine) -> dict[str, int | None]:
    """The counts of a line; None is what the answer did not say."""
    return {name: None if line[name] == "-" else int(line[name]) for name in COUNTS}


def canned(*pieces: str, content_type: str = "application/json; charset=UTF-8") -> dict[str, Any]:
    return {"canned": {"content_type": content_type, "pieces": list(pieces)}}


def events(*pieces: str) -> dict[str, Any]:
    return {**canned(*pieces, content_type="text/event-stream"), "interval_ms": 0}


def generated(text: str, **usage: int) -> str:
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


def post(haproxy: Haproxy, target: str, token: str, body: bytes = BODY, **more: str) -> Response:
    return once(haproxy.port, "POST", target, headers(token, **more), body)


def line_of(logs: LogServer) -> AuditLine:
    [line] = logs.wait_for(1)
    return line
