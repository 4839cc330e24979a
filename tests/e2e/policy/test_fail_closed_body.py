"""What reads a long body as it passes is broken in many ways: no body that nobody has allowed leaves
whole, the caller gets a refusal, and HAProxy lives on."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.expect.eventually import eventually
from support.expect.recorded import nothing_whole
from support.expect.shown import has_no_keys
from support.log.server import LogServer
from support.wire.calls import GENERATE, headers
from support.wire.http1 import Connection, Response, once
from support.wire.bodies import BodyRecorder
from support.world.configuration import Configuration, vertex_json
from support.world.faults import broken_share, reached
from support.world.haproxy import Haproxy
from support.world.place import haproxy_version
from support.world.standin import Standin

DIES = ("raises", "raises_a_table", "panics")
LIES = ("returns_nothing", "returns_false", "returns_true", "returns_a_number", "returns_a_text", "allows")

# Callback: native function: its faults.
READS_BODY = {
    "action vertex-read-body": {
        "upload": (*DIES, *LIES, "never_ends"),
        "pass": (*DIES, *LIES, "never_ends", "raises_later", "panics_later"),
        "end_body": (*DIES, *LIES),
        # The verdict in place of one that nobody gave.
        "refused": (*DIES, *LIES),
        "withdraw": DIES,
    }
}

PROMPT = json.dumps(
    {"contents": [{"role": "user", "parts": [{"text": "word " * 14_000}]}]}
).encode()


def cases() -> list[tuple[str, str]]:
    ends_loops = haproxy_version() >= (2, 8)
    return [
        (function, fault)
        for functions in READS_BODY.values()
        for function, faults in functions.items()
        for fault in faults
        if fault != "never_ends" or ends_loops
    ]


@pytest.fixture
def recorder() -> Iterator[BodyRecorder]:
    server = BodyRecorder()
    yield server
    server.stop()


@pytest.fixture
def broken(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    recorder: BodyRecorder,
    tmp_path: Path,
) -> Callable[[str, str], Haproxy]:
    def one(functions: str, fault: str) -> Haproxy:
        share = broken_share(tmp_path, functions, fault)
        haproxy = launch(configuration(share=share, nbthread=1, google_http=recorder.port))
        # Who has to wait for them meets other functions.
        eventually(lambda: not has_no_keys(haproxy), "keys are there")
        return haproxy

    tmp_path.chmod(0o755)
    return one


def long_call(haproxy: Haproxy, token: str, body: bytes = PROMPT) -> Response:
    return once(haproxy.port, "POST", GENERATE, headers(token), body)


def test_nothing_is_refused_where_nothing_is_broken(
    broken: Callable[[str, str], Haproxy], recorder: BodyRecorder, token: str
) -> None:
    haproxy = broken("upload pass end_body", "none")
    assert long_call(haproxy, token).status == 200
    assert [request.body for request in recorder.requests] == [PROMPT]
    for function in ("upload", "pass", "end_body"):
        assert reached(function, "none") in haproxy.stderr


@pytest.mark.parametrize(("function", "fault"), cases())
def test_a_body_that_cannot_be_judged_does_not_leave_whole(
    broken: Callable[[str, str], Haproxy],
    recorder: BodyRecorder,
    logs: LogServer,
    token: str,
    function: str,
    fault: str,
) -> None:
    haproxy = broken(f"{function} pass" if function in ("refused", "withdraw") else function, fault)
    worker = haproxy.worker
    answer = long_call(haproxy, token)
    assert answer.status in (400, 503), answer
    [line] = logs.in_order(1)
    assert (line["decision"], line.status) == ("deny", answer.status)
    if function != "end_body":  # the body was allowed before its end is asked about
        assert nothing_whole(recorder)
    assert not any(request.is_whole for request in recorder.requests)
    assert reached(function, fault) in haproxy.stderr
    assert haproxy.worker == worker
    # Short bodies are none of its business.
    assert once(haproxy.port, "POST", GENERATE, headers(token), b"{}").status == 200


FORGED = "http-request set-var(txn.vertex.reads_body) var(txn.vertex.verdict),field(4,|)"


def test_no_rule_can_say_that_a_body_is_read(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    recorder: BodyRecorder,
    token: str,
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o755)
    for fault, status in (("none", 200), ("returns_nothing", 503), ("raises", 503)):
        share = broken_share(tmp_path, "upload", fault)
        different = {"share": share, "nbthread": 1, "google_http": recorder.port}
        haproxy = launch(configuration(**different, frontend_lines=FORGED))
        assert long_call(haproxy, token).status == status, fault
    assert len(recorder.requests) == 1


# The model moves out of such a body, however short it is.
CLAUDE = b'{"model":"claude-x","max_tokens":9,"messages":[]}'


@pytest.mark.parametrize("fault", ["none", "raises", "panics", "returns_nothing", "returns_a_text"])
def test_a_short_body_that_has_to_change_leaves_changed_or_not_at_all(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    recorder: BodyRecorder,
    logs: LogServer,
    token: str,
    tmp_path: Path,
    fault: str,
) -> None:
    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["may"] |= {"models": ["anthropic/*"], "methods": ["streamRawPredict"]}
    vertex["roles"][0]["default"] = {"project": "acme-ml", "location": "us-central1"}
    tmp_path.chmod(0o755)
    share = broken_share(tmp_path, "pass", fault)
    haproxy = launch(configuration(share=share, google_http=recorder.port, vertex=vertex))

    answer = once(haproxy.port, "POST", "/v1/messages", headers(token), CLAUDE)

    [line] = logs.exactly(1)
    if fault == "none":
        assert (answer.status, line["decision"]) == (200, "allow")
        changed = CLAUDE.replace(b'"model":"claude-x"', b'"anthropic_version":"vertex-2023-10-16"')
        assert [request.body for request in recorder.requests] == [changed]
    else:
        assert (answer.status, line["decision"], line["reason"]) == (503, "deny", "internal")
        assert json.loads(answer.body)["type"] == "error"
        assert nothing_whole(recorder)


@pytest.mark.parametrize("fault", ["raises", "returns_a_text"])
def test_the_caller_hears_of_it_in_json_and_one_line(
    broken: Callable[[str, str], Haproxy],
    recorder: BodyRecorder,
    logs: LogServer,
    token: str,
    fault: str,
) -> None:
    haproxy = broken("pass", fault)
    answer = long_call(haproxy, token)
    assert answer.status == 503
    assert json.loads(answer.body)["error"]["details"][0]["reason"] == "internal"
    [line] = logs.exactly(1)
    assert (line["reason"], line["principal"]) == ("internal", "corp:alice")


def test_a_caller_who_leaves_a_broken_reader_lets_nothing_out(
    broken: Callable[[str, str], Haproxy], recorder: BodyRecorder, logs: LogServer, token: str
) -> None:
    haproxy = broken("pass", "raises_later")
    for length in (30_000, 50_000, len(PROMPT) - 1):
        connection = Connection(haproxy.port)
        sized = headers(token) | {"Content-Length": str(len(PROMPT))}
        connection.send_request("POST", GENERATE, sized, PROMPT[:length])
        connection.close()
    assert {line["decision"] for line in logs.wait_for(3)} == {"deny"}
    assert nothing_whole(recorder)
