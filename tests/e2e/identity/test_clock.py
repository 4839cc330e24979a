"""The wall clock steps: what is compared with it follows at once, what takes time does not."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.wire.calls import outcome, outcomes, post
from support.world.clock import Clock
from support.world.configuration import Configuration, vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

MINUTE = 60
HOUR = 3600


@pytest.fixture
def clocked(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> Callable[..., tuple[Haproxy, Clock]]:
    """`clocked(ahead, **what_differs)`: a gateway with a clock of its own, started."""

    def one(ahead: int = 0, **different: Any) -> tuple[Haproxy, Clock]:
        haproxy = launch(configuration(**different), start=False)
        clock = Clock(haproxy, ahead)
        return haproxy.start(), clock

    return one


@pytest.fixture
def timeless(standin: Standin, tmp_path: Path) -> dict[str, Any]:
    """A configuration whose Google credential has no times that a step could matter to."""
    return vertex_json(standin.service_account) | {"credentials": standin.access_token(tmp_path)}


def test_a_verified_token_is_judged_by_the_clock_as_it_is_now_in_both_directions(
    clocked: Callable[..., tuple[Haproxy, Clock]], standin: Standin, timeless: dict[str, Any]
) -> None:
    haproxy, clock = clocked(vertex=timeless)
    short, long = standin.token(lifetime=5 * MINUTE), standin.token(lifetime=HOUR)

    def ask() -> list[tuple[int, str]]:
        never_seen = standin.token(lifetime=5 * MINUTE)
        return [outcome(post(haproxy, token)) for token in (short, never_seen, long)]

    passes = (200, "-")
    assert ask() == [passes, passes, passes]
    clock.step_to(10 * MINUTE)
    assert ask() == [(401, "token_expired"), (401, "token_expired"), passes]
    clock.step_to(0)
    assert ask() == [passes, passes, passes]
    clock.step_to(-10 * MINUTE)
    assert ask() == [(401, "token_not_yet_valid")] * 3
    clock.step_to(0)
    assert ask() == [passes, passes, passes]


@pytest.mark.parametrize("step", [10 * MINUTE, 2 * HOUR], ids=["10 minutes", "2 hours"])
def test_after_a_step_forward_the_bearer_is_valid_at_the_new_time(
    clocked: Callable[..., tuple[Haproxy, Clock]], standin: Standin, step: int
) -> None:
    haproxy, clock = clocked()
    token = standin.token(lifetime=step + HOUR)
    assert post(haproxy, token).status == 200
    standin.forget_requests()

    clock.step_to(step)
    answers = [outcome(post(haproxy, token)) for _ in range(5)]

    # The stand-in lives at the true time: to it a bearer of the new time is from the future.
    assert {reason for _, reason in answers} <= {"-", "google_credential_refused"}
    seen = standin.requests(of="google")
    assert len(seen) == 5
    for claims in (request["bearer"]["claims"] for request in seen):
        assert claims["iat"] <= clock.now < claims["exp"]
        assert claims["exp"] == claims["iat"] + HOUR


def test_after_a_step_back_google_takes_every_bearer_and_no_request_is_refused(
    clocked: Callable[..., tuple[Haproxy, Clock]], standin: Standin
) -> None:
    haproxy, clock = clocked(ahead=10 * MINUTE)
    tokens = standin.tokens(40)
    assert outcome(post(haproxy, tokens[0])) == (503, "google_credential_refused")
    [early] = standin.requests(of="google")
    assert early["bearer"]["claims"]["iat"] > time.time() + 5 * MINUTE
    standin.forget_requests()

    clock.step_to(0)
    stepped = time.monotonic()
    at_once = outcomes((haproxy, token) for token in tokens)
    took = time.monotonic() - stepped
    later = outcomes((haproxy, token) for token in tokens)

    assert set(at_once + later) == {(200, "-")}
    assert took < 2
    seen = standin.requests(of="google")
    assert len(seen) == len(at_once + later)
    assert all(request["bearer"]["valid"] for request in seen)
    # Keys are fetched by durations, which did not step.
    rotated = standin.token(kid=standin.rotate_keys())
    assert outcome(post(haproxy, rotated)) == (200, "-")


def test_a_step_makes_no_wait_shorter_or_longer(
    clocked: Callable[..., tuple[Haproxy, Clock]], standin: Standin
) -> None:
    standin.down("idp")
    token = standin.token(lifetime=2 * HOUR, claims={"nbf": None, "iat": None})
    steps = {"none": 0, "forward": 10 * MINUTE, "back": -10 * MINUTE}
    gateways = {name: clocked() for name in steps}

    def wait(name: str) -> tuple[tuple[int, str], float]:
        begun = time.monotonic()
        answer = outcome(post(gateways[name][0], token))
        return answer, time.monotonic() - begun

    with ThreadPoolExecutor() as pool:
        waits = {name: pool.submit(wait, name) for name in steps}
        time.sleep(1)  # in the middle of the waits
        for name, step in steps.items():
            gateways[name][1].step_to(step)

    for name, waited in waits.items():
        answer, seconds = waited.result()
        assert answer == (503, "keys_unavailable"), name
        assert 4 < seconds < 8, name
