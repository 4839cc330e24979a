"""LangChain's classes for Vertex AI, unmodified, with the code of docs/callers.md."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_google_genai.chat_models import (
    ChatGoogleGenerativeAIError,
    GoogleAuthenticationError,
    GooglePermissionDeniedError,
)

from support.clients.callers import Callers, Wallet, one_by_one, outlives_its_token
from support.clients.snippets import run
from support.world.standin import Standin

MODEL = "gemini-2.5-flash"
TEXT = f"Echo from {MODEL}: hello"


@pytest.fixture
def names(callers: Callers, wallet: Wallet) -> Iterator[dict[str, Any]]:
    names = run("google-genai", callers.url, fresh_token=wallet)
    names["client"].close()
    names = run("LangChain", callers.url, **names)
    yield names
    for library in ("chat", "embeddings"):
        names[library].client.close()


def test_a_chat(callers: Callers, names: dict[str, Any]) -> None:
    answer = names["chat"].invoke("hello")

    assert answer.content == TEXT
    assert answer.usage_metadata["total_tokens"] > 0
    assert callers.seen()["target"].endswith(f"models/{MODEL}:generateContent")


def test_the_chunks_of_a_stream_arrive_one_by_one(
    standin: Standin, names: dict[str, Any]
) -> None:
    chunks = one_by_one(standin, 3, lambda: names["chat"].stream("hello"))
    texts = [chunk.content for chunk in chunks if chunk.content]
    assert (len(texts), "".join(texts)) == (3, TEXT)


def test_embeddings(callers: Callers, names: dict[str, Any]) -> None:
    assert len(names["embeddings"].embed_query("hello")) == 8
    [line] = callers.logs.wait_for(1)
    assert (line["reason"], line["model"]) == ("ok", "gemini-embedding-001")


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_a_refusal_is_told_once_with_reason_and_words(
    callers: Callers, wallet: Wallet, names: dict[str, Any], way: str
) -> None:
    call = getattr(names["chat"], way)
    wallet.token = callers.stranger()
    with pytest.raises(GooglePermissionDeniedError) as raised:
        list(call("hello"))

    assert isinstance(raised.value, ChatGoogleGenerativeAIError)
    assert "no role allows you this method" in str(raised.value)
    assert "'reason': 'role_none'" in str(raised.value)
    assert callers.reasons() == ["role_none"]  # not once more

    names["gateway"]["credentials"].token, wallet.token = None, callers.token()
    assert list(call("hello"))


def test_a_session_outlives_its_token(
    callers: Callers, wallet: Wallet, names: dict[str, Any]
) -> None:
    answer, error = outlives_its_token(
        callers, wallet, lambda: names["chat"].invoke("hello"), GoogleAuthenticationError
    )

    assert answer.content == TEXT
    assert "the token has expired" in str(error) and "token_expired" in str(error)
    assert callers.reasons() == ["ok", "token_expired", "ok"]
