"""Requests as a caller of Vertex AI writes them, and what came of them."""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from support.wire.http1 import Connection, Response, once
from support.world.haproxy import Haproxy

PROJECT = "/v1/projects/acme-ml/locations/us-central1"
MODEL = f"{PROJECT}/publishers/google/models/gemini-2.5-flash"
GENERATE = f"{MODEL}:generateContent"
STREAM = f"{MODEL}:streamGenerateContent?alt=sse"
COUNT = f"{MODEL}:countTokens"
OTHER_MODEL = f"{PROJECT}/publishers/google/models/gemini-1.5-pro:generateContent"
BODY = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}).encode()

# What the role of `vertex_json` asks of a token.
CLAIMS: Mapping[str, Any] = {"groups": ["ml"], "email": "ada@corp.example"}

# Longer than any wait of the gateway's.
_PATIENCE_SECS = 20.0


def headers(token: str | None, **more: str) -> dict[str, str]:
    """`more` with `_` for `-`."""
    pairs = {"Content-Type": "application/json"}
    if token is not None:
        pairs["Authorization"] = f"Bearer {token}"
    return pairs | {name.replace("_", "-"): value for name, value in more.items()}


def post(
    haproxy: Haproxy, token: str | None, target: str = GENERATE, body: bytes = BODY, **more: str
) -> Response:
    """A request on a connection of its own."""
    return once(haproxy.port, "POST", target, headers(token, **more), body, _PATIENCE_SECS)


def begin_stream(connection: Connection, token: str) -> Response:
    """The head of a streamed answer; its parts are the caller's to read."""
    connection.send_request("POST", STREAM, headers(token), BODY)
    return connection.read_head()


def outcome(response: Response) -> tuple[int, str]:
    """The status, and the reason in Google's error JSON; "-" for what is no refusal."""
    if response.status == 200:
        return 200, "-"
    detail, *_ = json.loads(response.text)["error"]["details"]
    return response.status, detail["reason"]


def outcomes(asked: Iterable[tuple[Haproxy, str]], at_once: int = 20) -> list[tuple[int, str]]:
    """The outcomes of many requests at the same time, in their order."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda pair: outcome(post(*pair)), asked))
