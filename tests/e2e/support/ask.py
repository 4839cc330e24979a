"""A caller's request to generate content, and what a refusal of it says."""

import json

from support.client import Connection, Response, once
from support.haproxy import Haproxy

_MODEL = "/v1/projects/acme-ml/locations/us-central1/publishers/google/models/gemini-2.5-flash"
GENERATE = f"{_MODEL}:generateContent"
STREAM = f"{_MODEL}:streamGenerateContent?alt=sse"
BODY = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}).encode()


def headers(token: str, **more: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Authorization": f"Bearer {token}", **more}


def generate(haproxy: Haproxy, token: str) -> Response:
    """A request on a connection of its own; longer than any wait of the gateway's."""
    return once(haproxy.port, "POST", GENERATE, headers(token), BODY, timeout=20)


def begin_stream(connection: Connection, token: str) -> Response:
    """The head of a streamed answer; its parts are the caller's to read."""
    connection.send_request("POST", STREAM, headers(token), BODY)
    return connection.read_head()


def outcome(response: Response) -> tuple[int, str]:
    """The status, and the reason in Google's error JSON; "-" for what is no refusal."""
    if response.status == 200:
        return 200, "-"
    [detail] = json.loads(response.text)["error"]["details"]
    return response.status, detail["reason"]
