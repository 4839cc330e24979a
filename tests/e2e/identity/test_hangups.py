"""Callers who hang up while they wait for keys: nothing undecided leaves, their places become free,
and the others get their answers."""

import resource
import time
from collections.abc import Callable, Iterator

import pytest

from support.expect.eventually import eventually
from support.expect.metrics import Pages, key
from support.expect.shown import has_no_keys, requests_so_far
from support.load.waiters import Waiter
from support.log.server import LogServer, all_lines
from support.wire.calls import outcome, post
from support.world.configuration import Configuration
from support.world.haproxy import Haproxy
from support.world.ruleset import Extended
from support.world.standin import Standin

ROOM = 1000  # who may wait at a time

# A frontend of 2.6 must have the option too, or it does not see the end.
ABORTS = {
    "abortonclose": dict.fromkeys(("vertex", "vertex-upstream"), "option abortonclose"),
    "no abortonclose": dict.fromkeys(("vertex", "vertex-upstream"), "no option abortonclose"),
}

both_ways = pytest.mark.parametrize("option", ABORTS)


@pytest.fixture
def start(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    pages: Pages,
    option: str,
) -> Callable[[], Haproxy]:
    """A gateway that cannot get its issuer's keys yet."""
    standin.idp("status")

    def one() -> Haproxy:
        made = configuration(sections=pages.section)
        return launch(Extended(**vars(made), added=ABORTS[option]))

    return one


@pytest.fixture
def arrive() -> Iterator[Callable[[Haproxy, str, int], list[Waiter]]]:
    """`arrive(haproxy, token, count)`: so many callers, who have sent their requests."""
    arrived: list[Waiter] = []

    def some(haproxy: Haproxy, token: str, count: int) -> list[Waiter]:
        for _ in range(count):
            arrived.append(Waiter(haproxy, token))
        return arrived[-count:]

    yield some
    for waiter in arrived:
        waiter.connection.close()


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * ROOM)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def all_waiting(haproxy: Haproxy, count: int) -> None:
    eventually(lambda: requests_so_far(haproxy) >= count, f"{count} requests have come")
    assert has_no_keys(haproxy), "they must be waiting still"


@both_ways
@pytest.mark.parametrize("way", ["close", "reset", "shut_write"])
def test_a_request_whose_caller_has_gone_leaves_decided_or_not_at_all(
    start: Callable[[], Haproxy],
    arrive: Callable[[Haproxy, str, int], list[Waiter]],
    standin: Standin,
    logs: LogServer,
    way: str,
) -> None:
    good, bad = standin.token(), standin.token(sign_with="other")
    haproxy = start()
    gone_good, gone_bad = arrive(haproxy, good, 10), arrive(haproxy, bad, 10)
    staying, refused = arrive(haproxy, good, 5), arrive(haproxy, bad, 5)
    everybody = [*gone_good, *gone_bad, *staying, *refused]
    all_waiting(haproxy, len(everybody))

    for waiter in (*gone_good, *gone_bad):
        waiter.leave(way)
    assert has_no_keys(haproxy), "they left while they waited"
    standin.idp()

    # Those who stayed lose nothing by it.
    assert [waiter.answer() for waiter in staying] == [200] * len(staying)
    assert [waiter.answer() for waiter in refused] == [401] * len(refused)

    # Who has only stopped sending may still read an answer; HAProxy may take it for a hang-up, and
    # says 400, 503 or nothing then.
    stopped = [*gone_good, *gone_bad] if way == "shut_write" else []
    answers = {waiter.mark: waiter.answer() for waiter in stopped}

    lines = all_lines(haproxy, logs, len(everybody))
    seen = standin.requests(of="google")
    assert len(lines) == len(everybody)
    assert all(request["bearer"]["valid"] for request in seen)
    for waiter in (*gone_bad, *refused):
        assert waiter.forwarded(seen) == []
        assert waiter.line(lines)["decision"] != "allow"
        assert answers.get(waiter.mark) != 200
    for waiter in (*gone_good, *staying):
        # HAProxy 3.0 answers 400 to who leaves while it connects, and the line says what was answered;
        # the role is that of the verdict.
        decided = waiter.line(lines)["role"] == "ml-team"
        assert len(waiter.forwarded(seen)) <= decided
        assert decided or answers.get(waiter.mark) != 200
    for waiter in staying:
        assert len(waiter.forwarded(seen)) == 1


# Everybody leaves: one who stayed would give back a place by word, and hide that others do not.
@pytest.mark.parametrize(
    ("way", "option"), [("shut_write", "no abortonclose"), ("reset", "abortonclose")]
)
def test_a_full_waiting_room_says_so_at_once_and_has_room_again_when_all_have_left(
    start: Callable[[], Haproxy],
    arrive: Callable[[Haproxy, str, int], list[Waiter]],
    standin: Standin,
    pages: Pages,
    many_files: None,
    way: str,
) -> None:
    token = standin.token()
    haproxy = start()
    waiters = arrive(haproxy, token, ROOM - 1)
    all_waiting(haproxy, ROOM - 1)
    waiters += arrive(haproxy, token, 1)  # there is room for one more
    eventually(lambda: requests_so_far(haproxy) >= ROOM, "all have come")

    begun = time.monotonic()
    assert outcome(post(haproxy, token)) == (503, "busy")
    assert time.monotonic() - begun < 3, "whoever is not let in must not wait"

    for waiter in waiters:
        waiter.leave(way)

    # Nobody comes, and yet those who left are soon counted no more.
    assert pages.metrics()[key("waiting")] > 0
    eventually(lambda: pages.metrics()[key("waiting")] == 0, "nobody waits", within=20, every=0.5)

    def next_one() -> str:
        status, reason = outcome(post(haproxy, token))
        assert status == 503
        return "" if reason == "busy" else reason

    assert eventually(next_one, "room again", within=20, every=0.5) == "keys_unavailable"
    assert standin.requests(of="google") == []

    standin.idp()
    assert eventually(lambda: not has_no_keys(haproxy), "the keys have come", within=20)
    assert post(haproxy, token).status == 200
