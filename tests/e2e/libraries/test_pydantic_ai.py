"""pydantic-ai, with the code of docs/callers.md."""

import asyncio
from typing import Any

import pytest
from pydantic_ai.exceptions import ModelHTTPError

from support.clients.callers import Callers, Wallet
from support.clients.snippets import run

TEXT = "Echo from gemini-2.5-flash: hello"


@pytest.fixture
def agent(callers: Callers, wallet: Wallet) -> Any:
    names = run("google-genai", callers.url, fresh_token=wallet)
    return run("pydantic-ai", callers.url, **names)["agent"]


def test_whole_and_streamed(callers: Callers, agent: Any) -> None:
    async def both() -> tuple[str, str]:
        whole = await agent.run("hello")
        async with agent.run_stream("hello") as streamed:
            return whole.output, await streamed.get_output()

    assert asyncio.run(both()) == (TEXT, TEXT)
    assert callers.reasons() == ["ok", "ok"]


def test_a_refusal(callers: Callers, agent: Any, wallet: Wallet) -> None:
    wallet.token = callers.stranger()

    with pytest.raises(ModelHTTPError) as raised:
        asyncio.run(agent.run("hello"))

    assert raised.value.status_code == 403
    assert "no role allows you this method" in str(raised.value)
    assert "role_none" in str(raised.value)
    assert callers.reasons() == ["role_none"]
