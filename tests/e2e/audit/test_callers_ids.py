"""The caller's own ids in the audit line: its session, and the trace that its request is part of."""

from collections.abc import Callable

import pytest

from support.log.line import means
from support.log.server import LogServer
from support.wire.calls import OTHER_MODEL, post
from support.world.haproxy import Haproxy
from support.world.standin import Standin

SESSION = "5f0c1b9e-8a0e-4f0e-9d55-0a9a1a2f3c4d"
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
CLAUDE_CODE = {"x_claude_code_session_id": SESSION}


def test_an_allowed_call_and_a_refused_one_tell_session_and_trace(
    gateway: Callable[..., Haproxy], standin: Standin, token: str, logs: LogServer
) -> None:
    haproxy = gateway(nbthread=1)

    assert post(haproxy, token, **CLAUDE_CODE, traceparent=TRACEPARENT).status == 200
    assert post(haproxy, token, OTHER_MODEL, **CLAUDE_CODE, traceparent=TRACEPARENT).status == 403
    assert post(haproxy, None, **CLAUDE_CODE, traceparent=TRACEPARENT).status == 401
    assert post(haproxy, token).status == 200

    lines = [line.written for line in logs.in_order(4)]
    said = [(line["reason"], line["session"], line["trace"]) for line in lines]
    assert said == [
        ("ok", SESSION, TRACE), ("role_none", SESSION, TRACE), ("token_missing", SESSION, TRACE),
        ("ok", "-", "-"),
    ]  # fmt: skip
    # Google is told of the trace, and of no session.
    first, last = (dict(seen["headers"]) for seen in standin.requests(of="google"))
    assert first["traceparent"] == TRACEPARENT and "traceparent" not in last
    assert not [name for name in first if "session" in name]


def test_in_json_they_have_the_names_of_opentelemetry(
    gateway: Callable[..., Haproxy], token: str, logs: LogServer
) -> None:
    haproxy = gateway(nbthread=1, environment={"VERTEX_LOG_STYLE": "json"})

    post(haproxy, token, session_id="a session", traceparent=TRACEPARENT)
    post(haproxy, token)

    [one, other] = [line.members for line in logs.wait_for(2, which=lambda line: line.is_json())]
    assert (one["gen_ai.conversation.id"], one["trace_id"]) == ("a session", TRACE)
    assert not {"gen_ai.conversation.id", "trace_id"} & set(other)


@pytest.mark.parametrize(
    "session", ["x" * 3000, 'a b=c|^"}', "%41", "-"], ids=["long", "hostile", "escaped", "a dash"]
)
def test_no_session_can_leave_its_field(
    gateway: Callable[..., Haproxy], token: str, logs: LogServer, session: str
) -> None:
    post(gateway(nbthread=1), token, **{"x_claude_code_session_id": session})

    [line] = logs.in_order(1)
    written = line.written["session"]
    assert means(written, session) and len(written) <= 137 and written != "-"


@pytest.mark.parametrize(
    "traceparent",
    [
        TRACE,
        TRACEPARENT.upper(),
        TRACEPARENT + "-more",
        "ff" + TRACEPARENT[2:],
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
    ],
)
def test_a_traceparent_that_is_not_valid_is_none_and_leaves_as_it_came(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    token: str,
    logs: LogServer,
    traceparent: str,
) -> None:
    haproxy = gateway(nbthread=1)

    assert post(haproxy, token, traceparent=traceparent).status == 200
    assert post(haproxy, token, traceparent="cc" + TRACEPARENT[2:] + "-more").status == 200

    assert [line.written["trace"] for line in logs.in_order(2)] == ["-", TRACE]
    [seen, _] = standin.requests(of="google")
    assert ("traceparent", traceparent) in map(tuple, seen["headers"])
