"""A caller's request to generate content, and what a refusal of it says."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from support.calls import BODY, GENERATE, STREAM, headers
from support.client import Connection, Response, once
from support.haproxy import Haproxy

# Longer than any wait of the gateway's.
_PATIENCE_SECS = 20.0


def generate(haproxy: Haproxy, token: str) -> Response:
    """A request on a connection of its own."""
    return once(haproxy.port, "POST", GENERATE, headers(token), BODY, timeout=_PATIENCE_SECS)


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
        return list(pool.map(lambda pair: outcome(generate(*pair)), asked))
