"""LlamaIndex, with the code of docs/callers.md."""

from typing import Any

import pytest
from google.genai import errors

from support.clients.callers import Callers, Wallet
from support.clients.snippets import run

TEXT = "Echo from gemini-2.5-flash: hello"


@pytest.fixture
def llm(callers: Callers, wallet: Wallet) -> Any:
    names = run("google-genai", callers.url, fresh_token=wallet)
    return run("LlamaIndex", callers.url, **names)["llm"]


def test_whole_and_streamed(callers: Callers, llm: Any) -> None:
    assert llm.complete("hello").text == TEXT
    assert "".join(part.delta for part in llm.stream_complete("hello")) == TEXT
    assert callers.reasons() == ["ok", "ok"]


def test_a_refusal(callers: Callers, llm: Any, wallet: Wallet) -> None:
    wallet.token = callers.stranger()

    with pytest.raises(errors.ClientError) as raised:
        llm.complete("hello")

    assert raised.value.details["error"]["details"][0]["reason"] == "role_none"
    assert callers.reasons() == ["role_none"]
