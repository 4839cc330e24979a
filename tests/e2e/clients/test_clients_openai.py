"""OpenAI's library for Python, unmodified, with the code of docs/callers.md."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from support.clients.callers import Callers, Wallet, one_by_one, outlives_its_token
from support.clients.snippets import run
from support.world.standin import Standin

MODEL = "google/gemini-2.5-flash"
EMBEDDING = "google/gemini-embedding-001"
TEXT = f"Echo from {MODEL}: hello"
MESSAGES = [{"role": "user", "content": "hello"}]
PATH = "/v1/projects/acme-ml/locations/us-central1/endpoints/openapi"


@pytest.fixture
def client(callers: Callers, wallet: Wallet) -> Iterator[openai.OpenAI]:
    with run("openai", callers.url, fresh_token=wallet)["client"] as client:
        yield client


def test_chat(callers: Callers, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES)

    assert answer.choices[0].message.content == TEXT
    assert answer.usage is not None and answer.usage.total_tokens > 0
    assert callers.seen()["target"] == f"{PATH}/chat/completions"
    [line] = callers.logs.wait_for(1)
    assert (line["reason"], line["method"]) == ("ok", "chat.completions")
    assert (line["publisher"], line["model"]) == ("google", "gemini-2.5-flash")


def test_the_chunks_of_a_chat_arrive_one_by_one(
    callers: Callers, standin: Standin, client: openai.OpenAI
) -> None:
    chunks = one_by_one(
        standin,
        3,
        lambda: client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True),
    )

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert [chunk.usage is not None for chunk in chunks] == [False, False, True]
    assert callers.seen()["chunks_sent"] == 3


def test_an_error_amid_a_stream_is_google_s(standin: Standin, client: openai.OpenAI) -> None:
    standin.google(chunks=3, mid_stream_error=True)
    stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    assert TEXT.startswith(next(stream).choices[0].delta.content or "-")
    with pytest.raises(openai.APIError, match="Internal error encountered"):
        next(stream)


def test_embeddings_are_asked_for_in_base64(callers: Callers, client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model=EMBEDDING, input=["hello", "other"])

    assert '"encoding_format":"base64"' in callers.seen()["body_text"]
    assert [len(item.embedding) for item in answer.data] == [8, 8]
    plain = client.embeddings.create(model=EMBEDDING, input="hello", encoding_format="float")
    assert plain.data[0].embedding == answer.data[0].embedding


def test_the_asynchronous_client(callers: Callers, wallet: Wallet) -> None:
    async def fresh_token() -> str:
        return wallet()

    async def both() -> tuple[str | None, str]:
        async with openai.AsyncOpenAI(base_url=callers.url + PATH, api_key=fresh_token) as client:
            create = client.chat.completions.create
            answer = await create(model=MODEL, messages=MESSAGES)
            stream = await create(model=MODEL, messages=MESSAGES, stream=True)
            parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
        return answer.choices[0].message.content, "".join(parts)

    assert asyncio.run(both()) == (TEXT, TEXT)


def calls(client: openai.OpenAI) -> list[Callable[[], Any]]:
    return [
        lambda: client.chat.completions.create(model=MODEL, messages=MESSAGES),
        lambda: client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True),
        lambda: client.embeddings.create(model=EMBEDDING, input="hello"),
    ]


def test_a_refusal_is_told_once_with_reason_and_words(
    callers: Callers, client: openai.OpenAI, wallet: Wallet
) -> None:
    wallet.token = callers.stranger()
    for call in calls(client):
        with pytest.raises(openai.PermissionDeniedError) as raised:
            call()
        error = raised.value
        assert (error.status_code, error.code) == (403, "role_none")
        assert "no role allows you this method on this model" in error.message
    assert callers.reasons() == ["role_none"] * 3  # not once more
    assert callers.standin.requests(of="google") == []

    wallet.token = callers.token()
    for call in calls(client):
        call()


def test_what_google_is_short_of_is_tried_again(
    callers: Callers, standin: Standin, client: openai.OpenAI
) -> None:
    """The twin: this library does try again where nothing tells it not to."""
    standin.google(status=429)
    with pytest.raises(openai.RateLimitError):
        client.with_options(max_retries=1).chat.completions.create(model=MODEL, messages=MESSAGES)
    assert callers.requests == 2


def test_google_s_refusal_of_the_gateway_is_tried_again_for_a_fresh_token_only(
    callers: Callers, standin: Standin, client: openai.OpenAI
) -> None:
    standin.google(status=401)
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert raised.value.code == "google_credential_refused"
    # The fresh one is refused too, and then the library is told to stop: it would try twice.
    assert callers.requests == 2


def test_what_a_body_may_not_ask_for_is_told_by_name(
    callers: Callers, client: openai.OpenAI
) -> None:
    ask: dict[str, Any] = {"model": MODEL, "messages": MESSAGES}
    with pytest.raises(openai.PermissionDeniedError, match="tools: web_search_options") as raised:
        client.chat.completions.create(**ask, web_search_options={})
    assert raised.value.code == "body_not_allowed"
    assert callers.requests == 1

    function = {"name": "look", "parameters": {"type": "object", "properties": {}}}
    tools = [{"type": "function", "function": function}]
    answer = client.chat.completions.create(**ask, tools=tools)
    assert answer.choices[0].message.content == TEXT


def test_what_google_has_no_path_for_is_not_found(callers: Callers, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.list()
    assert raised.value.code == "route_unknown"
    assert callers.requests == 1


def test_a_session_outlives_its_token(
    callers: Callers, client: openai.OpenAI, wallet: Wallet
) -> None:
    answer, error = outlives_its_token(
        callers,
        wallet,
        lambda: client.chat.completions.create(model=MODEL, messages=MESSAGES),
        openai.AuthenticationError,
    )

    assert answer.choices[0].message.content == TEXT
    assert error.code == "token_expired" and "expired" in str(error)
    assert callers.reasons() == ["ok", "token_expired", "ok"]


def test_over_http2_and_tls(callers: Callers, certificate: Path) -> None:
    trust = ssl.create_default_context(cafile=certificate)
    with openai.OpenAI(
        base_url=callers.secure_url + PATH,
        api_key=callers.token,
        http_client=openai.DefaultHttpxClient(http2=True, verify=trust),
    ) as client:
        raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
        stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert raw.http_response.http_version == "HTTP/2"
    assert (raw.parse().choices[0].message.content, streamed) == (TEXT, TEXT)
