"""Metering with what it calls broken: no answer is counted as if it had cost nothing, every request
has its line, and nothing undecided leaves."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.expect.eventually import eventually
from support.log.server import LogServer
from support.wire.calls import BODY, CLAIMS, GENERATE, STREAM, headers, post
from support.wire.http1 import Connection, Response
from support.wire.rawgoogle import RawGoogle
from support.world.configuration import Configuration, vertex_json
from support.world.faults import broken_share, reached
from support.world.haproxy import Haproxy, NotStarted
from support.world.place import haproxy_version
from support.world.standin import Standin

DIES = ("raises", "raises_a_table", "panics")
NOTHING = ("returns_nothing", "returns_false", "returns_an_empty_text", "returns_a_table")

# Where nobody can say what was decided (test_accounting_broken.py), and at the load.
UNTOLD = ("raises", "returns_nothing", "returns_a_number")
UNSTARTED = ("raises", "panics")

# Callback: native function: faults.
METERING: dict[str, dict[str, tuple[str, ...]]] = {
    "converters vertex_usage": {"usage": (*DIES, *NOTHING, "returns_a_text", "never_ends")},
    "converters vertex_log_fields": {"log_fields": (*DIES, *NOTHING, "never_ends"), "decided": UNTOLD},
    "action vertex-meter": {
        "meter": (*DIES, *NOTHING, "returns_a_number", "returns_a_text", "never_ends"),
        "feed": (*DIES, *NOTHING, "never_ends"),
        "unlogged": (*DIES, *NOTHING, "returns_a_text", "never_ends"),
        "reader_index": UNSTARTED,
    },
    "filter vertex-meter": {
        "meter": (*DIES, *NOTHING, "returns_a_number", "returns_a_text", "never_ends"),
        "feed": (*DIES, *NOTHING, "never_ends"),
        "unlogged": (*DIES, *NOTHING, "returns_a_text", "never_ends"),
        "reader_index": UNSTARTED,
    },
}


def cases(unlogged: bool = False) -> list[tuple[str, str]]:
    """Only from 2.8 on does HAProxy end a loop that never yields."""
    ends_loops = haproxy_version() >= (2, 8)
    found = {
        (function, fault)
        for functions in METERING.values()
        for function, faults in functions.items()
        for fault in faults
        if (function == "unlogged") == unlogged and faults not in (UNTOLD, UNSTARTED)
        if (function, fault) != ("log_fields", "never_ends")
    }
    return sorted(case for case in found if case[1] != "never_ends" or ends_loops)


@pytest.fixture
def broken(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
) -> Callable[..., Haproxy]:
    """Two requests fit the limit as they are expected, and no third."""
    tmp_path.chmod(0o755)
    vertex = vertex_json(standin.service_account)
    vertex["roles"][0] |= {"limits": {"tokens_per_hour": 2100}, "reserve_tokens": 1000}

    def one(function: str, fault: str) -> Haproxy:
        share = broken_share(tmp_path, function, fault)
        return launch(configuration(share=share, nbthread=1, vertex=vertex))

    return one


def answer_of(haproxy: Haproxy, target: str, token: str) -> Response | None:
    try:
        return post(haproxy, token, target)
    except ConnectionError:
        return None  # an answer that cannot be metered may be cut, never be free


def test_nothing_broken_is_counted_as_it_is(
    broken: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    standin.google(interval_ms=0)
    haproxy = broken("usage log_fields meter feed", "none")
    token = standin.token(dict(CLAIMS))

    for target in (GENERATE, STREAM, GENERATE, STREAM):
        answer = answer_of(haproxy, target, token)
        assert answer is not None and answer.status == 200

    assert [line["tokens"] for line in logs.wait_for(4)] == ["exact"] * 4
    for function in ("usage", "log_fields", "meter", "feed"):
        assert reached(function, "none") in haproxy.stderr


@pytest.mark.skipif(haproxy_version() < (2, 8), reason="HAProxy does not end such a loop")
def test_an_account_that_never_ends_costs_its_line_and_no_budget(
    broken: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    """HAProxy logs that it ended the loop over the line that is being written."""
    haproxy = broken("log_fields", "never_ends")
    worker = haproxy.worker
    token = standin.token(dict(CLAIMS))

    answers = [answer_of(haproxy, GENERATE, token) for _ in range(3)]

    assert [answer.status for answer in answers if answer] == [200, 200, 429]
    ended = re.compile("Lua converter 'vertex_log_fields': (burst|execution) timeout[.]")
    logs.wait_until(lambda lines: sum(map(bool, map(ended.search, lines))) >= 3, "each is logged")
    assert haproxy.worker == worker


@pytest.mark.parametrize(("function", "fault"), cases())
def test_a_broken_meter_makes_nothing_free(
    broken: Callable[..., Haproxy], standin: Standin, logs: LogServer, function: str, fault: str
) -> None:
    # An answer that is here as a whole goes to the filter only if it has to.
    standin.google(interval_ms=0)
    haproxy = broken(function, fault)
    worker = haproxy.worker
    token = standin.token(dict(CLAIMS))
    target = GENERATE if function == "usage" else STREAM

    answers = [answer_of(haproxy, target, token) for _ in range(3)]

    assert reached(function, fault) in haproxy.stderr
    lines = logs.in_order(3)
    assert len(lines) == 3
    assert [line["decision"] for line in lines[:2]] == ["allow", "allow"]
    if function == "usage" and fault not in DIES and fault != "never_ends":
        # The filter saw what the converter did not. After an error HAProxy takes another Lua for the
        # rest of the stream, in which nobody finds the filter.
        assert [line["tokens"] for line in lines] == ["exact"] * 3
    else:
        # Two estimates are all that there is.
        last = answers[2]
        assert last is not None and last.status == 429
        assert json.loads(last.text)["error"]["details"][0]["reason"] == "limit_tokens"
    if function in ("meter", "feed"):
        for line in lines[:2]:
            assert line["tokens"] in ("unknown", "at_least")
            assert line["charged"] == line["reserved"]
    assert answer_of(haproxy, target, standin.token(sign_with="other")).status == 401
    assert haproxy.worker == worker


@pytest.mark.parametrize(("function", "fault"), cases(unlogged=True))
def test_a_line_of_a_closed_connection_that_cannot_be_written_harms_no_request(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
    function: str,
    fault: str,
) -> None:
    tmp_path.chmod(0o755)
    raw = RawGoogle()
    good = GENERATE.replace("flash", "good")
    share = broken_share(tmp_path, function, fault)
    haproxy = launch(configuration(share=share, nbthread=1, google_http=raw.port))
    worker = haproxy.worker
    token = standin.token(dict(CLAIMS))

    with Connection(haproxy.port) as connection:
        assert connection.request("POST", good, headers(token), BODY).status == 200
        connection.send_request("POST", GENERATE.replace("flash", "none"), headers(token), BODY)
        with pytest.raises(ConnectionError):
            connection.read()

    eventually(lambda: reached(function, fault) in haproxy.stderr, "the line was to be written")
    assert post(haproxy, token, good).status == 200
    assert haproxy.worker == worker
    raw.stop()


@pytest.mark.parametrize("fault", UNSTARTED)
def test_without_what_reads_streams_nothing_starts(
    broken: Callable[..., Haproxy], fault: str
) -> None:
    with pytest.raises(NotStarted):
        broken("reader_index", fault)


def test_a_stream_is_read_in_callbacks_where_haproxy_is_not_known_to_look_first(
    broken: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    haproxy = broken("reader_index", "returns_nothing")

    answer = answer_of(haproxy, STREAM, standin.token(dict(CLAIMS)))

    assert answer is not None and answer.status == 200
    assert logs.wait_for(1)[0]["tokens"] == "exact"
