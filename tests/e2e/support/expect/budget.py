"""Requests whose tokens are known beforehand, roles with limits, and what a refusal by one says."""

import copy
import json
import time
from pathlib import Path
from typing import Any

from support.wire.calls import PROJECT, headers, outcome, post
from support.wire.http1 import Connection, Response
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy

JSON = "application/json"
SPAN_SECONDS = {"minute": 60, "hour": 3600}
FLASH, PRO = "gemini-2.5-flash", "gemini-2.5-pro"
MORE_THAN_ANY_BUDGET = 10**9


def with_roles(
    service_account: Path, roles: dict[str, dict[str, Any]], **top: Any
) -> dict[str, Any]:
    """The configuration of `vertex_json` with these roles, each for the group of its name and with
    these members, and with these members at the top."""
    vertex = vertex_json(service_account)
    [usual] = vertex["roles"]
    usual["may"] |= {
        "models": ["google/gemini-*", "anthropic/claude-*"],
        "methods": [
            "generateContent", "streamGenerateContent", "countTokens", "chat.completions",
            "rawPredict", "streamRawPredict",
        ],
    }  # fmt: skip
    vertex["roles"] = []
    for name, members in roles.items():
        role = copy.deepcopy(usual) | {"name": name} | members
        role["who"] = {"issuer": "corp", "groups": [name]}
        vertex["roles"].append(role)
    return vertex | top


def body(output_tokens: int | None = None, text: str = "hello") -> bytes:
    """A prompt that allows itself this many tokens of output."""
    asked: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    if output_tokens is not None:
        asked["generationConfig"] = {"maxOutputTokens": output_tokens}
    return json.dumps(asked).encode()


def expecting(tokens: int) -> bytes:
    """A prompt that is estimated at this many tokens: four bytes are one, and its own limit."""
    written = body(10)  # two digits, as in what is returned
    output = tokens - -(-len(written) // 4)
    if not 10 <= output <= 99:
        raise ValueError(f"{tokens} tokens cannot be written with two digits")
    return body(output)


def answer(tokens: int, prompt: int = 1) -> dict[str, Any]:
    """For the stand-in: a whole answer that says it took this many tokens."""
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": tokens - prompt}
    said = {
        "candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}],
        "usageMetadata": counts | {"totalTokenCount": tokens},
    }
    return {"content_type": JSON, "pieces": [json.dumps(said)]}


def target(model: str = FLASH, method: str = "generateContent") -> str:
    query = "?alt=sse" if method.startswith("stream") else ""
    return f"{PROJECT}/publishers/google/models/{model}:{method}{query}"


def hold(haproxy: Haproxy, token: str, model: str = FLASH) -> tuple[Connection, Response]:
    """A stream whose first part has come; the stand-in's gate keeps the others."""
    connection = Connection(haproxy.port, timeout=20)
    asked = target(model, "streamGenerateContent")
    connection.send_request("POST", asked, headers(token), body())
    head = connection.read_head()
    if head.status == 200:
        next(connection.parts(head))
    return connection, head


def chat(output_tokens: int, model: str = f"google/{FLASH}") -> tuple[str, bytes]:
    """Target and body of OpenAI's dialect."""
    asked = {
        "model": model,
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": output_tokens,
    }
    return f"{PROJECT}/endpoints/openapi/chat/completions", json.dumps(asked).encode()


def remaining(haproxy: Haproxy, token: str) -> int:
    """The tokens that are left, told in the refusal of a request that can never pass: asking takes
    nothing."""
    asked, content = chat(MORE_THAN_ANY_BUDGET)
    refused = post(haproxy, token, asked, content)
    assert refused.status == 429, refused
    return int(refused.header("x-ratelimit-remaining-tokens") or "")


def left_of(span: str, now: float | None = None) -> float:
    """The seconds until this window of UTC ends."""
    seconds = SPAN_SECONDS[span]
    return seconds - (time.time() if now is None else now) % seconds


def well_inside_a_minute(seconds: float = 8) -> None:
    """Returns when the current minute, and so the current hour, goes on for so long."""
    if (left := left_of("minute")) < seconds:
        time.sleep(left + 0.05)


def well_inside_an_hour() -> None:
    """Returns when the current hour goes on for more than a minute, which many clients do not wait."""
    if (left := left_of("hour")) < 90:
        time.sleep(left + 0.05)


def assert_exhausted(response: Response, why: str, words: str, span: str | None = None) -> None:
    """A refusal in Google's dialect that says when to come again: at the end of the window."""
    assert outcome(response) == (429, why), response
    assert response.header("content-type") == JSON
    error = json.loads(response.body)["error"]
    assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert words in error["message"], error["message"]
    wait = int(response.header("retry-after") or "")
    # A request that is over within the second: the window's end may be told a second more or less.
    due = 1 if span is None else left_of(span)
    assert wait > 0 and abs(wait - due) <= 2, (wait, due)
    assert span is None or wait <= SPAN_SECONDS[span]
    retry = error["details"][-1]
    kind = "type.googleapis.com/google.rpc.RetryInfo"
    assert retry == {"@type": kind, "retryDelay": f"{wait}s"}
    assert response.header("x-should-retry") == ("true" if wait <= 60 else "false")
