"""Requests as a caller of Vertex AI writes them."""

import json
from collections.abc import Mapping
from typing import Any

PROJECT = "/v1/projects/acme-ml/locations/us-central1"
MODEL = f"{PROJECT}/publishers/google/models/gemini-2.5-flash"
GENERATE = f"{MODEL}:generateContent"
STREAM = f"{MODEL}:streamGenerateContent?alt=sse"
COUNT = f"{MODEL}:countTokens"
OTHER_MODEL = f"{PROJECT}/publishers/google/models/gemini-1.5-pro:generateContent"
BODY = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}).encode()

# What the role of `vertex_json` asks of a token.
CLAIMS: Mapping[str, Any] = {"groups": ["ml"], "email": "ada@corp.example"}


def headers(token: str | None, **more: str) -> dict[str, str]:
    """`more` with `_` for `-`."""
    pairs = {"Content-Type": "application/json"}
    if token is not None:
        pairs["Authorization"] = f"Bearer {token}"
    return pairs | {name.replace("_", "-"): value for name, value in more.items()}
