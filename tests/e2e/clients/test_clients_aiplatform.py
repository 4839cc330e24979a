"""google-cloud-aiplatform over REST, unmodified, with the code of docs/callers.md."""

from typing import Any

import grpc
import pytest
import vertexai
from google.api_core import exceptions
from google.cloud import aiplatform_v1
from google.cloud.aiplatform_v1.services.prediction_service import transports
from vertexai.generative_models import GenerativeModel

from support.clients.callers import Callers, Wallet, one_by_one, outlives_its_token
from support.clients.snippets import run
from support.world.standin import Standin

MODEL = "projects/acme-ml/locations/us-central1/publishers/google/models/gemini-2.5-flash"
TEXT = "Echo from gemini-2.5-flash: hello"
ASK: dict[str, Any] = {
    "model": MODEL,
    "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
}

Client = aiplatform_v1.PredictionServiceClient


@pytest.fixture
def names(callers: Callers, wallet: Wallet) -> dict[str, Any]:
    return run("google-genai", callers.url, fresh_token=wallet)


@pytest.fixture
def client(callers: Callers, names: dict[str, Any]) -> Client:
    return run("google-cloud-aiplatform", callers.url, **names)["client"]


def text(answer: Any) -> str:
    return answer.candidates[0].content.parts[0].text


def test_generate_content(callers: Callers, client: Client) -> None:
    answer = client.generate_content(**ASK)

    assert text(answer) == TEXT
    assert answer.candidates[0].finish_reason.name == "STOP"  # a number on the wire
    assert callers.seen()["target"] == f"/v1/{MODEL}:generateContent?$alt=json;enum-encoding=int"


def test_the_elements_of_a_streamed_array_arrive_one_by_one(
    callers: Callers, standin: Standin, client: Client
) -> None:
    """The library hands out an element once it has seen what follows it."""
    parts = one_by_one(standin, 3, lambda: client.stream_generate_content(**ASK))

    assert "".join(text(part) for part in parts) == TEXT
    assert parts[-1].usage_metadata.total_token_count > 0
    assert callers.seen()["target"].startswith(f"/v1/{MODEL}:streamGenerateContent?$alt=json")


def test_a_prediction(callers: Callers, client: Client) -> None:
    endpoint = MODEL.replace("gemini-2.5-flash", "text-embedding-005")
    answer = client.predict(endpoint=endpoint, instances=[{"content": "hello"}])

    assert len(answer.predictions[0]["embeddings"]["values"]) == 8
    assert callers.seen()["target"].startswith(f"/v1/{endpoint}:predict?")


def test_vertexai_s_own_classes(callers: Callers, names: dict[str, Any]) -> None:
    vertexai.init(
        project="acme-ml",
        location="us-central1",
        api_transport="rest",
        api_endpoint=callers.url,
        credentials=names["GatewayCredentials"](),
    )
    with pytest.warns(UserWarning, match="deprecated"):
        model = GenerativeModel("gemini-2.5-flash")
        assert model.generate_content("hello").text == TEXT
        streamed = model.generate_content("hello", stream=True)
        assert "".join(part.text for part in streamed) == TEXT


def test_grpc_is_refused_at_once(callers: Callers) -> None:
    with grpc.insecure_channel(callers.url.removeprefix("http://")) as channel:
        transport = transports.PredictionServiceGrpcTransport(channel=channel)
        bearer = [("authorization", f"Bearer {callers.token()}")]
        with pytest.raises(exceptions.MethodNotImplemented, match="status: 404"):
            Client(transport=transport).generate_content(**ASK, metadata=bearer)
    assert callers.reasons() == ["route_unknown"]


@pytest.mark.parametrize("way", ["generate_content", "stream_generate_content"])
def test_a_refusal_is_told_once_with_reason_and_words(
    callers: Callers, client: Client, wallet: Wallet, names: dict[str, Any], way: str
) -> None:
    wallet.token, wallet.then = callers.stranger(), callers.token()
    with pytest.raises(exceptions.Forbidden) as raised:
        getattr(client, way)(**ASK)

    error = raised.value
    assert "no role allows you this method on this model" in error.message
    assert error.reason == "role_none" and error.domain == "haproxy-vertex"
    assert callers.reasons() == ["role_none"]  # not once more

    other = run("google-cloud-aiplatform", callers.url, **names)["client"]
    assert getattr(other, way)(**ASK)


def test_a_401_makes_it_ask_for_a_token_twice(
    callers: Callers, client: Client, wallet: Wallet
) -> None:
    """All libraries on google-auth's session do; `fresh_token()` decides whether it helps."""
    answer, error = outlives_its_token(
        callers, wallet, lambda: client.generate_content(**ASK), exceptions.Unauthorized
    )

    assert text(answer) == TEXT
    assert "the token has expired" in error.message and "token_expired" in str(error)
    assert callers.reasons() == ["ok", *["token_expired"] * 3, "ok"]


def test_a_fresh_token_after_a_401_is_not_even_noticed(
    callers: Callers, client: Client, wallet: Wallet
) -> None:
    wallet.token, wait_for_its_end = callers.short_lived()
    client.generate_content(**ASK)
    wait_for_its_end()
    wallet.then = callers.token()
    assert text(client.generate_content(**ASK)) == TEXT
    assert callers.reasons() == ["ok", "token_expired", "ok"]
