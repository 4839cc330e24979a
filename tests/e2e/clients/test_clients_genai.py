"""Google's library for Python beyond test_sdk.py, with the code of docs/callers.md."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import errors
from websockets.exceptions import InvalidStatus

from support.clients.callers import Callers, Wallet, one_by_one, outlives_its_token
from support.clients.snippets import run
from support.world.standin import Standin

MODEL = "gemini-2.5-flash"
TEXT = f"Echo from {MODEL}: hello"


@pytest.fixture
def client(callers: Callers, wallet: Wallet) -> Iterator[genai.Client]:
    with run("google-genai", callers.url, fresh_token=wallet)["client"] as client:
        yield client


def test_the_credentials_class(callers: Callers, client: genai.Client) -> None:
    assert client.models.generate_content(model=MODEL, contents="hello").text == TEXT
    assert callers.seen()["target"].endswith(f"models/{MODEL}:generateContent")


def test_the_chunks_of_a_stream_arrive_one_by_one(
    standin: Standin, client: genai.Client
) -> None:
    chunks = one_by_one(
        standin, 3, lambda: client.models.generate_content_stream(model=MODEL, contents="hello")
    )
    assert (len(chunks), "".join(chunk.text for chunk in chunks)) == (3, TEXT)


def test_an_error_amid_a_stream_is_google_s(standin: Standin, client: genai.Client) -> None:
    standin.google(chunks=3, mid_stream_error=True)
    stream = client.models.generate_content_stream(model=MODEL, contents="hello")
    assert TEXT.startswith(next(stream).text)
    with pytest.raises(errors.ServerError, match="Internal error encountered"):
        next(stream)


@pytest.mark.parametrize(
    ("model", "method"),
    [("gemini-embedding-001", "embedContent"), ("text-embedding-005", "predict")],
)
def test_embeddings(callers: Callers, client: genai.Client, model: str, method: str) -> None:
    answer = client.models.embed_content(model=model, contents="hello")

    assert [len(embedding.values) for embedding in answer.embeddings] == [8]
    assert callers.seen()["target"].endswith(f"models/{model}:{method}")
    [line] = callers.logs.wait_for(1)
    assert (line["reason"], line["method"], line["model"]) == ("ok", method, model)


def test_the_catalogue(callers: Callers, client: genai.Client) -> None:
    names = [model.name for model in client.models.list(config={"query_base": True})]
    assert f"publishers/google/models/{MODEL}" in names
    assert client.models.get(model=MODEL).name == f"publishers/google/models/{MODEL}"
    lines = callers.logs.in_order(2)
    assert [line["method"] for line in lines] == ["models.list", "models.get"]


def test_a_chat(client: genai.Client) -> None:
    chat = client.chats.create(model=MODEL)
    assert chat.send_message("first").text == f"Echo from {MODEL}: first"
    assert chat.send_message("hello").text == TEXT


def test_nothing_is_tried_again(callers: Callers, client: genai.Client, wallet: Wallet) -> None:
    wallet.token = callers.stranger()
    with pytest.raises(errors.ClientError) as raised:
        client.models.embed_content(model="gemini-embedding-001", contents="hello")
    assert raised.value.details["error"]["details"][0]["reason"] == "role_none"
    assert callers.reasons() == ["role_none"]


def test_what_google_is_short_of_is_tried_again_if_told_so(
    callers: Callers, standin: Standin, client: genai.Client
) -> None:
    """The twin: the count of requests shows retries where there are any."""
    standin.google(status=429)
    with pytest.raises(errors.ClientError):
        client.models.generate_content(model=MODEL, contents="hello")
    assert callers.requests == 1
    retries = {"retry_options": {"attempts": 2, "initial_delay": 0.01}}
    with pytest.raises(errors.ClientError):
        client.models.generate_content(
            model=MODEL, contents="hello", config={"http_options": retries}
        )
    assert callers.requests == 3


def test_what_a_body_may_not_ask_for_is_told_by_name(
    callers: Callers, client: genai.Client
) -> None:
    def ask(tool: dict[str, Any]) -> str | None:
        answer = client.models.generate_content(
            model=MODEL, contents="hello", config={"tools": [tool]}
        )
        return answer.text

    with pytest.raises(errors.ClientError, match="tools: googleSearch") as raised:
        ask({"google_search": {}})
    assert raised.value.details["error"]["details"][0]["reason"] == "body_not_allowed"
    assert callers.requests == 1

    assert ask({"function_declarations": [{"name": "look"}]}) == TEXT


def test_express_mode_is_refused(callers: Callers) -> None:
    client = genai.Client(
        vertexai=True, api_key=callers.token(), http_options={"base_url": callers.url}
    )
    with pytest.raises(errors.ClientError, match="no project in the path") as raised:
        client.models.generate_content(model=MODEL, contents="hello")
    assert raised.value.details["error"]["details"][0]["reason"] == "route_unknown"
    client.close()


def test_a_session_outlives_its_token(
    callers: Callers, client: genai.Client, wallet: Wallet
) -> None:
    answer, error = outlives_its_token(
        callers,
        wallet,
        lambda: client.models.generate_content(model=MODEL, contents="hello"),
        errors.ClientError,
    )

    assert answer.text == TEXT
    assert (error.code, error.message) == (401, "the token has expired")
    assert error.details["error"]["details"][0]["reason"] == "token_expired"
    assert callers.reasons() == ["ok", "token_expired", "ok"]


def test_a_stream_that_has_begun_outlives_its_token(
    callers: Callers, standin: Standin, client: genai.Client, wallet: Wallet
) -> None:
    standin.google(chunks=2, gate=True)
    wallet.token, wait_for_its_end = callers.short_lived()
    stream = client.models.generate_content_stream(model=MODEL, contents="hello")
    first = next(stream).text
    wait_for_its_end()
    with pytest.raises(errors.ClientError, match="the token has expired"):
        client.models.generate_content(model=MODEL, contents="hello")
    standin.release(all=True)
    assert first + "".join(chunk.text for chunk in stream) == TEXT


def connect(callers: Callers, url: str, **options: Any) -> genai.Client:
    return genai.Client(
        vertexai=True,
        project="acme-ml",
        location="us-central1",
        api_key=callers.token(),
        http_options={"base_url": url, **options},
    )


def test_over_http2_and_tls(callers: Callers, certificate: Path) -> None:
    versions: list[str] = []
    hooks = {"response": [lambda response: versions.append(response.http_version)]}
    trust = ssl.create_default_context(cafile=certificate)
    settings = {"http2": True, "verify": trust, "event_hooks": hooks}
    with connect(callers, callers.secure_url, client_args=settings) as client:
        assert client.models.generate_content(model=MODEL, contents="hello").text == TEXT
        stream = client.models.generate_content_stream(model=MODEL, contents="hello")
        assert "".join(chunk.text for chunk in stream) == TEXT
    assert versions == ["HTTP/2", "HTTP/2"]


def test_a_path_of_one_s_own_is_refused(callers: Callers) -> None:
    with connect(callers, f"{callers.url}/vertex") as client:
        with pytest.raises(errors.ClientError) as raised:
            client.models.generate_content(model=MODEL, contents="hello")
    assert raised.value.details["error"]["details"][0]["reason"] == "route_unknown"


def test_the_live_api_is_refused_at_once(callers: Callers, certificate: Path) -> None:
    trust = ssl.create_default_context(cafile=certificate)
    client = connect(callers, callers.secure_url, async_client_args={"ssl": trust})

    async def live() -> None:
        async with client.aio.live.connect(model="gemini-live-2.5-flash"):
            pass

    with pytest.raises(InvalidStatus, match="HTTP 404"):
        asyncio.run(live())
    assert callers.reasons() == ["route_unknown"]
    client.close()
