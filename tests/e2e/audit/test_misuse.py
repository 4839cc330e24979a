"""What is unlike a caller's history is on its audit line, is counted, and is there for rules."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.expect.metrics import Pages
from support.log.server import LogServer
from support.wire.calls import GENERATE, OTHER_MODEL, post
from support.world.clock import Clock
from support.world.configuration import Configuration, vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

LEARNING_REQUESTS = 50
LEARNING_SECS = 2 * 3600

RULE = "http-request deny deny_status 403 if { var(txn.vertex.signals) -m sub new_client }"


def status(haproxy: Haproxy, token: str, target: str = GENERATE, client: str = "curl/8") -> int:
    return post(haproxy, token, target, User_Agent=client).status


def test_refusals_in_a_row_are_told_once(
    gateway: Callable[..., Haproxy], pages: Pages, logs: LogServer, token: str
) -> None:
    haproxy = gateway(nbthread=1, sections=pages.section)

    statuses = [status(haproxy, token, OTHER_MODEL) for _ in range(12)]

    assert statuses == [403] * 12
    signals = [line["signals"] for line in logs.in_order(12)]
    assert signals == ["-"] * 9 + ["refusals"] + ["-"] * 2
    [counted] = [
        line for line in pages.get("/metrics").text.splitlines()
        if line.startswith('haproxy_vertex_signals_total{signal="refusals"}')
    ]  # fmt: skip
    assert counted.endswith(" 1")


def test_an_allowed_request_ends_the_row(
    gateway: Callable[..., Haproxy], logs: LogServer, token: str
) -> None:
    haproxy = gateway()

    for _ in range(3):
        assert [status(haproxy, token, OTHER_MODEL) for _ in range(9)] == [403] * 9
        assert post(haproxy, token).status == 200

    assert {line["signals"] for line in logs.wait_for(30)} == {"-"}


@pytest.fixture
def learnt(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    tmp_path: Path,
) -> Callable[..., Haproxy]:
    """A gateway that has known a caller, `curl`, for more than two hours."""

    # Google would take no token that is signed in what is the future there.
    vertex = vertex_json(standin.service_account)
    vertex["credentials"] = standin.access_token(tmp_path)

    def one(token: str, **different: Any) -> Haproxy:
        haproxy = launch(configuration(nbthread=1, vertex=vertex, **different), start=False)
        clock = Clock(haproxy, steps_monotonic=True)
        haproxy.start()
        assert {status(haproxy, token) for _ in range(LEARNING_REQUESTS)} == {200}
        clock.step_to(LEARNING_SECS + 60)
        assert status(haproxy, token) == 200
        standin.forget_requests()
        logs.wait_for(LEARNING_REQUESTS + 1)
        logs.clear()
        return haproxy

    return one


def test_a_client_that_is_new_is_told_and_a_rule_can_act_on_it(
    learnt: Callable[..., Haproxy], logs: LogServer, standin: Standin
) -> None:
    token = standin.token({"groups": ["ml"]}, lifetime=6 * 3600)
    haproxy = learnt(token, frontend_lines=RULE)

    assert status(haproxy, token, client="curl/9") == 200, "a version is no client"
    assert status(haproxy, token, client="python-requests/2") == 403
    assert status(haproxy, token, client="python-requests/2") == 200, "it is known from then on"

    signals = [line["signals"] for line in logs.in_order(3)]
    assert signals == ["-", "new_client", "-"]
    assert len(standin.requests(of="google")) == 2
