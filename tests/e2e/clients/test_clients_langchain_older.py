"""The older classes of LangChain, langchain-google-vertexai, unmodified, as in docs/callers.md."""

from typing import Any

import anthropic
import pytest
from google.api_core import exceptions

from support.clients.callers import Callers, Wallet, one_by_one, outlives_its_token
from support.clients.snippets import run
from support.world.standin import Standin

pytestmark = pytest.mark.filterwarnings("ignore:.*ChatGoogleGenerativeAI")

TEXTS = {
    "chat": "Echo from gemini-2.5-flash: hello",
    "claude": "Echo from claude-sonnet-4-5@20250929: hello",
}
DENIED = {"chat": exceptions.Forbidden, "claude": anthropic.PermissionDeniedError}
UNKNOWN = {"chat": exceptions.Unauthorized, "claude": anthropic.AuthenticationError}


@pytest.fixture
def names(callers: Callers, wallet: Wallet) -> dict[str, Any]:
    names = run("google-genai", callers.url, fresh_token=wallet)
    return run("LangChain, the older classes", callers.url, **names)


@pytest.mark.parametrize("which", TEXTS)
def test_a_chat(callers: Callers, names: dict[str, Any], which: str) -> None:
    assert names[which].invoke("hello").content == TEXTS[which]
    assert callers.seen()


@pytest.mark.parametrize("which", TEXTS)
def test_the_parts_of_a_stream_arrive_one_by_one(
    standin: Standin, names: dict[str, Any], which: str
) -> None:
    chunks = one_by_one(standin, 3, lambda: names[which].stream("hello"))
    assert "".join(chunk.text for chunk in chunks) == TEXTS[which]


@pytest.mark.parametrize("way", ["invoke", "stream"])
@pytest.mark.parametrize("which", TEXTS)
def test_a_refusal_is_told_once_with_reason_and_words(
    callers: Callers, wallet: Wallet, names: dict[str, Any], which: str, way: str
) -> None:
    wallet.token = callers.stranger()
    with pytest.raises(DENIED[which], match="no role allows you this method") as raised:
        list(getattr(names[which], way)("hello"))

    assert "role_none" in str(raised.value)
    assert callers.reasons() == ["role_none"]  # not once more

    names[which].credentials.token, wallet.token = None, callers.token()
    assert list(getattr(names[which], way)("hello"))


@pytest.mark.parametrize("which", TEXTS)
def test_a_session_outlives_its_token(
    callers: Callers, wallet: Wallet, names: dict[str, Any], which: str
) -> None:
    answer, error = outlives_its_token(
        callers, wallet, lambda: names[which].invoke("hello"), UNKNOWN[which]
    )

    assert answer.content == TEXTS[which]
    assert "token_expired" in str(error)
    refused = 3 if which == "chat" else 1  # google-auth's session asks for a token twice
    assert callers.reasons() == ["ok", *["token_expired"] * refused, "ok"]
