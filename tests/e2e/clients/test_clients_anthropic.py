"""Anthropic's library for Claude on Vertex AI, unmodified, with the code of docs/callers.md."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest

from support.clients.callers import Callers, Wallet, one_by_one, outlives_its_token
from support.clients.snippets import run
from support.world.standin import Standin

MODEL = "claude-sonnet-4-5@20250929"
TEXT = f"Echo from {MODEL}: hello"
MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]
MODELS = "/v1/projects/acme-ml/locations/us-central1/publishers/anthropic/models"


@pytest.fixture
def client(callers: Callers, wallet: Wallet) -> Iterator[anthropic.AnthropicVertex]:
    names = run("google-genai", callers.url, fresh_token=wallet)
    names["client"].close()
    with run("anthropic", callers.url, **names)["client"] as client:
        yield client


def create(client: anthropic.AnthropicVertex, **more: Any) -> Any:
    return client.messages.create(model=MODEL, max_tokens=50, messages=MESSAGES, **more)


def test_a_message(callers: Callers, client: anthropic.AnthropicVertex) -> None:
    answer = create(client)

    assert answer.content[0].text == TEXT
    assert answer.usage.output_tokens > 0
    assert callers.seen()["target"] == f"{MODELS}/{MODEL}:rawPredict"
    [line] = callers.logs.wait_for(1)
    assert (line["reason"], line["method"]) == ("ok", "rawPredict")
    assert (line["publisher"], line["model"]) == ("anthropic", MODEL)


def test_a_static_token(callers: Callers) -> None:
    with anthropic.AnthropicVertex(
        base_url=f"{callers.url}/v1",
        project_id="acme-ml",
        region="us-central1",
        access_token=callers.token(),
    ) as client:
        assert create(client).content[0].text == TEXT


def test_the_asynchronous_client(callers: Callers) -> None:
    async def both() -> tuple[str, str]:
        async with anthropic.AsyncAnthropicVertex(
            base_url=f"{callers.url}/v1",
            project_id="acme-ml",
            region="us-central1",
            access_token=callers.token(),
        ) as client:
            answer = await create(client)
            ask = client.messages.stream(model=MODEL, max_tokens=50, messages=MESSAGES)
            async with ask as stream:
                return answer.content[0].text, "".join([text async for text in stream.text_stream])

    assert asyncio.run(both()) == (TEXT, TEXT)


def test_a_beta_s_header_reaches_google(
    callers: Callers, client: anthropic.AnthropicVertex
) -> None:
    client.beta.messages.create(
        model=MODEL, max_tokens=50, messages=MESSAGES, betas=["context-1m-2025-08-07"]
    )
    headers = {name.lower(): value for name, value in callers.seen()["headers"]}
    assert headers["anthropic-beta"] == "context-1m-2025-08-07"


def test_the_events_of_a_stream_arrive_one_by_one(
    callers: Callers, standin: Standin, client: anthropic.AnthropicVertex
) -> None:
    events = one_by_one(standin, 3, lambda: create(client, stream=True))

    deltas = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert (len(deltas), "".join(deltas)) == (3, TEXT)
    assert (events[0].type, events[-1].type) == ("message_start", "message_stop")
    assert callers.seen()["target"] == f"{MODELS}/{MODEL}:streamRawPredict"


def test_the_stream_helper_takes_vertex_s_own_event(client: anthropic.AnthropicVertex) -> None:
    with client.messages.stream(model=MODEL, max_tokens=50, messages=MESSAGES) as stream:
        assert "".join(stream.text_stream) == TEXT
        assert stream.get_final_message().usage.output_tokens > 1


def test_an_error_amid_a_stream_is_claude_s(
    standin: Standin, client: anthropic.AnthropicVertex
) -> None:
    standin.google(chunks=3, mid_stream_error=True)
    stream = create(client, stream=True)
    assert next(stream).type == "message_start"
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        list(stream)


def test_counting_tokens(callers: Callers, client: anthropic.AnthropicVertex) -> None:
    assert client.messages.count_tokens(model=MODEL, messages=MESSAGES).input_tokens > 0
    assert callers.seen()["target"] == f"{MODELS}/count-tokens:rawPredict"
    [line] = callers.logs.wait_for(1)
    assert (line["method"], line["model"]) == ("countTokens", MODEL)


def calls(client: anthropic.AnthropicVertex) -> list[Callable[[], Any]]:
    return [
        lambda: create(client),
        lambda: create(client, stream=True),
        lambda: client.messages.count_tokens(model=MODEL, messages=MESSAGES),
    ]


def test_a_refusal_is_told_once_with_reason_and_words(
    callers: Callers, client: anthropic.AnthropicVertex, wallet: Wallet
) -> None:
    wallet.token = callers.stranger()
    for call in calls(client):
        with pytest.raises(anthropic.PermissionDeniedError) as raised:
            call()
        error = raised.value
        assert (error.status_code, error.type) == (403, "permission_error")
        assert error.body["error"]["message"].endswith("us-central1 (role_none)")
        assert "(role_none)" in str(error)
    assert callers.reasons() == ["role_none"] * 3  # not once more
    assert callers.standin.requests(of="google") == []

    client.credentials.token, wallet.token = None, callers.token()
    for call in calls(client):
        call()


def test_what_google_is_short_of_is_tried_again(
    callers: Callers, standin: Standin, client: anthropic.AnthropicVertex
) -> None:
    """The twin: this library does try again where nothing tells it not to."""
    standin.google(status=429)
    with pytest.raises(anthropic.RateLimitError):
        create(client.with_options(max_retries=1))
    assert callers.requests == 2


def test_what_a_body_may_not_ask_for_is_told_by_name(
    callers: Callers, client: anthropic.AnthropicVertex
) -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    with pytest.raises(anthropic.PermissionDeniedError, match=r"tools: web_search_20250305 \(body_not_allowed\)"):
        create(client, tools=[search])
    assert callers.requests == 1

    function = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
    assert create(client, tools=[function]).content[0].text == TEXT


def test_a_long_prompt_passes_and_what_it_may_not_ask_for_is_told_once(
    callers: Callers, client: anthropic.AnthropicVertex
) -> None:
    long: list[Any] = [{"role": "user", "content": "hello " * 80_000}]
    asked = {"model": MODEL, "max_tokens": 50, "messages": long}
    search: list[Any] = [{"type": "web_search_20250305", "name": "web_search"}]
    with pytest.raises(anthropic.PermissionDeniedError, match=r"\(body_not_allowed\)") as raised:
        client.messages.create(**asked, tools=search)
    assert raised.value.type == "permission_error"
    assert callers.requests == 1
    assert client.messages.create(**asked).content[0].text.startswith(TEXT)


def test_claude_s_own_errors_stay_as_they_are(
    standin: Standin, client: anthropic.AnthropicVertex
) -> None:
    standin.google(status=400)
    with pytest.raises(anthropic.BadRequestError) as raised:
        create(client)
    assert raised.value.body["request_id"].startswith("req_vrtx_")


def test_google_s_refusal_of_the_gateway_is_not_tried_again(
    callers: Callers, standin: Standin, client: anthropic.AnthropicVertex
) -> None:
    standin.google(status=403)
    with pytest.raises(anthropic.InternalServerError, match=r"\(google_denied\)"):
        create(client)
    assert callers.requests == 1


def test_a_base_url_without_its_version_is_not_found(callers: Callers) -> None:
    with anthropic.AnthropicVertex(
        base_url=callers.url,
        project_id="acme-ml",
        region="us-central1",
        access_token=callers.token(),
    ) as client:
        with pytest.raises(anthropic.NotFoundError, match=r"\(route_unknown\)"):
            create(client)
    assert callers.requests == 1


def test_a_session_outlives_its_token(
    callers: Callers, client: anthropic.AnthropicVertex, wallet: Wallet
) -> None:
    answer, error = outlives_its_token(
        callers, wallet, lambda: create(client), anthropic.AuthenticationError
    )

    assert answer.content[0].text == TEXT
    assert "expired (token_expired)" in str(error)
    assert callers.reasons() == ["ok", "token_expired", "ok"]
