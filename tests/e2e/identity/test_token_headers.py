"""Where the caller's token stands: in the headers that the configuration lists, and nowhere else."""

import json
from collections.abc import Callable

import pytest

from support.expect.refusal import assert_refused, message
from support.expect.twins import good, with_headers
from support.log.server import LogServer
from support.wire.calls import BODY
from support.wire.http1 import Response, once
from support.world.configuration import Configuration, vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

NAMES = ("authorization", "x-api-key", "x-goog-api-key")
ANOTHER_VENDORS = "sk-ant-api03-another-vendors-key"


@pytest.fixture
def reading(
    gateway: Callable[..., Haproxy], standin: Standin
) -> Callable[..., Callable[..., Response]]:
    """`reading(*headers)` starts a gateway that reads these; what it gives sends header pairs."""

    def start(*headers: str) -> Callable[..., Response]:
        vertex = vertex_json(standin.service_account)
        haproxy = gateway(vertex=vertex | ({"token_headers": list(headers)} if headers else {}))

        def ask(*pairs: tuple[str, str]) -> Response:
            call = with_headers(*pairs)
            return once(haproxy.port, call.method, call.target, call.pairs, BODY)

        return ask

    return start


def carrying(name: str, token: str) -> tuple[str, str]:
    return name, f"Bearer {token}" if name == "authorization" else token


def test_one_token_in_two_headers_is_one_token(
    reading: Callable[..., Callable[..., Response]], standin: Standin
) -> None:
    ask = reading()
    token = good(standin)
    for name in NAMES[1:]:
        assert ask(carrying(NAMES[0], token), (name, token)).status == 200
        assert ask(("authorization", f"bearer  {token}"), (name, token)).status == 200
    assert ask(*(carrying(name, token) for name in NAMES)).status == 200
    assert ask(*[carrying(NAMES[0], token)] * 2).status == 200

    other = good(standin, {"sub": "mallory"})
    refused = ask(carrying("authorization", token), ("x-api-key", other))
    assert_refused(refused, "token_duplicate")
    assert message(refused).endswith(": authorization and x-api-key differ")
    refused = ask(carrying("authorization", token), carrying("authorization", other))
    assert_refused(refused, "token_duplicate")
    assert message(refused).endswith(": authorization stands twice, with two values")
    refused = ask(("authorization", "Basic eDp5"), ("x-goog-api-key", token))
    assert_refused(refused, "token_duplicate")
    assert message(refused).endswith(": authorization and x-goog-api-key differ")


def test_an_empty_header_is_no_token(
    reading: Callable[..., Callable[..., Response]], standin: Standin
) -> None:
    ask = reading()

    assert_refused(ask(("authorization", ""), ("x-api-key", "")), "token_missing")
    assert_refused(ask(), "token_missing")
    assert ask(("authorization", ""), ("x-api-key", good(standin))).status == 200


@pytest.mark.parametrize("read", NAMES)
def test_a_header_that_is_not_listed_carries_no_token_and_does_not_leave(
    reading: Callable[..., Callable[..., Response]], standin: Standin, logs: LogServer, read: str
) -> None:
    ask = reading(read)
    token = good(standin)
    others = [name for name in NAMES if name != read]

    for name in others:
        refused = ask(carrying(name, token))
        assert_refused(refused, "token_missing")
        wanted = "Authorization as a Bearer token" if read == "authorization" else read
        assert message(refused).endswith(f": send one in {wanted}")
    assert standin.requests(of="google") == []

    keys = [carrying(name, ANOTHER_VENDORS) for name in others]
    assert ask(carrying(read, token), *keys).status == 200
    [seen] = standin.requests(of="google")
    assert ANOTHER_VENDORS not in json.dumps(seen)
    assert not {name for name, _ in seen["headers"]} & {"x-api-key", "x-goog-api-key"}
    assert seen["bearer"]["valid"], seen["bearer"]
    assert ANOTHER_VENDORS not in "".join(line.text for line in logs.in_order(3))
    # The twin: where both headers are read, another vendor's key is a second credential.
    assert_refused(reading()(carrying(read, token), *keys), "token_duplicate")


FAULTS = {
    "none": ([], "/token_headers: empty; authorization, x-api-key or x-goog-api-key"),
    "one twice": (["x-api-key", "x-api-key"], '/token_headers/1: "x-api-key" stands twice'),
    "another": (
        ["cookie"],
        '/token_headers/0: "cookie": one of "authorization", "x-api-key", "x-goog-api-key" is wanted',
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_headers_that_cannot_be_read_so_are_told_at_load(
    launch: Callable[..., Haproxy],
    configuration: Callable[..., Configuration],
    standin: Standin,
    what: str,
) -> None:
    headers, told = FAULTS[what]
    vertex = vertex_json(standin.service_account)
    haproxy = launch(configuration(vertex=vertex | {"token_headers": headers}), start=False)

    failed = haproxy.check()

    assert failed.status != 0
    assert f"vertex.json: {told}" in failed.output, failed.output
