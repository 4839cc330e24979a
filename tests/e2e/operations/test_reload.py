"""Reloads lose nothing: under load, with the provider down, in the middle of a stream."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.expect.eventually import eventually
from support.load.steady import Outcome, Request, SteadyLoad
from support.wire.calls import BODY, GENERATE, begin_stream, headers, outcome, outcomes, post
from support.wire.http1 import Connection
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.place import SHARE
from support.world.standin import Standin
from support.world.statefile import age_by, save_keys

RELOADS = 6
SECONDS_BETWEEN = 2.0
REQUESTS_A_CLIENT = 400


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def keeping(standin: Standin, state_file: Path) -> dict[str, Any]:
    return {**vertex_json(standin.service_account), "state_file": str(state_file)}


@pytest.fixture
def saved(gateway: Callable[..., Haproxy], standin: Standin, state_file: Path) -> dict[str, Any]:
    """The keys that a gateway has fetched, in the state file; then the provider goes down."""
    first = gateway()
    assert post(first, standin.token()).status == 200
    state = save_keys(first, state_file)
    first.stop()
    standin.down("idp")
    return state


def callers(standin: Standin) -> Callable[[int, int], Request]:
    """Four callers: with one token all the time or a new one each time, over one connection or a
    fresh one each time."""
    known = standin.token()
    new = standin.tokens(2 * REQUESTS_A_CLIENT)

    def request(client: int, number: int) -> Request:
        token = new[2 * number + client // 2] if client % 2 else known
        more = {"Connection": "close"} if client // 2 else {}
        return Request("POST", GENERATE, headers(token, **more), BODY)

    return request


def reload_under_load(
    haproxy: Haproxy, standin: Standin, before_each: Callable[[], object] = lambda: None
) -> Outcome:
    standin.forget_requests()
    request = callers(standin)
    with SteadyLoad(haproxy.port, request, 4, REQUESTS_A_CLIENT, 120, pause=0.2, timeout=20) as load:
        load.wait_for(20)
        for _ in range(RELOADS):
            due = time.monotonic() + SECONDS_BETWEEN
            before_each()
            haproxy.reload()
            time.sleep(max(0.0, due - time.monotonic()))
        load.wait_for(20)
    return load.outcome


def assert_nothing_was_lost(load: Outcome, standin: Standin) -> None:
    assert set(load.statuses) == {200}
    assert load.hard_failures == []
    assert load.requests > RELOADS * SECONDS_BETWEEN * 4
    # What an old worker closed it had not passed on: Google saw no request without its answer.
    seen = standin.requests(of="google")
    assert len(seen) == load.statuses[200]
    assert all(request["bearer"]["valid"] for request in seen)


def test_six_reloads_under_load_lose_no_request(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = gateway()

    load = reload_under_load(haproxy, standin)

    assert_nothing_was_lost(load, standin)
    haproxy.wait_for_old_workers()


def test_with_a_state_file_six_reloads_without_the_provider_lose_no_request(
    gateway: Callable[..., Haproxy], standin: Standin, state_file: Path, keeping: dict[str, Any]
) -> None:
    haproxy = gateway(vertex=keeping)
    assert post(haproxy, standin.token()).status == 200
    standin.down("idp")

    load = reload_under_load(haproxy, standin, lambda: save_keys(haproxy, state_file))

    assert_nothing_was_lost(load, standin)


def test_without_a_state_file_a_reload_without_the_provider_leaves_no_keys(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = gateway()
    token = standin.token()
    assert post(haproxy, token).status == 200
    standin.down("idp")
    assert post(haproxy, standin.token()).status == 200, "until the reload the keys are good"

    haproxy.reload()

    begun = time.monotonic()
    response = post(haproxy, token)
    assert outcome(response) == (503, "keys_unavailable")
    assert time.monotonic() - begun > 3, "it waited for them"
    assert int(response.header("retry-after") or 0) > 0
    standin.down("idp", False)
    eventually(lambda: post(haproxy, token).status == 200, "keys again", within=15)


def test_a_stream_that_runs_over_two_reloads_is_complete(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    standin.google(chunks=4, gate=True)
    haproxy = gateway()
    token = standin.token()
    with Connection(haproxy.port) as connection:
        response = begin_stream(connection, token)
        assert response.status == 200
        parts = connection.parts(response)
        next(parts)
        old = haproxy.worker

        haproxy.reload()
        standin.release()
        next(parts)
        haproxy.reload()
        time.sleep(1)  # an old worker has no hurry
        assert old in haproxy.processes().old_workers
        standin.release(all=True)
        for _ in parts:
            pass
    assert response.text.count("data:") == 4
    assert "usageMetadata" in response.text.rsplit("data:", 1)[1]
    haproxy.wait_for_old_workers()
    standin.google()
    assert post(haproxy, token).status == 200


@pytest.fixture
def idle_share(tmp_path: Path) -> Path:
    """The Lua scripts with a task that never does anything: what works did so at load."""
    share = tmp_path / "lua"
    shutil.copytree(SHARE, share)
    (share / "vertex" / "fetch.lua").write_text("return { run = function() end }\n")
    return share


def test_the_first_request_after_a_reload_has_a_token_that_was_signed_at_load(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    keeping: dict[str, Any],
    saved: dict[str, Any],
    idle_share: Path,
) -> None:
    haproxy = gateway(vertex=keeping, share=idle_share)
    token = standin.token()
    standin.forget_requests()

    assert post(haproxy, token).status == 200
    haproxy.reload()
    assert post(haproxy, token).status == 200

    before, after = standin.requests(of="google")
    assert before["bearer"]["kind"] == after["bearer"]["kind"] != "access_token"
    assert before["bearer"]["valid"] and after["bearer"]["valid"]
    assert before["bearer"]["claims"]["iat"] <= after["bearer"]["claims"]["iat"]
    # The twin: keys come by that task alone, so a token of a key that was not kept waits in vain.
    rotated = standin.token(kid=standin.rotate_keys())
    assert outcome(post(haproxy, rotated)) == (503, "keys_unavailable")


def foreign(state: dict[str, Any]) -> dict[str, Any]:
    return {"issuers": [{**kept, "issuer": "https://else.example"} for kept in state["issuers"]]}


def without_keys(state: dict[str, Any]) -> dict[str, Any]:
    return {"issuers": [{**kept, "jwks": {"keys": []}} for kept in state["issuers"]]}


UNUSABLE: dict[str, Callable[[dict[str, Any]], str]] = {
    "cut short": lambda state: json.dumps(state)[:-40],
    "empty": lambda state: "",
    "of another shape": lambda state: json.dumps(state["issuers"]),
    "from another issuer": lambda state: json.dumps(foreign(state)),
    "without keys": lambda state: json.dumps(without_keys(state)),
    "older than a day": lambda state: json.dumps(age_by(state, 24 * 3600 + 60)),
    "from the future": lambda state: json.dumps(age_by(state, -24 * 3600)),
}


def test_a_state_file_that_is_no_good_is_not_used_and_stops_nothing(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
    saved: dict[str, Any],
) -> None:
    def start(what: str) -> Haproxy:
        state_file = tmp_path / f"{what}.json"
        state_file.write_text(UNUSABLE[what](saved))
        vertex = {**vertex_json(standin.service_account), "state_file": str(state_file)}
        return gateway(vertex=vertex)

    token = standin.token()
    seen = outcomes((start(what), token) for what in UNUSABLE)

    assert dict(zip(UNUSABLE, seen)) == dict.fromkeys(UNUSABLE, (503, "keys_unavailable"))


def test_a_state_file_of_almost_a_day_is_used(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    state_file: Path,
    keeping: dict[str, Any],
    saved: dict[str, Any],
) -> None:
    state_file.write_text(json.dumps(age_by(saved, 23 * 3600)))

    haproxy = gateway(vertex=keeping)

    assert post(haproxy, standin.token()).status == 200
    assert save_keys(haproxy, state_file) == age_by(saved, 23 * 3600), "it does not grow younger"
