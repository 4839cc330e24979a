"""Google's library for JavaScript, unmodified, with the code of docs/callers.md."""

import json
from collections.abc import Callable, Iterator

import pytest

from support.clients.callers import Callers, one_by_one
from support.clients.node import ApiError, Node
from support.world.standin import Standin

MODEL = "gemini-2.5-flash"
TEXT = f"Echo from {MODEL}: hello"
HELLO = {"model": MODEL, "contents": "hello"}


Start = Callable[[str], Node]


@pytest.fixture
def start(callers: Callers) -> Iterator[Start]:
    """`start(token)`: a process of its own; the library keeps a token that is good for a while."""
    running: list[Node] = []

    def one(token: str) -> Node:
        running.append(Node(callers.url, token))
        return running[-1]

    yield one
    for node in running:
        node.stop()


@pytest.fixture
def client(callers: Callers, start: Start) -> Node:
    return start(callers.token())


def test_unary_calls(callers: Callers, client: Node) -> None:
    assert client.ask("generate", **HELLO) == TEXT
    assert callers.seen()["target"].endswith(f"models/{MODEL}:generateContent")
    assert client.ask("count", **HELLO) > 0
    assert len(client.ask("embed", model="gemini-embedding-001", contents="hello")) == 8
    assert client.ask("model", model=MODEL) in client.ask("models")
    methods = [line["method"] for line in callers.logs.in_order(5)]
    assert methods == ["generateContent", "countTokens", "predict", "models.get", "models.list"]


def test_a_static_token(callers: Callers, client: Node) -> None:
    assert client.ask("key", url=callers.url, key=callers.token(), **HELLO) == TEXT
    assert callers.seen()


def test_the_chunks_of_a_stream_arrive_one_by_one(standin: Standin, client: Node) -> None:
    chunks = one_by_one(standin, 3, lambda: client.stream("stream", **HELLO))
    assert (len(chunks), "".join(chunks)) == (3, TEXT)


@pytest.mark.parametrize("call", ["generate", "stream", "count"])
def test_a_refusal_is_told_once_with_reason_and_words(
    callers: Callers, start: Start, client: Node, call: str
) -> None:
    stranger = start(callers.stranger())
    with pytest.raises(ApiError) as raised:
        list(stranger.stream(call, **HELLO))

    assert (raised.value.name, raised.value.status) == ("ApiError", 403)
    error = json.loads(raised.value.message)["error"]
    assert error["details"][0]["reason"] == "role_none"
    assert error["message"].startswith("no role allows you this method on this model")
    assert callers.reasons() == ["role_none"]  # not once more

    assert list(client.stream(call, **HELLO))


def test_a_session_outlives_its_token(callers: Callers, start: Start) -> None:
    token, wait_for_its_end = callers.short_lived()
    client = start(token)
    assert client.ask("generate", **HELLO) == TEXT
    wait_for_its_end()
    with pytest.raises(ApiError) as raised:
        client.ask("generate", **HELLO)
    assert json.loads(raised.value.message)["error"]["details"][0]["reason"] == "token_expired"
    client.ask("token", value=callers.token())
    assert client.ask("generate", **HELLO) == TEXT
    assert callers.reasons() == ["ok", "token_expired", "ok"]
