"""What the tests of client libraries share: a gateway with roles for every dialect, tokens, and how
many requests really came."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from support.expect.eventually import eventually
from support.expect.shown import requests_so_far
from support.log.server import LogServer
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

# Proxies, projects and keys of whoever runs the tests.
OTHER_SETTINGS = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION",
    "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_VERTEX_BASE_URL", "GOOGLE_GENAI_USE_VERTEXAI",
    "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID",
    "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL",
    "ANTHROPIC_VERTEX_BASE_URL", "ANTHROPIC_VERTEX_PROJECT_ID", "CLOUD_ML_REGION",
    "LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2",
)  # fmt: skip

LEEWAY_SECS = 30

Answer = TypeVar("Answer")


def every_dialect(service_account: Path) -> dict[str, Any]:
    """The configuration of `vertex_json` with a role for all that these libraries call."""
    configuration = vertex_json(service_account)
    configuration["roles"][0]["may"] |= {
        "models": ["google/gemini-*", "google/text-embedding-*", "anthropic/claude-*"],
        "methods": [
            "generateContent", "streamGenerateContent", "countTokens", "embedContent", "predict",
            "chat.completions", "openapi.embeddings", "rawPredict", "streamRawPredict",
            "models.list", "models.get",
        ],
    }  # fmt: skip
    return configuration


class Wallet:
    """`fresh_token()` of docs/callers.md: what token it holds; `then`: another the next time."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.then: str | None = None

    def __call__(self) -> str:
        token = self.token
        self.token, self.then = self.then or token, None
        return token


class Callers:
    def __init__(self, haproxy: Haproxy, standin: Standin, logs: LogServer) -> None:
        self.haproxy, self.standin, self.logs = haproxy, standin, logs

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.haproxy.port}"

    @property
    def secure_url(self) -> str:
        """Over TLS, and HTTP/2 where the client wants it."""
        return f"https://localhost:{self.haproxy.tls_port}"

    def token(self) -> str:
        return self.standin.token({"groups": ["ml"]})

    def stranger(self) -> str:
        """A good token of somebody whom no role is for."""
        return self.standin.token({"groups": ["guests"]})

    def short_lived(self) -> tuple[str, Callable[[], None]]:
        """A token that only the gateway's leeway keeps alive, and how to wait for its end."""
        lifetime, age = 3600, 3600 + LEEWAY_SECS - 2
        end = time.time() - age + lifetime + LEEWAY_SECS + 1.2
        token = self.standin.token({"groups": ["ml"]}, lifetime=lifetime, iat_offset=-age)
        return token, lambda: time.sleep(max(0.0, end - time.time()))

    @property
    def requests(self) -> int:
        """How many requests have reached HAProxy so far, retries and all."""
        return requests_so_far(self.haproxy)

    def reasons(self) -> list[str]:
        """Why each of them was let through or not."""
        count = self.requests
        lines = self.logs.wait_for(count)
        assert len(lines) == count
        return [line["reason"] for line in lines]

    def fields(self, name: str) -> list[str]:
        """This field of each request's line, in order."""
        return [line[name] for line in self.logs.in_order(self.requests)]

    def seen(self) -> dict[str, Any]:
        """The one request that reached Google, with the gateway's credential and not a trace of
        the caller's or of what its library tells about the caller's machine."""
        [seen] = self.standin.requests(of="google")
        assert seen["bearer"]["valid"], seen["bearer"]
        names = {name.lower() for name, _ in seen["headers"]}
        hidden = ("x-stainless", "x-goog-api-key", "x-api-key", "x-goog-request-params", "cookie")
        assert [name for name in names if name.startswith(hidden)] == []
        return seen


def one_by_one(standin: Standin, parts: int, stream: Callable[[], Any]) -> list[Any]:
    """The items of a stream, each read while the next part has not left Google. `stream()` begins
    it; what a library makes of one part may be several items, so they are read by a thread."""
    standin.google(chunks=parts, gate=True)
    items: list[Any] = []
    failures: list[BaseException] = []

    def read() -> None:
        try:
            for item in stream():
                items.append(item)
        except BaseException as why:
            failures.append(why)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    seen = 0
    for _ in range(parts - 1):
        eventually(lambda seen=seen: failures or len(items) > seen, "a part arrives")
        seen = settled(items)
        assert reader.is_alive(), failures
        assert standin.release() == 1
    reader.join(10)
    assert not reader.is_alive()
    if failures:
        raise failures[0]
    return items


def settled(items: list[Any], quiet: float = 0.1) -> int:
    """Waits until nothing has been added for a while; how many there are then."""
    while True:
        count = len(items)
        time.sleep(quiet)
        if len(items) == count:
            return count


def outlives_its_token(
    callers: Callers,
    wallet: Wallet,
    call: Callable[[], Answer],
    refused: type[Exception],
) -> tuple[Answer, Exception]:
    """One client in one process: a call, its token expires, a refused call, a fresh token, a call.
    What the last call gave, and how the library told the refusal."""
    wallet.token, wait_for_its_end = callers.short_lived()
    call()
    wait_for_its_end()
    with pytest.raises(refused) as raised:
        call()
    wallet.token = callers.token()
    return call(), raised.value
