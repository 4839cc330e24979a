"""64 clients on all threads: a window's tokens stay within the limit, but for what the requests in
flight use beyond their estimates."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from support.expect.budget import answer, body, expecting, target, well_inside_a_minute, with_roles
from support.load.length import of_two
from support.load.steady import Outcome, Request, SteadyLoad
from support.log.line import AccessLine
from support.log.server import LogServer
from support.wire.calls import headers
from support.world.haproxy import Haproxy
from support.world.standin import Standin

CLIENTS = 64
LIMIT = 20_000
# Each client asks so often within one window; or so many seconds, over several.
TURNS = of_two(20, None)
SECONDS = of_two(60, 100)
PAUSE = of_two(0.0, 0.1)
MINUTE_MS = 60_000
# A call is settled with its line, which a busy machine writes some time after what it measures.
SLACK_MS = 100

threads = pytest.mark.parametrize("nbthread", [2, 4])


@dataclass(frozen=True)
class Used:
    """A request that was let through: when, in milliseconds since 1970, and its tokens."""

    begun: int
    ended: int
    reserved: int
    charged: int

    @property
    def beyond(self) -> int:
        return max(0, self.charged - self.reserved)


def used(line: AccessLine) -> Used:
    date = datetime.strptime(line.http["date"], "%d/%b/%Y:%H:%M:%S.%f").replace(tzinfo=UTC)
    begun = round(date.timestamp() * 1000)
    ended = begun + int(line.http["Ta"])
    return Used(begun, ended, int(line["reserved"]), int(line["charged"]))


def ask_all(haproxy: Haproxy, request: Callable[[int, int], Request]) -> Outcome:
    well_inside_a_minute(6)
    with SteadyLoad(haproxy.port, request, CLIENTS, TURNS, SECONDS, PAUSE, timeout=20) as load:
        load.join()
    assert load.outcome.failures == []
    assert set(load.outcome.statuses) == {200, 429}, load.outcome.statuses
    return load.outcome


def windows(logs: LogServer, outcome: Outcome) -> list[list[Used]]:
    """What was let through, by minute; every request has its line, and none was lost. What came
    just before the end of a minute, whose budget was used up long before, passed in the next."""
    logs.exactly(outcome.requests)
    lines = logs.those(AccessLine.has_tail)
    reasons = Counter(line["reason"] for line in lines)
    assert reasons == {"ok": outcome.statuses[200], "limit_tokens": outcome.statuses[429]}
    by_minute: dict[int, list[Used]] = defaultdict(list)
    for request in (used(line) for line in lines if line["decision"] == "allow"):
        by_minute[(request.begun + SLACK_MS) // MINUTE_MS].append(request)
    return [by_minute[minute] for minute in sorted(by_minute)]


def beyond_in_flight(window: list[Used]) -> int:
    """What those used beyond their estimates who were in flight when the last one was let in: until
    then every estimate had found room. A client has one at a time."""
    last = max(request.begun for request in window)
    beyond = [request.beyond for request in window if request.ended + SLACK_MS >= last]
    return sum(sorted(beyond, reverse=True)[:CLIENTS])


@threads
def test_where_estimates_are_right_a_window_holds_the_limit_to_the_token(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, nbthread: int
) -> None:
    standin.google(canned=answer(100), delay_ms=20, record=False)
    roles = {"ml": {"limits": {"tokens_per_minute": LIMIT}}}
    vertex = with_roles(standin.service_account, roles)
    haproxy = gateway(vertex=vertex, nbthread=nbthread)
    token = standin.token({"groups": ["ml"]})
    request = Request("POST", target(), headers(token), expecting(100))

    outcome = ask_all(haproxy, lambda _client, _number: request)

    whole = windows(logs, outcome)
    for window in whole:
        assert {(one.reserved, one.charged) for one in window} == {(100, 100)}
    sums = [sum(one.charged for one in window) for window in whole]
    # The last one may have ended before it was used up.
    assert set(sums[: of_two(1, -1)]) == {LIMIT} and sums[-1] <= LIMIT, sums


@threads
@pytest.mark.parametrize("how", ["all too low", "too low and too high"])
def test_where_they_are_wrong_only_what_is_in_flight_goes_beyond(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    nbthread: int,
    how: str,
) -> None:
    mixed = how != "all too low"
    standin.google(canned=None if mixed else answer(400), delay_ms=20, record=False)
    roles = {"ml": {"limits": {"tokens_per_minute": LIMIT}}}
    vertex = with_roles(standin.service_account, roles)
    haproxy = gateway(vertex=vertex, nbthread=nbthread)
    token = standin.token({"groups": ["ml"]})

    def request(client: int, number: int) -> Request:
        content = expecting(100)
        if mixed:
            # The stand-in repeats the text, whatever limit on its answer the request sets.
            chance = random.Random(client * 1000 + number)
            content = body(chance.choice((1, 10, 1000)), "x" * chance.randrange(1600))
        return Request("POST", target(), headers(token), content)

    outcome = ask_all(haproxy, request)

    found = windows(logs, outcome)
    for window in found:
        whole = sum(one.charged for one in window)
        allowed = beyond_in_flight(window)
        print(f"{nbthread} threads, {how}: {whole} of {LIMIT}, {allowed} beyond in flight")
        assert whole <= LIMIT + allowed
    for window in found[: of_two(1, -1)]:
        assert any(one.beyond for one in window)
        assert not mixed or any(one.charged < one.reserved for one in window)
        # No more than the largest request is left; what another window went beyond is taken off.
        assert of_two(sum(one.charged for one in window), LIMIT) > LIMIT - 1500
