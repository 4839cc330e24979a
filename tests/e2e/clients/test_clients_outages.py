"""What client libraries say when Google is down, slow, or leaves before it has answered: their own
exception of the status, with the gateway's words."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors

from support.clients.callers import Wallet, every_dialect
from support.clients.node import ApiError, Node
from support.clients.snippets import run
from support.expect.refusal import STATUS, text
from support.wire.rawgoogle import Answer, RawGoogle
from support.world.haproxy import Haproxy
from support.world.place import free_port
from support.world.standin import Standin

GEMINI, CLAUDE = "gemini-2.5-flash", "claude-sonnet-4-5@20250929"
MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]
# Less than the libraries wait, and more than an answer takes that comes.
PATIENCE = "timeout server 700ms"


# What Google does, how support/rawgoogle.py names that, and the reason that callers are told.
OUTAGES = {
    "is down": (None, "upstream_unavailable"),
    "is slow": ("late", "upstream_timeout"),
    "leaves before its answer": ("none", "upstream_closed"),
    "leaves amid the status line": ("line", "upstream_closed"),
    "leaves amid the head": ("head", "upstream_closed"),
    "speaks no HTTP": ("garbage", "upstream_closed"),
}

OF_GOOGLE_S_OWN = b'{"error":{"message":"of Google\'s own (late)","code":"late"},"type":"error"}'
_504 = b"HTTP/1.1 504 Late\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
ANSWERS: dict[str, Answer] = {
    "late": lambda client: time.sleep(1.5),
    "own": lambda client: client.sendall(_504 % len(OF_GOOGLE_S_OWN) + OF_GOOGLE_S_OWN),
}


@dataclass(frozen=True)
class Told:
    """What an exception of a library holds."""

    status: int | None
    message: str
    reason: str


Call = Callable[[str, str, bool], Told]


def genai(url: str, token: str, streamed: bool) -> Told:
    with run("google-genai", url, fresh_token=Wallet(token))["client"] as client:
        with pytest.raises(errors.ServerError) as raised:
            if streamed:
                list(client.models.generate_content_stream(model=GEMINI, contents="hello"))
            else:
                client.models.generate_content(model=GEMINI, contents="hello")
    error = raised.value
    reason = error.details["error"]["details"][0]["reason"]
    return Told(error.code, error.message or "", reason)


def genai_js(url: str, token: str, streamed: bool) -> Told:
    node = Node(url, token)
    try:
        with pytest.raises(ApiError) as raised:
            list(node.stream("stream" if streamed else "generate", model=GEMINI, contents="hello"))
    finally:
        node.stop()
    error = json.loads(raised.value.message)["error"]
    return Told(raised.value.status, error["message"], error["details"][0]["reason"])


def openai_(url: str, token: str, streamed: bool, **options: Any) -> Told:
    model = f"google/{GEMINI}"
    with run("openai", url, fresh_token=Wallet(token))["client"].with_options(**options) as client:
        with pytest.raises(openai.InternalServerError) as raised:
            client.chat.completions.create(model=model, messages=MESSAGES, stream=streamed)
    error = raised.value
    assert isinstance(error.body, dict)
    return Told(error.status_code, error.body["message"], error.code or "")


def anthropic_(url: str, token: str, streamed: bool, **options: Any) -> Told:
    names = run("google-genai", url, fresh_token=Wallet(token))
    names["client"].close()
    with run("anthropic", url, **names)["client"].with_options(**options) as client:
        with pytest.raises(anthropic.InternalServerError) as raised:
            client.messages.create(
                model=CLAUDE, max_tokens=50, messages=MESSAGES, stream=streamed
            )
    error = raised.value
    assert isinstance(error.body, dict)
    message, _, reason = error.body["error"]["message"].rpartition(" ")
    return Told(error.status_code, message, reason.strip("()"))


LIBRARIES: dict[str, Call] = {
    "google-genai": genai,
    "@google/genai": genai_js,
    "openai": lambda *asked: openai_(*asked, max_retries=0),
    "anthropic": lambda *asked: anthropic_(*asked, max_retries=0),
}
# They try again what they are not told to leave.
THAT_RETRY: dict[str, Call] = {"openai": openai_, "anthropic": anthropic_}


@pytest.fixture
def behind(
    gateway: Callable[..., Haproxy], standin: Standin, no_settings: None
) -> Callable[[int], str]:
    """`behind(port)`: the URL of a gateway with roles for every dialect, whose Google is there."""
    vertex = every_dialect(standin.service_account)

    def one(port: int) -> str:
        haproxy = gateway(vertex=vertex, google_http=port, upstream_lines=PATIENCE)
        return f"http://127.0.0.1:{haproxy.port}"

    return one


@pytest.fixture
def google(raw: RawGoogle) -> RawGoogle:
    raw.answers |= ANSWERS
    return raw


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("library", LIBRARIES)
def test_an_outage_is_the_library_s_own_exception_with_our_words(
    behind: Callable[[int], str],
    google: RawGoogle,
    token: str,
    library: str,
    outage: str,
    streamed: bool,
) -> None:
    google.always, reason = OUTAGES[outage]
    url = behind(google.port if google.always else free_port())

    told = LIBRARIES[library](url, token, streamed)

    status, _ = STATUS[reason]
    assert told == Told(status, text(reason), reason)


@pytest.mark.parametrize("library", THAT_RETRY)
def test_what_google_may_be_at_work_on_is_not_asked_for_again(
    behind: Callable[[int], str], google: RawGoogle, token: str, library: str
) -> None:
    google.always = "late"

    told = THAT_RETRY[library](behind(google.port), token, False)

    assert (told.status, told.reason) == (504, "upstream_timeout")
    assert len(google.targets) == 1


@pytest.mark.parametrize("library", THAT_RETRY)
def test_the_twin_a_504_of_google_s_own_is_asked_for_again(
    behind: Callable[[int], str], google: RawGoogle, token: str, library: str
) -> None:
    google.always = "own"

    told = THAT_RETRY[library](behind(google.port), token, False)

    assert told.status == 504
    assert "of Google's own" in told.message
    assert len(google.targets) == 3
