"""Libraries that are told no project, unmodified, on the paths of their own APIs."""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest
from google import genai

from support.clients.callers import Callers, every_dialect
from support.log.server import LogServer
from support.world.haproxy import Haproxy
from support.world.standin import Standin

# Of no year in which the library warns of it.
CLAUDE = "claude-sonnet-9-9-20990101"
MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]
CLAUDE_PATH = "/v1/projects/acme-ml/locations/us-central1/publishers/anthropic/models"


@pytest.fixture
def callers(gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer) -> Callers:
    vertex = every_dialect(standin.service_account)
    [role] = vertex["roles"]
    role["default"] = {"project": "acme-ml", "location": "us-central1"}
    role["may"]["models"] += ["google/gemini-2.5-flash", "anthropic/claude-sonnet-9-9@20990101"]
    return Callers(gateway(vertex=vertex), standin, logs)


def test_anthropic(callers: Callers, standin: Standin) -> None:
    with anthropic.Anthropic(base_url=callers.url, auth_token=callers.token()) as client:
        whole = client.messages.create(model=CLAUDE, messages=MESSAGES, max_tokens=9)
        assert whole.content[0].text == "Echo from claude-sonnet-9-9@20990101: hello"
        with client.messages.stream(model=CLAUDE, messages=MESSAGES, max_tokens=9) as stream:
            assert "".join(stream.text_stream).startswith("Echo from claude-sonnet-9-9@20990101")
        assert client.messages.count_tokens(model=CLAUDE, messages=MESSAGES).input_tokens > 0
        assert [model.id for model in client.models.list()] == [CLAUDE]
        with pytest.raises(anthropic.PermissionDeniedError, match="role_none"):
            client.messages.create(model="other", messages=MESSAGES, max_tokens=9)
    targets = [seen["target"] for seen in standin.requests(of="google")]
    asked = f"{CLAUDE_PATH}/claude-sonnet-9-9@20990101:streamRawPredict"
    assert targets == [asked, asked, f"{CLAUDE_PATH}/count-tokens:rawPredict"]
    whole, streamed, counted, _, _ = callers.logs.in_order(5)
    assert (whole["tokens"], whole["streamed"]) == ("exact", "0")
    assert (streamed["tokens"], streamed["streamed"]) == ("exact", "1")
    assert counted["method"] == "countTokens"


def test_openai(callers: Callers, standin: Standin) -> None:
    model = "google/gemini-2.5-flash"
    with openai.OpenAI(base_url=f"{callers.url}/v1", api_key=callers.token()) as client:
        whole = client.chat.completions.create(model=model, messages=MESSAGES)
        assert whole.choices[0].message.content == f"Echo from {model}: hello"
        stream = client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
        assert "".join(part.choices[0].delta.content or "" for part in stream) != ""
        embedded = client.embeddings.create(model="google/text-embedding-005", input="hello")
        assert embedded.data[0].embedding
        assert [model.id for model in client.models.list()] == [model]
        with pytest.raises(openai.PermissionDeniedError) as raised:
            client.chat.completions.create(model="google/other", messages=MESSAGES)
        assert raised.value.code == "role_none"
    targets = {seen["target"].split("/locations/us-central1/")[1] for seen in standin.requests(of="google")}
    assert targets == {"endpoints/openapi/chat/completions", "endpoints/openapi/embeddings"}


def test_google_genai_in_express_mode(callers: Callers) -> None:
    client = genai.Client(
        vertexai=True, api_key=callers.token(), http_options={"base_url": callers.url}
    )
    with client:
        answer = client.models.generate_content(model="gemini-2.5-flash", contents="hello")
        assert answer.text == "Echo from gemini-2.5-flash: hello"
    assert callers.seen()["target"].startswith("/v1beta1/projects/acme-ml/locations/us-central1/")


def test_google_genai_as_with_ai_studio(callers: Callers) -> None:
    client = genai.Client(api_key=callers.token(), http_options={"base_url": callers.url})
    with client:
        parts = client.models.generate_content_stream(model="gemini-2.5-flash", contents="hello")
        assert "".join(part.text or "" for part in parts) == "Echo from gemini-2.5-flash: hello"
        assert [model.name for model in client.models.list()] == ["models/gemini-2.5-flash"]
    assert callers.seen()["target"].startswith("/v1/projects/acme-ml/locations/us-central1/")
