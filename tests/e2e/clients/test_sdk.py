"""Google's own client library for Python, unmodified: only base URL and credential differ."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

from support.log.server import LogServer
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

MODEL = "gemini-2.5-flash"
TEXT = f"Echo from {MODEL}: hello"

Connect = Callable[..., genai.Client]

pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture(params=["credentials", "api_key"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """The library's two ways to send a token: `Authorization` and `x-goog-api-key`."""
    clients: list[genai.Client] = []

    def one(haproxy: Haproxy, token: str, version: str | None = None) -> genai.Client:
        way: dict[str, Any] = {"api_key": token}
        if request.param == "credentials":
            way = {"credentials": Credentials(token=token)}
        options = types.HttpOptions(
            base_url=f"http://127.0.0.1:{haproxy.port}", api_version=version
        )
        clients.append(
            genai.Client(
                vertexai=True,
                project="acme-ml",
                location="us-central1",
                http_options=options,
                **way,
            )
        )
        return clients[-1]

    yield one
    for client in clients:
        client.close()


@pytest.fixture
def token(standin: Standin) -> str:
    return standin.token({"groups": ["ml"]})


@pytest.mark.parametrize("version", [None, "v1", "v1beta1"])
def test_generate_content(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    connect: Connect,
    token: str,
    version: str | None,
) -> None:
    client = connect(gateway(), token, version)

    answer = client.models.generate_content(model=MODEL, contents="hello")

    assert answer.text == TEXT
    assert answer.usage_metadata.total_token_count > 0
    [seen] = standin.requests(of="google")
    assert seen["target"].startswith(f"/{version or 'v1beta1'}/projects/acme-ml/")
    assert seen["bearer"]["valid"]
    assert token not in str(seen)
    [line] = logs.wait_for(1)
    assert (line["reason"], line["method"]) == ("ok", "generateContent")


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_count_tokens(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    connect: Connect,
    token: str,
    version: str,
) -> None:
    client = connect(gateway(), token, version)

    assert client.models.count_tokens(model=MODEL, contents="hello").total_tokens > 0
    [line] = logs.wait_for(1)
    assert (line["reason"], line["method"]) == ("ok", "countTokens")


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_chunks_of_a_stream_arrive_one_by_one(
    gateway: Callable[..., Haproxy], standin: Standin, connect: Connect, token: str, version: str
) -> None:
    standin.google(chunks=3, gate=True)
    stream = connect(gateway(), token, version).models.generate_content_stream(
        model=MODEL, contents="hello"
    )

    texts = [next(stream).text]
    for _ in range(2):  # each chunk is here while the next one has not left
        assert standin.release() == 1
        released = time.monotonic()
        texts.append(next(stream).text)
        assert time.monotonic() - released < 1

    assert list(stream) == []
    assert "".join(text or "" for text in texts) == TEXT


def test_the_asynchronous_client(
    gateway: Callable[..., Haproxy], standin: Standin, connect: Connect, token: str
) -> None:
    client = connect(gateway(), token)
    standin.google(chunks=3, interval_ms=10)

    async def calls() -> tuple[str | None, str]:
        answer = await client.aio.models.generate_content(model=MODEL, contents="hello")
        parts = await client.aio.models.generate_content_stream(model=MODEL, contents="hello")
        streamed = "".join([part.text or "" async for part in parts])
        await client.aio.aclose()
        return answer.text, streamed

    assert asyncio.run(calls()) == (TEXT, TEXT)


def test_the_options_of_a_request_reach_google(
    gateway: Callable[..., Haproxy], standin: Standin, connect: Connect, token: str
) -> None:
    config = types.GenerateContentConfig(
        temperature=0.5,
        system_instruction="be brief",
        http_options=types.HttpOptions(timeout=30_000),
    )
    answer = connect(gateway(), token).models.generate_content(
        model=MODEL, contents="hello", config=config
    )

    assert answer.text == TEXT
    [seen] = standin.requests(of="google")
    assert '"temperature": 0.5' in seen["body_text"] and "be brief" in seen["body_text"]
    names = {name.lower() for name, _ in seen["headers"]}
    assert {"x-goog-api-client", "user-agent", "x-server-timeout"} <= names
    assert "x-goog-api-key" not in names


def calls(client: genai.Client) -> list[Callable[[], object]]:
    return [
        lambda: client.models.generate_content(model=MODEL, contents="hello"),
        lambda: client.models.count_tokens(model=MODEL, contents="hello"),
        lambda: list(client.models.generate_content_stream(model=MODEL, contents="hello")),
    ]


# The methods of `calls`, in their order.
METHODS = ["generateContent", "countTokens", "streamGenerateContent"]
REFUSALS = {
    "audience_wrong": (
        {"aud": "another-service"}, 401, "UNAUTHENTICATED",
        "the token is for another audience; this gateway wants a token of "
        "issuer https://idp.example/corp, audience vertex-gateway",
    ),
    "role_none": (
        {"groups": ["guests"]}, 403, "PERMISSION_DENIED",
        "no role allows you this method on this model, project and location: {method}, "
        "google/gemini-2.5-flash, acme-ml, us-central1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_is_the_library_s_own_error_with_our_words(
    gateway: Callable[..., Haproxy], standin: Standin, connect: Connect, token: str, reason: str
) -> None:
    claims, code, status, message = REFUSALS[reason]
    haproxy = gateway()

    asked = calls(connect(haproxy, standin.token({"groups": ["ml"]} | claims)))
    for call, method in zip(asked, METHODS, strict=True):
        with pytest.raises(errors.ClientError) as raised:
            call()
        error = raised.value
        said = message.format(method=method)
        assert (error.code, error.status, error.message) == (code, status, said)
        assert error.details["error"]["details"][0]["reason"] == reason
    assert standin.requests(of="google") == []

    for call in calls(connect(haproxy, token)):
        call()


def test_a_gateway_without_keys_is_a_server_error_with_our_words(
    gateway: Callable[..., Haproxy], standin: Standin, connect: Connect, token: str
) -> None:
    standin.idp("refuse")
    client = connect(gateway(), token)

    with pytest.raises(errors.ServerError) as raised:
        calls(client)[0]()

    error = raised.value
    assert (error.code, error.status) == (503, "UNAVAILABLE")
    assert error.message == "the keys of the token's issuer are not available now"


def test_google_s_refusal_of_the_gateway_is_a_server_error(
    gateway: Callable[..., Haproxy], standin: Standin, connect: Connect, token: str
) -> None:
    client = connect(gateway(vertex=vertex_json(standin.service_account)), token)
    standin.google(status=401)
    with pytest.raises(errors.ServerError, match="Google refused the credential"):
        calls(client)[0]()
    standin.google(status=429)  # its twin: what is the caller's reaches him as it is
    with pytest.raises(errors.ClientError) as raised:
        calls(client)[0]()
    assert raised.value.code == 429
