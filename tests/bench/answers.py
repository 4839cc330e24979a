"""What the upstream answers, in Gemini's shapes: one answer as a whole, and one as events."""

import json
from collections.abc import Callable
from typing import Any

ANSWER_BYTES = 3000
EVENTS = 20
EVENT_BYTES = 300

_PROMPT_TOKENS, _THOUGHT_TOKENS = 75, 120
_CHARACTERS_A_TOKEN = 4
_SENTENCE = "Every call is measured, \"each\" token counted.\nThe next line begins here. "


def unary() -> bytes:
    """Indented, as Vertex AI sends it (GenerateContentResponse of its REST reference)."""

    def answer(text: str) -> bytes:
        whole = {**_part(text), "usageMetadata": _usage(text)}
        whole["candidates"][0] |= {"finishReason": "STOP", "avgLogprobs": -0.31}
        return json.dumps(whole, indent=2).encode()

    return _of_bytes(ANSWER_BYTES, answer)


def events() -> list[str]:
    """As `alt=sse` gives them; only the last one says what the answer took."""

    def event(text: str) -> bytes:
        part = {**_part(text), "usageMetadata": {"trafficType": "ON_DEMAND"}}
        return f"data: {json.dumps(part)}\r\n\r\n".encode()

    def last(text: str) -> bytes:
        part = {**_part(text), "usageMetadata": _usage(text * EVENTS)}
        part["candidates"][0]["finishReason"] = "STOP"
        return f"data: {json.dumps(part)}\r\n\r\n".encode()

    former = [_of_bytes(EVENT_BYTES, event)] * (EVENTS - 1)
    return [text.decode() for text in (*former, last("The end."))]


def _part(text: str) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}],
        "modelVersion": "gemini-2.5-flash",
        "createTime": "2026-03-02T10:20:30.405060Z",
        "responseId": "c2FtcGxlLTAwMDE",
    }


def _usage(text: str) -> dict[str, Any]:
    answered = len(text) // _CHARACTERS_A_TOKEN
    return {
        "promptTokenCount": _PROMPT_TOKENS,
        "candidatesTokenCount": answered,
        "totalTokenCount": _PROMPT_TOKENS + answered + _THOUGHT_TOKENS,
        "trafficType": "ON_DEMAND",
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": _PROMPT_TOKENS}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": answered}],
        "thoughtsTokenCount": _THOUGHT_TOKENS,
    }


def _of_bytes(wanted: int, written: Callable[[str], bytes]) -> bytes:
    """The longest that is no longer than wanted."""
    text = _SENTENCE * (wanted // len(_SENTENCE))
    while len(written(text)) > wanted:
        text = text[:-1]
    return written(text)
