"""LangChain's package for OpenAI's dialect, with the code of docs/callers.md."""

from typing import Any

import openai
import pytest

from support.clients.callers import Callers, Wallet
from support.clients.snippets import run

TEXT = "Echo from google/gemini-2.5-flash: hello"


@pytest.fixture
def chat(callers: Callers, wallet: Wallet) -> Any:
    return run("langchain-openai", callers.url, fresh_token=wallet)["chat"]


def test_whole_and_streamed(callers: Callers, chat: Any) -> None:
    assert chat.invoke("hello").content == TEXT
    assert "".join(part.content for part in chat.stream("hello")) == TEXT
    assert callers.reasons() == ["ok", "ok"]


def test_a_refusal(callers: Callers, chat: Any, wallet: Wallet) -> None:
    wallet.token = callers.stranger()

    with pytest.raises(openai.PermissionDeniedError) as raised:
        chat.invoke("hello")

    assert raised.value.code == "role_none"
    assert callers.reasons() == ["role_none"]
