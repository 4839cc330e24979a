"""What follows a token that Google refuses, and the command that reads a file anew, broken: the
refusal stays one, nothing is promised, and no other request is harmed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.wire.calls import outcome, post
from support.world.configuration import Configuration, vertex_json
from support.world.faults import broken_share, reached
from support.world.haproxy import Haproxy
from support.world.place import haproxy_version
from support.world.standin import Standin

FAULTS = (
    "raises", "raises_a_table", "panics", "never_ends", "returns_nothing", "returns_false",
    "returns_a_table", "returns_an_empty_text",
)  # fmt: skip

# Callback: native function: faults.
CREDENTIALS: dict[str, dict[str, tuple[str, ...]]] = {
    "converters vertex_credential_refused": {"credential_refused": FAULTS},
    "cli vertex reload": {"reload": FAULTS},
}


def faults() -> list[str]:
    """Only from 2.8 on does HAProxy end a loop that never yields."""
    ends_loops = haproxy_version() >= (2, 8)
    return [fault for fault in FAULTS if fault != "never_ends" or ends_loops]


@pytest.fixture
def broken(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
) -> Callable[..., Haproxy]:
    tmp_path.chmod(0o755)

    def one(function: str, fault: str) -> Haproxy:
        share = broken_share(tmp_path, function, fault)
        vertex = vertex_json(standin.service_account) | {"admin_commands": True}
        return launch(configuration(share=share, nbthread=1, vertex=vertex))

    return one


@pytest.mark.parametrize("fault", faults())
def test_googles_refusal_is_told_and_nothing_is_promised(
    broken: Callable[..., Haproxy], standin: Standin, fault: str
) -> None:
    haproxy = broken("credential_refused", fault)
    worker = haproxy.worker
    standin.google(status=401)

    refused = post(haproxy, standin.token())

    assert outcome(refused) == (503, "google_credential_refused")
    assert reached("credential_refused", fault) in haproxy.stderr
    assert refused.header("x-should-retry") == "false"
    assert refused.header("retry-after") in (None, "0")
    standin.google()
    assert post(haproxy, standin.token()).status == 200
    assert haproxy.worker == worker


def test_the_same_refusal_with_nothing_broken_promises_a_fresh_token(
    broken: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = broken("credential_refused", "none")
    standin.google(status=401)

    refused = post(haproxy, standin.token())

    assert outcome(refused) == (503, "google_credential_refused")
    assert (refused.header("retry-after"), refused.header("x-should-retry")) == ("1", None)


@pytest.mark.parametrize("fault", faults())
def test_a_broken_command_harms_no_request(
    broken: Callable[..., Haproxy], standin: Standin, fault: str
) -> None:
    haproxy = broken("reload", fault)
    worker = haproxy.worker

    said = haproxy.ask("vertex reload credential ml-prod")

    assert reached("reload", fault) in haproxy.stderr
    assert "is read now" not in said
    assert post(haproxy, standin.token()).status == 200
    assert post(haproxy, standin.token(sign_with="other")).status == 401
    assert haproxy.worker == worker


def test_the_same_command_with_nothing_broken_reads_the_file(
    broken: Callable[..., Haproxy],
) -> None:
    said = broken("reload", "none").ask("vertex reload credential ml-prod")
    assert said.startswith("credential ml-prod: its file is read now")
