"""What is sent: unary and streamed calls with tokens of some 600 bytes."""

import json
import secrets
import string
from dataclasses import dataclass
from pathlib import Path

from support.wire.calls import GENERATE, STREAM, headers
from support.wire.http1 import Response, once
from support.world.standin import Standin

# At so many the kernel charges the wake-ups of an idle load generator to the proxy; at few it does not.
CONNECTIONS, FEW_CONNECTIONS = 8, 2
BODY_BYTES = 300
CALLER_TOKEN_BYTES = 600
GOOGLE_TOKEN_BYTES = 900
KNOWN_TOKENS = 50

_MINTED_AT_ONCE = 2000
_ALPHABET = string.ascii_letters + string.digits + "-_"


def body() -> bytes:
    def prompt(text: str) -> bytes:
        return json.dumps({"contents": [{"role": "user", "parts": [{"text": text}]}]}).encode()

    return prompt("x" * (BODY_BYTES - len(prompt(""))))


def sdk_headers(token: str) -> dict[str, str]:
    """As Google's SDK for Python sends them, and as `load.lua` does."""
    sdk = "google-genai-sdk/1.52.0 gl-python/3.11.7"
    accepted = {"Accept": "*/*", "Accept_Encoding": "gzip, deflate"}
    return headers(token, User_Agent=sdk, X_Goog_Api_Client=sdk, **accepted)


def google_token() -> str:
    rest = GOOGLE_TOKEN_BYTES - len("ya29.")
    return "ya29." + "".join(secrets.choice(_ALPHABET) for _ in range(rest))


class Callers:
    """Mints callers' tokens, all of one length."""

    def __init__(self, standin: Standin) -> None:
        self._standin = standin
        self._claims = {"groups": ["ml"], "email": "ada@corp.example", "nbf": None}
        missing = CALLER_TOKEN_BYTES - len(self.one())
        # Base64 makes 4 characters of 3 bytes.
        padding = max(0, missing * 3 // 4 - len(',"pad":""'))
        if padding:
            self._claims["pad"] = "x" * padding

    def one(self, **different: object) -> str:
        claims = {**self._claims, **different.pop("claims", {})}
        return self._standin.token(claims, header={"typ": None}, **different)

    def many(self, count: int) -> list[str]:
        tokens: list[str] = []
        while len(tokens) < count:
            portion = min(_MINTED_AT_ONCE, count - len(tokens))
            # For two at least the answer is a list.
            tokens += self._standin.tokens(
                max(2, portion), self._claims, header={"typ": None}, lifetime=7200
            )[:portion]
        if len(set(tokens)) != count:
            raise RuntimeError("a token was minted twice")
        return tokens


def send(port: int, token: str) -> Response:
    return once(port, "POST", GENERATE, headers(token), body())


@dataclass(frozen=True)
class Work:
    """What one measurement sends: this often, to this target, with these tokens in turn."""

    target: Path
    tokens: Path
    requests: int
    connections: int = CONNECTIONS


class Files:
    """The files that the load generator reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.body = self._written("body", body().decode())
        self.unary = self._written("unary", GENERATE)
        self.stream = self._written("stream", STREAM)

    def tokens(self, name: str, tokens: list[str]) -> Path:
        return self._written(f"tokens-{name}", "\n".join(tokens))

    def _written(self, name: str, text: str) -> Path:
        file = self._folder / name
        file.write_text(text)
        return file
