"""litellm as a library, with the code of docs/callers.md."""

from typing import Any

import litellm
import pytest

from support.clients.callers import Callers, Wallet
from support.clients.snippets import run

TEXT = "Echo from google/gemini-2.5-flash: hello"


@pytest.fixture
def ask(callers: Callers, wallet: Wallet) -> Any:
    return run("litellm", callers.url, fresh_token=wallet)["ask"]


def test_whole_and_streamed(callers: Callers, ask: Any) -> None:
    assert ask("hello").choices[0].message.content == TEXT
    parts = [part.choices[0].delta.content or "" for part in ask("hello", stream=True)]
    assert "".join(parts) == TEXT
    assert callers.reasons() == ["ok", "ok"]


def test_a_refusal(callers: Callers, ask: Any, wallet: Wallet) -> None:
    wallet.token = callers.stranger()

    with pytest.raises(litellm.APIError) as raised:
        ask("hello")

    error = raised.value
    assert error.status_code == 403
    assert "no role allows you this method" in str(error)
    assert error.__context__.body["code"] == "role_none"
    assert callers.reasons() == ["role_none"]
