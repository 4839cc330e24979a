"""Each callback that the Lua scripts register is broken in many ways: what cannot be decided is
refused, nothing leaves, and HAProxy lives on or does not start."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.expect.eventually import eventually
from support.log.server import LogServer, all_lines
from support.wire.calls import post
from support.wire.http1 import Response
from support.world.callbacks import BODY, callbacks, natives
from support.world.configuration import Configuration
from support.world.faults import broken_share, reached
from support.world.haproxy import Haproxy, NotStarted
from support.world.place import SHARE, haproxy_version
from support.world.ruleset import elsewhere
from support.world.standin import Standin
from test_fail_closed_actions import ACTIONS, SAYS
from test_fail_closed_body import READS_BODY
from test_fail_closed_credentials import CREDENTIALS
from test_fail_closed_metering import METERING
from test_fail_closed_pages import PAGES

BUSY, INTERNAL = "busy", "internal"
NO_CREDENTIAL, NO_KEYS = "credential_unavailable", "keys_unavailable"
NO_START = "HAProxy does not start"
NO_HARM = "requests are served as ever"

DECIDE, BEARER = "converters vertex_decide", "converters vertex_bearer"
WAIT, TASK = "action vertex_wait", "task fetch.run"
INIT, SHOW = "init", "cli vertex show"

DIES = ("raises", "raises_a_table", "panics")
NOTHING = ("returns_nothing", "returns_an_empty_text")
NO_TEXT = (*NOTHING, "returns_false", "returns_true", "returns_a_number", "returns_a_table")


def each(expected: str, *faults: str) -> dict[str, str]:
    return dict.fromkeys(faults, expected)


# Callback: native function: fault: what comes of it, as a refusal's reason if it is one.
EXPECTED: dict[str, dict[str, dict[str, str]]] = {
    DECIDE: {
        "decide": {
            **each(INTERNAL, *DIES, *NO_TEXT, "never_ends"),
            **each(INTERNAL, "returns_a_text", "allows", "allows_in_capitals", "denies_with_200"),
            **each(NO_CREDENTIAL, "allows_a_location", "allows_with_a_forged_handle"),
        }
    },
    BEARER: {
        "bearer": {
            **each(NO_CREDENTIAL, *DIES, *NO_TEXT, "never_ends"),
            **each(NO_CREDENTIAL, "returns_a_text", "returns_bearer"),
        }
    },
    WAIT: {
        "start_waiting": {
            **each(NO_KEYS, *DIES, "never_ends", "returns_nothing", "returns_a_text"),
            **each(BUSY, "returns_a_number"),
        },
        "resume": {
            **each(NO_KEYS, *DIES, "never_ends", "returns_nothing", "raises_later", "panics_later"),
            **each(INTERNAL, "allows", "allows_later", "denies_with_200"),
            **each(NO_CREDENTIAL, "allows_a_location", "allows_with_a_forged_handle"),
        },
        "refused": {
            **each(NO_KEYS, *DIES, *NOTHING, "never_ends", "returns_a_text", "allows"),
            **each(NO_KEYS, "allows_with_a_forged_handle"),
        },
    },
    TASK: {
        "next_log": each(NO_KEYS, *DIES, "returns_a_text"),
        # An error in it is told to `fail`, and the next fetch brings the keys.
        "unanswered": each(NO_KEYS, "returns_nothing", "returns_a_text", "returns_a_table"),
        "step": each(NO_KEYS, *DIES, "returns_nothing", "returns_a_table"),
        "answer": each(NO_KEYS, *DIES, "returns_nothing"),
        "fail": each(NO_KEYS, *DIES),
    },
    INIT: {
        "refuse_shared": each(NO_START, *DIES, "returns_a_text", "returns_a_table"),
        "open": {
            **each(NO_START, *DIES, "returns_a_text", "returns_a_table"),
            **each(INTERNAL, "returns_nothing"),
        },
        "fetchers": each(NO_START, *DIES, "returns_nothing", "returns_a_text"),
    },
    BODY: {
        "check": each(NO_START, *DIES, "returns_a_text", "returns_a_table"),
        "has_admin_commands": each(NO_START, *DIES),
    },
    # Nothing of the module's decides when it ends.
    "action vertex-await-upload": {},
    # A body without its length is no token.
    "filter vertex-fetch-length": {},
    # `unlogged` runs in it, on HAProxy 2.8.
    "task": {},
    SHOW: {"show": each(NO_HARM, *DIES, "never_ends", "returns_nothing", "returns_a_table")},
}


# With what is broken in a file of its own.
EVERYWHERE = EXPECTED | METERING | {action: broken.of for action, broken in ACTIONS.items()}
EVERYWHERE |= SAYS | PAGES | READS_BODY | CREDENTIALS
# The filter of answers hands the pieces of bodies on, too.
PASSES = {"pass": READS_BODY["action vertex-read-body"]["pass"]}
EVERYWHERE |= {
    callback: functions | PASSES
    for callback, functions in METERING.items()
    if "reader_index" in functions
}


def cases(*of: str) -> list[tuple[str, ...]]:
    """(native function, fault, what comes of it). Only from 2.8 on does HAProxy end a loop that
    never yields; before, its watchdog ends HAProxy."""
    found = [
        (function, fault, expected)
        for callback in of
        for function, faults in EXPECTED[callback].items()
        for fault, expected in faults.items()
    ]
    ends_loops = haproxy_version() >= (2, 8)
    return [case for case in found if case[1] != "never_ends" or ends_loops]


@pytest.fixture
def broken(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
) -> Callable[..., Haproxy]:
    """One thread, so that one Lua counts the calls; whatever is not refused goes elsewhere."""
    around = {"frontend_lines": "default_backend elsewhere", "sections": elsewhere(standin)}

    def one(function: str, fault: str, start: bool = True) -> Haproxy:
        share = broken_share(tmp_path, function, fault)
        return launch(configuration(share=share, nbthread=1, **around), start=start)

    tmp_path.chmod(0o755)
    return one


@pytest.fixture
def token(standin: Standin) -> str:
    return standin.token()


def reason(response: Response) -> str:
    """The reason of a 503 in Google's error JSON."""
    assert response.status == 503, response
    detail, *_ = json.loads(response.text)["error"]["details"]
    return detail["reason"]


def assert_refused(haproxy: Haproxy, standin: Standin, logs: LogServer) -> None:
    assert standin.requests(of="google") == []
    [line] = all_lines(haproxy, logs)
    assert line.status == 503


def test_every_callback_and_every_native_function_has_its_fault_here() -> None:
    broken_here = {callback: set(functions) for callback, functions in EVERYWHERE.items()}

    assert callbacks(SHARE) == broken_here
    assert natives(SHARE) == set.union(*broken_here.values())
    assert all(faults for functions in EVERYWHERE.values() for faults in functions.values())


def test_the_same_request_passes_when_nothing_is_broken(
    broken: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str
) -> None:
    standin.idp("refuse")
    # Those that only a fault of another one's brings up.
    functions = {function for used in EXPECTED.values() for function in used} - {"fail"}
    haproxy = broken(" ".join(sorted(functions)), "none")
    eventually(
        lambda: reached("unanswered", "none") in haproxy.stderr, "the first attempt has failed"
    )
    standin.idp()

    assert post(haproxy, token).status == 200

    assert '"issuers"' in haproxy.ask("vertex show keys json")
    assert {name for name in functions if reached(name, "none") in haproxy.stderr} == functions
    [seen] = standin.requests(of="google")
    assert seen["bearer"]["valid"]
    [line] = all_lines(haproxy, logs)
    assert (line.status, line["decision"]) == (200, "allow")


@pytest.mark.parametrize(("function", "fault", "expected"), cases(DECIDE, BEARER, WAIT))
def test_a_broken_converter_or_wait_is_a_refusal(
    broken: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    token: str,
    function: str,
    fault: str,
    expected: str,
) -> None:
    if function in EXPECTED[WAIT]:
        standin.idp("status")  # so that it has to wait
    haproxy = broken(function, fault)

    assert reason(post(haproxy, token)) == expected

    assert reached(function, fault) in haproxy.stderr
    assert_refused(haproxy, standin, logs)


@pytest.mark.parametrize(
    ("function", "fault"),
    [("bearer", "raises"), ("decide", "allows_a_location"), ("resume", "allows")],
)
def test_the_log_line_of_a_late_refusal_says_what_the_caller_was_told(
    broken: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    token: str,
    function: str,
    fault: str,
) -> None:
    if function == "resume":
        standin.idp("status")
    haproxy = broken(function, fault)

    told = reason(post(haproxy, token))

    [line] = all_lines(haproxy, logs)
    assert (line["decision"], line["reason"]) == ("deny", told)


@pytest.mark.parametrize("function", EXPECTED[TASK])
def test_without_its_task_no_request_gets_further_than_a_wait(
    broken: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str, function: str
) -> None:
    if function in ("fail", "unanswered"):
        standin.idp("refuse")
    faults = EXPECTED[TASK][function]
    # `fail` is for what the others raise.
    functions = "fail unanswered" if function == "fail" else function
    haproxies = {fault: broken(functions, fault) for fault in faults}
    for fault, haproxy in haproxies.items():
        eventually(lambda: reached(function, fault) in haproxy.stderr, f"{function} {fault}")
    standin.idp()

    with ThreadPoolExecutor(len(haproxies)) as pool:
        answers = pool.map(lambda haproxy: reason(post(haproxy, token)), haproxies.values())

    assert dict(zip(haproxies, answers, strict=True)) == faults
    assert standin.requests(of="google") == []
    lines = all_lines(next(iter(haproxies.values())), logs, len(faults))
    assert [line.status for line in lines] == [503] * len(faults)


@pytest.mark.parametrize(("function", "fault", "expected"), cases(INIT, BODY))
def test_a_start_without_one_of_its_steps_is_refused_or_serves_nobody(
    broken: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    token: str,
    function: str,
    fault: str,
    expected: str,
) -> None:
    haproxy = broken(function, fault, start=False)
    if expected == NO_START:
        with pytest.raises(NotStarted) as refusal:
            haproxy.start()
        if fault == "raises":
            assert "broken on purpose" in str(refusal.value)
    else:
        assert reason(post(haproxy.start(), token)) == expected
        assert_refused(haproxy, standin, logs)
    assert reached(function, fault) in haproxy.stderr


@pytest.mark.parametrize("fault", EXPECTED[BODY]["check"])
def test_a_configuration_check_without_its_check_fails(
    broken: Callable[..., Haproxy], fault: str
) -> None:
    assert broken("check", fault, start=False).check().status == 1
    assert broken("check", "none", start=False).check().status == 0


def test_without_the_module_haproxy_says_what_is_missing(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> None:
    nowhere = dict.fromkeys(("LUA_CPATH", "LUA_CPATH_5_3", "LUA_CPATH_5_4"), "/nowhere/?.so")
    haproxy = launch(configuration(environment=nowhere), start=False)

    with pytest.raises(NotStarted, match="no module; this HAProxy has Lua"):
        haproxy.start()
    assert haproxy.check().status == 1

    haproxy.configuration.environment = {}
    assert haproxy.check().status == 0
    haproxy.start()


@pytest.mark.parametrize(("function", "fault", "expected"), cases(SHOW))
def test_a_broken_command_harms_no_request(
    broken: Callable[..., Haproxy],
    standin: Standin,
    token: str,
    function: str,
    fault: str,
    expected: str,
) -> None:
    haproxy = broken(function, fault)
    worker = haproxy.worker

    haproxy.ask("vertex show issuers")

    assert reached(function, fault) in haproxy.stderr
    assert post(haproxy, token).status == 200, expected
    assert post(haproxy, standin.token(sign_with="other")).status == 401
    assert len(standin.requests(of="google")) == 1
    assert haproxy.worker == worker
