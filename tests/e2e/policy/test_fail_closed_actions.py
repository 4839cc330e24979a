"""Each action with each native function that it uses broken: the gate behind it refuses, nothing
leaves, and HAProxy lives on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.log.server import LogServer
from support.wire.calls import post
from support.world.bare import ALL, AUTHORIZE, GATE, SIGN, VERIFY, bare, shown, unless
from support.world.configuration import Configuration
from support.world.faults import broken_share, reached
from support.world.haproxy import Haproxy
from support.world.place import haproxy_version
from support.world.standin import Standin

DIES = ("raises", "raises_a_table", "panics", "never_ends")
LIES = ("says_done", "says_done_with_junk")
NO_ANSWER = ("returns_true", "returns_a_number", "returns_a_table")
NO_YES = ("returns_a_text", "returns_an_empty_text", "returns_false", "returns_nothing", "allows")
ANSWERS = (*DIES, *LIES, *NO_ANSWER, *NO_YES)
TICKETS = (*DIES, "returns_nothing", "returns_a_text", "returns_a_table")


@dataclass(frozen=True)
class Broken:
    """The rules that an action stands in, and the faults of each native function that it uses."""

    rules: tuple[str, ...]
    of: dict[str, tuple[str, ...]]


ACTIONS = {
    "action vertex": Broken(
        (ALL,),
        {
            "verify": ANSWERS, "permit": ANSWERS, "sign": ANSWERS, "start_waiting": TICKETS,
            "withdraw": DIES,
        },  # fmt: skip
    ),
    "action vertex-verify": Broken(
        (VERIFY, unless("verified"), AUTHORIZE, SIGN),
        {"verify": ANSWERS, "start_waiting": TICKETS, "withdraw": DIES},
    ),
    "action vertex-authorize": Broken(
        (VERIFY, AUTHORIZE, unless("allowed"), SIGN),
        {"permit": ANSWERS, "start_waiting": TICKETS, "withdraw": DIES},
    ),
    "action vertex-sign": Broken(
        (VERIFY, AUTHORIZE, SIGN), {"sign": ANSWERS, "withdraw": DIES}
    ),
}

# Used where a bearer is not to be had, which is the fault here.
SAYS = {"converters vertex_error_json": {"error_json": ("raises", "panics", "returns_nothing", "returns_true")}}


def cases() -> list[tuple[str, str, str]]:
    ends_loops = haproxy_version() >= (2, 8)
    return [
        (action, function, fault)
        for action, broken in ACTIONS.items()
        for function, faults in broken.of.items()
        for fault in faults
        if fault != "never_ends" or ends_loops
    ]


@pytest.fixture
def broken(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy], tmp_path: Path
) -> Callable[..., Haproxy]:
    def one(action: str, functions: str, fault: str) -> Haproxy:
        share = broken_share(tmp_path, functions, fault)
        rules = "\n".join([*ACTIONS[action].rules, unless("signed")])
        return launch(bare(configuration(), rules=rules, share=share, nbthread=1))

    tmp_path.chmod(0o755)
    return one


@pytest.mark.parametrize("action", ACTIONS)
def test_the_same_request_passes_when_nothing_is_broken(
    broken: Callable[..., Haproxy], standin: Standin, action: str
) -> None:
    functions = ACTIONS[action].of
    haproxy = broken(action, " ".join(functions), "none")

    assert post(haproxy, standin.token()).status == 200

    assert {name for name in functions if reached(name, "none") in haproxy.stderr} == set(functions)
    [seen] = standin.requests(of="google")
    assert seen["bearer"]["valid"]


@pytest.mark.parametrize(("action", "function", "fault"), cases())
def test_a_broken_action_is_a_refusal(
    broken: Callable[..., Haproxy], standin: Standin, action: str, function: str, fault: str
) -> None:
    haproxy = broken(action, function, fault)
    worker = haproxy.worker

    response = post(haproxy, standin.token())

    assert reached(function, fault) in haproxy.stderr
    assert response.status == GATE
    assert "signed" not in shown(response)
    assert standin.requests(of="google") == []
    assert haproxy.worker == worker


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (function, fault)
        for functions in SAYS.values()
        for function, faults in functions.items()
        for fault in faults
    ],
)
def test_an_allow_that_cannot_be_carried_out_is_a_refusal_whatever_it_says(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    tmp_path: Path,
    function: str,
    fault: str,
) -> None:
    tmp_path.chmod(0o755)
    share = broken_share(tmp_path, f"bearer {function}", fault)
    haproxy = launch(configuration(share=share, nbthread=1))

    assert post(haproxy, standin.token()).status == 503

    assert reached(function, fault) in haproxy.stderr
    assert standin.requests(of="google") == []
    assert logs.wait_for(1)[0]["decision"] == "deny"
