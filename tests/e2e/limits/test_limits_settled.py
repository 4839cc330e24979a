"""When a request has ended, its real usage takes the place of what it reserved, and its place among
those in flight is free: however it ended."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from support.expect.budget import answer, body, expecting, hold, remaining, target, with_roles
from support.expect.eventually import eventually
from support.log.line import AccessLine
from support.log.server import LogServer
from support.wire.calls import headers, post
from support.wire.http1 import Closed, Connection, Response, once
from support.world.haproxy import Haproxy
from support.world.standin import Standin

BUDGET = 1_000_000
LIMITS = {"per": "principal", "tokens_per_hour": BUDGET, "parallel_requests": 1}

# What a user's own rules may do around ours; the backend's see what the frontend's wrote down.
FRONTEND = """
http-request set-var(txn.test) req.hdr(x-test)
http-request deny deny_status 403 if { req.hdr(x-test) deny-in-the-frontend }
use_backend vertex_global if { req.hdr(x-test) another-backend }
"""
UPSTREAM = """
retries 0
http-request deny deny_status 403 if { var(txn.test) -m str deny-in-the-backend }
http-request set-timeout server 300 if { var(txn.test) -m str short-timeout }
http-response deny deny_status 502 if { var(txn.test) -m str deny-the-answer }
"""


@dataclass
class Place:
    """A gateway, somebody with a budget of his own, and his one log line."""

    haproxy: Haproxy
    standin: Standin
    token: str

    def unary(self, test: str = "") -> Response:
        sent = headers(self.token, **({"X_Test": test} if test else {}))
        return once(self.haproxy.port, "POST", target(), sent, expecting(100), timeout=20)

    def hold(self) -> Connection:
        connection, head = hold(self.haproxy, self.token)
        assert head.status == 200
        return connection

    def read(self, test: str = "") -> int | None:
        """The status of a stream read to its end; nothing if it was cut."""
        sent = headers(self.token, **({"X_Test": test} if test else {}))
        asked = target(method="streamGenerateContent")
        try:
            return once(self.haproxy.port, "POST", asked, sent, expecting(100), 20).status
        except Closed:
            return None


# Each ends one request in its way. What it then costs: "real", the "reserved", "at_least" that (a
# stream may have used more), "prompt", or "nothing".


def answered(place: Place) -> None:
    place.standin.google(canned=answer(40))
    assert place.unary().status == 200


def answered_with_more(place: Place) -> None:
    place.standin.google(canned=answer(4000))
    assert place.unary().status == 200


def streamed(place: Place) -> None:
    place.standin.google(chunks=3, interval_ms=0)
    assert place.read() == 200


def left_by_fin_amid_the_stream(place: Place) -> None:
    place.standin.google(chunks=3, gate=True)
    place.hold().close()


def left_by_rst_amid_the_stream(place: Place) -> None:
    place.standin.google(chunks=3, gate=True)
    place.hold().reset()


def left_before_the_answer(place: Place) -> None:
    place.standin.google(delay_ms=60_000)
    came = place.standin.counters()["google_requests"]
    connection = Connection(place.haproxy.port)
    connection.send_request("POST", target(), headers(place.token), expecting(100))
    eventually(lambda: place.standin.counters()["google_requests"] > came, "it is at Google's")
    connection.close()


def cut_by_google_amid_the_stream(place: Place) -> None:
    place.standin.google(chunks=3, interval_ms=20, hangup_after_chunks=2)
    assert place.read() is None


def cut_by_google_before_the_answer(place: Place) -> None:
    place.standin.google(hangup_after_chunks=0)
    assert place.unary().status == 502


def ended_by_an_error_amid_the_stream(place: Place) -> None:
    place.standin.google(chunks=3, interval_ms=0, mid_stream_error=True)
    assert place.read() == 200


def too_slow_before_the_answer(place: Place) -> None:
    place.standin.google(delay_ms=2000)
    assert place.unary("short-timeout").status == 504


def too_slow_amid_the_stream(place: Place) -> None:
    place.standin.google(chunks=3, gate=True)
    assert place.read("short-timeout") is None
    place.standin.google()


def google_is_down(place: Place) -> None:
    place.standin.down("google")
    assert place.unary().status == 503
    place.standin.down("google", False)


def google_says(status: int, answered: int) -> Callable[[Place], None]:
    def end(place: Place) -> None:
        place.standin.google(status=status)
        assert place.unary().status == answered

    end.__name__ = f"google_says_{status}"
    return end


def refused_by_a_rule_of_the_users_in_the_frontend(place: Place) -> None:
    assert place.unary("deny-in-the-frontend").status == 403


def refused_by_a_rule_of_the_users_in_the_backend(place: Place) -> None:
    assert place.unary("deny-in-the-backend").status == 403


def refused_by_the_gate(place: Place) -> None:
    assert place.unary("another-backend").status == 503


def answer_refused_by_a_rule_of_the_users(place: Place) -> None:
    place.standin.google(canned=answer(40))
    assert place.unary("deny-the-answer").status == 502


def blocked_prompt(place: Place) -> None:
    said = {"promptFeedback": {"blockReason": "SAFETY"}}
    place.standin.google(canned={"content_type": "application/json", "pieces": [json.dumps(said)]})
    assert place.unary().status == 200


ENDS: list[tuple[Callable[[Place], None], str, str]] = [
    (answered, "real", "exact"),
    (answered_with_more, "real", "exact"),
    (streamed, "real", "exact"),
    (left_by_fin_amid_the_stream, "at_least", "at_least"),
    (left_by_rst_amid_the_stream, "at_least", "at_least"),
    (left_before_the_answer, "reserved", "unknown"),
    (cut_by_google_amid_the_stream, "at_least", "at_least"),
    (cut_by_google_before_the_answer, "reserved", "unknown"),
    (ended_by_an_error_amid_the_stream, "at_least", "at_least"),
    (too_slow_before_the_answer, "reserved", "unknown"),
    (too_slow_amid_the_stream, "at_least", "at_least"),
    (answer_refused_by_a_rule_of_the_users, "real", "exact"),
    (blocked_prompt, "prompt", "none"),
    (google_is_down, "nothing", "none"),
    (google_says(400, 400), "nothing", "none"),
    (google_says(401, 503), "nothing", "none"),
    (google_says(403, 502), "nothing", "none"),
    (google_says(429, 429), "nothing", "none"),
    (google_says(500, 500), "nothing", "none"),
    (google_says(503, 503), "nothing", "none"),
    (refused_by_a_rule_of_the_users_in_the_frontend, "nothing", "none"),
    (refused_by_a_rule_of_the_users_in_the_backend, "nothing", "none"),
    (refused_by_the_gate, "nothing", "none"),
]


def is_due(line: AccessLine, cost: str) -> bool:
    """Whether what was charged is what this costs."""
    charged, reserved = int(line["charged"]), int(line["reserved"])
    match cost:
        case "real":
            return charged == int(line["tokens_total"])
        case "reserved":
            return charged == reserved > 0
        case "at_least":
            return charged == max(reserved, int(line["tokens_total"])) > 0
        case "prompt":
            return charged == -(-int(line["prompt_bytes"]) // 4)
    return charged == 0


@pytest.fixture
def limited(gateway: Callable[..., Haproxy], standin: Standin) -> Haproxy:
    roles: dict[str, Any] = {"ml": {"limits": LIMITS, "reserve_tokens": 99}}
    return gateway(
        vertex=with_roles(standin.service_account, roles),
        frontend_lines=FRONTEND,
        upstream_lines=UPSTREAM,
    )


@pytest.mark.parametrize("ended", ENDS, ids=lambda ended: ended[0].__name__)
def test_a_request_that_was(
    limited: Haproxy,
    standin: Standin,
    logs: LogServer,
    ended: tuple[Callable[[Place], None], str, str],
) -> None:
    end, cost, quality = ended
    token = standin.token({"groups": ["ml"]})
    assert remaining(limited, token) == BUDGET
    logs.wait_for(1)
    logs.clear()

    end(Place(limited, standin, token))

    [line] = logs.wait_for(1)
    assert line["tokens"] == quality, line.text
    assert is_due(line, cost), line.text
    assert remaining(limited, token) == BUDGET - int(line["charged"])
    standin.google()
    assert post(limited, token).status == 200, "its place is free"


def test_what_is_in_flight_is_used_until_it_ends(limited: Haproxy, standin: Standin) -> None:
    """The twin: until a request has ended, nothing comes back, and its place is taken."""
    standin.google(chunks=2, gate=True)
    token = standin.token({"groups": ["ml"]})
    connection, head = hold(limited, token)
    reserved = -(-len(body()) // 4) + 99

    assert remaining(limited, token) == BUDGET - reserved
    assert post(limited, token).status == 429
    standin.release(all=True)
    for _ in connection.parts(head):
        pass
    assert eventually(lambda: remaining(limited, token) > BUDGET - reserved, "it is settled")
    standin.google()
    assert post(limited, token).status == 200
    connection.close()


def test_an_old_process_ends_its_own_requests_and_the_new_one_begins_with_none(
    limited: Haproxy, standin: Standin, logs: LogServer
) -> None:
    standin.google(chunks=2, gate=True)
    token = standin.token({"groups": ["ml"]})
    old, head = hold(limited, token)
    assert post(limited, token).status == 429

    limited.reload()
    assert remaining(limited, token) == BUDGET
    new, other = hold(limited, token)
    assert other.status == 200
    assert post(limited, token).status == 429, "its own request counts"
    standin.release(all=True)
    for connection, answered in ((old, head), (new, other)):
        for _ in connection.parts(answered):
            pass
        connection.close()
    limited.wait_for_old_workers()

    lines = [line for line in logs.wait_for(5) if line["method"] == "streamGenerateContent"]
    assert [(line["tokens"], line["aborted"]) for line in lines] == [("exact", "0")] * 2
    standin.google()
    assert post(limited, token).status == 200


def test_one_after_the_other_is_never_two_at_once(limited: Haproxy, standin: Standin) -> None:
    standin.google(canned=answer(10))
    token = standin.token({"groups": ["ml"]})
    with Connection(limited.port) as connection:
        for _ in range(200):
            answered = connection.request("POST", target(), headers(token), expecting(100))
            assert answered.status == 200

    # On another connection the caller can be faster than HAProxy, which frees a place when it
    # writes the log line: soon after the answer has left.
    for _ in range(50):
        eventually(lambda: post(limited, token).status == 200, "it is free", within=1)
