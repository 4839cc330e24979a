"""google-adk, with the code of docs/callers.md."""

import asyncio
from typing import Any

import pytest
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.runners import InMemoryRunner
from google.genai import errors, types

from support.clients.callers import Callers, Wallet
from support.clients.snippets import run

TEXT = "Echo from gemini-2.5-flash: hello"


@pytest.fixture
def agent(callers: Callers, wallet: Wallet) -> Any:
    names = run("google-genai", callers.url, fresh_token=wallet)
    return run("google-adk", callers.url, **names)["agent"]


async def _say(agent: Any, mode: StreamingMode) -> list[Any]:
    async with InMemoryRunner(agent, app_name="app") as runner:
        session = await runner.session_service.create_session(app_name="app", user_id="me")
        message = types.Content(role="user", parts=[types.Part(text="hello")])
        events = runner.run_async(
            user_id="me",
            session_id=session.id,
            new_message=message,
            run_config=RunConfig(streaming_mode=mode),
        )
        return [event async for event in events]


@pytest.mark.parametrize("mode", [StreamingMode.NONE, StreamingMode.SSE])
def test_whole_and_streamed(callers: Callers, agent: Any, mode: StreamingMode) -> None:
    *parts, whole = asyncio.run(_say(agent, mode))

    assert whole.content.parts[0].text == TEXT
    assert (len(parts) > 0) is (mode == StreamingMode.SSE)
    assert callers.reasons() == ["ok"]


def test_a_refusal(callers: Callers, agent: Any, wallet: Wallet) -> None:
    wallet.token = callers.stranger()

    with pytest.raises(errors.ClientError) as raised:
        asyncio.run(_say(agent, StreamingMode.NONE))

    assert raised.value.details["error"]["details"][0]["reason"] == "role_none"
    assert callers.reasons() == ["role_none"]
