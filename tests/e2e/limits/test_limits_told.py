"""What a caller's own library makes of a refusal by a limit."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from threading import Timer
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

from support.expect.budget import FLASH, hold, left_of, well_inside_a_minute, with_roles
from support.expect.shown import requests_so_far
from support.wire.calls import PROJECT
from support.world.haproxy import Haproxy
from support.world.standin import Standin

CLAUDE = "claude-sonnet-4-5@20250929"
SAID: list[Any] = [{"role": "user", "content": "hello"}]
DIALECTS = ("google", "openai", "anthropic")
REFUSALS = (openai.RateLimitError, anthropic.RateLimitError, errors.ClientError)

# `ask()` asks once for so many tokens of output; `retries` is how often the library may try again.
Asking = Callable[..., Callable[[], Any]]


@pytest.fixture
def asking(no_settings: None) -> Iterator[Asking]:
    """`asking(dialect, haproxy, token, retries, output)`: a call of that library."""
    with ExitStack() as stack:

        def one(
            dialect: str, haproxy: Haproxy, token: str, retries: int = 0, output: int = 50
        ) -> Callable[[], Any]:
            url = f"http://127.0.0.1:{haproxy.port}"
            return _CLIENTS[dialect](stack, url, token, retries, output)

        yield one


def _openai(
    stack: ExitStack, url: str, token: str, retries: int, output: int
) -> Callable[[], Any]:
    path = f"{url}{PROJECT}/endpoints/openapi"
    made = openai.OpenAI(base_url=path, api_key=token, max_retries=retries)
    client = stack.enter_context(made)
    return lambda: client.chat.completions.create(
        model=f"google/{FLASH}", messages=SAID, max_tokens=output
    )


def _anthropic(
    stack: ExitStack, url: str, token: str, retries: int, output: int
) -> Callable[[], Any]:
    made = anthropic.AnthropicVertex(
        base_url=f"{url}/v1",
        project_id="acme-ml",
        region="us-central1",
        access_token=token,
        max_retries=retries,
    )
    client = stack.enter_context(made)
    return lambda: client.messages.create(model=CLAUDE, max_tokens=output, messages=SAID)


def _google(
    stack: ExitStack, url: str, token: str, retries: int, output: int
) -> Callable[[], Any]:
    again = types.HttpRetryOptions(attempts=1 + retries, initial_delay=1.0)
    made = genai.Client(
        vertexai=True,
        project="acme-ml",
        location="us-central1",
        credentials=Credentials(token=token),
        http_options=types.HttpOptions(base_url=url, retry_options=again),
    )
    client = stack.enter_context(made)
    asked = types.GenerateContentConfig(max_output_tokens=output)
    return lambda: client.models.generate_content(model=FLASH, contents="hello", config=asked)


_CLIENTS = {"google": _google, "openai": _openai, "anthropic": _anthropic}


def refused(call: Callable[[], Any]) -> Any:
    with pytest.raises(REFUSALS) as raised:
        call()
    return raised.value


def whole_again(text: str) -> float:
    """Seconds until then, as OpenAI and Anthropic write it."""
    if text.endswith("Z"):
        return datetime.fromisoformat(text).timestamp() - time.time()
    minutes, _, seconds = text.removesuffix("s").rpartition("m")
    return 60 * int(minutes or 0) + int(seconds)


@pytest.mark.parametrize("what", ["requests", "tokens"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_library_tells_its_user_of_the_limit(
    gateway: Callable[..., Haproxy], standin: Standin, asking: Asking, dialect: str, what: str
) -> None:
    amount = {"requests": 2, "tokens": 100}[what]
    roles = {"ml": {"limits": {f"{what}_per_minute": amount}}}
    haproxy = gateway(vertex=with_roles(standin.service_account, roles))
    token = standin.token({"groups": ["ml"]})
    call = asking(dialect, haproxy, token)
    well_inside_a_minute()
    passed = 0
    while True:  # a real answer uses some 20 tokens, a call reserves some 80
        try:
            call()
            passed += 1
        except REFUSALS as why:
            error = why
            break
    assert passed == (2 if what == "requests" else 1) or 0 < passed < 4

    reason = f"limit_{what}"
    headers = error.response.headers
    assert f"too many {what}" in str(error)
    assert abs(int(headers["retry-after"]) - left_of("minute")) <= 2
    assert headers["x-should-retry"] == "true"
    told = {name: value for name, value in headers.items() if "ratelimit" in name}
    match dialect:
        case "google":
            assert (error.code, error.status) == (429, "RESOURCE_EXHAUSTED")
            info, _, retry = error.details["error"]["details"]
            assert (info["reason"], told) == (reason, {})
            assert retry["retryDelay"] == f"{headers['retry-after']}s"
            return
        case "openai":
            assert (error.status_code, error.code, error.type) == (429, reason, "rate_limit_error")
            prefix, names = "x-ratelimit-", [f"{part}-{what}" for part in _PARTS]
        case "anthropic":
            assert (error.status_code, error.type) == (429, "rate_limit_error")
            assert f"({reason})" in str(error)
            prefix, names = "anthropic-ratelimit-", [f"{what}-{part}" for part in _PARTS]
    limit, left, reset = (told.pop(prefix + name) for name in names)
    assert told == {}
    assert int(limit) == amount
    assert int(left) == 0 or (what == "tokens" and 0 < int(left) < 100)
    assert abs(whole_again(reset) - left_of("minute")) <= 2
    assert requests_so_far(haproxy) == passed + 1


_PARTS = ("limit", "remaining", "reset")


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_library_does_not_try_again_what_can_never_pass(
    gateway: Callable[..., Haproxy], standin: Standin, asking: Asking, dialect: str
) -> None:
    roles = {"ml": {"limits": {"tokens_per_hour": 1000}}}
    haproxy = gateway(vertex=with_roles(standin.service_account, roles))
    token = standin.token({"groups": ["ml"]})

    error = refused(asking(dialect, haproxy, token, retries=2, output=1001))

    assert "more than all 1000 tokens an hour" in str(error)
    assert error.response.headers["x-should-retry"] == "false"
    assert "retry-after" not in error.response.headers
    assert requests_so_far(haproxy) == 1
    assert asking(dialect, haproxy, token, output=900)() is not None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_library_comes_again_by_itself_when_others_have_ended(
    gateway: Callable[..., Haproxy], standin: Standin, asking: Asking, dialect: str
) -> None:
    standin.google(chunks=2, gate=True)
    roles = {"ml": {"limits": {"parallel_requests": 1}}}
    haproxy = gateway(vertex=with_roles(standin.service_account, roles))
    token = standin.token({"groups": ["ml"]})
    call = asking(dialect, haproxy, token, retries=2)
    connection, head = hold(haproxy, token)
    assert head.status == 200
    error = refused(asking(dialect, haproxy, token))
    assert "too many requests at once" in str(error) or "1 may be in flight" in str(error)
    assert int(error.response.headers["retry-after"]) == 1
    before = requests_so_far(haproxy)

    release = Timer(0.5, lambda: standin.release(all=True))
    release.start()
    with connection:
        assert call() is not None
        release.join()

    assert requests_so_far(haproxy) == before + 2
