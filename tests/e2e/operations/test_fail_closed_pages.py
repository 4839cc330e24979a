"""The pages for machines with what they call broken: an error, never a good answer, and no request
is harmed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.expect.eventually import eventually
from support.expect.metrics import Pages
from support.wire.calls import post
from support.world.configuration import Configuration
from support.world.faults import broken_share, reached
from support.world.haproxy import Haproxy
from support.world.place import haproxy_version
from support.world.standin import Standin

FAULTS = (
    "raises", "raises_a_table", "panics", "never_ends", "returns_nothing", "returns_false",
    "returns_a_table", "returns_an_empty_text",
)  # fmt: skip

# Callback: native function: faults. Nothing but `true` is ready.
PAGES: dict[str, dict[str, tuple[str, ...]]] = {
    "service vertex-metrics": {"metrics": FAULTS},
    "service vertex-ready": {"ready": (*FAULTS, "returns_a_text", "returns_a_number")},
}


def cases() -> list[tuple[str, str]]:
    """Only from 2.8 on does HAProxy end a loop that never yields."""
    found = [
        (function, fault)
        for functions in PAGES.values()
        for function, faults in functions.items()
        for fault in faults
    ]
    ends_loops = haproxy_version() >= (2, 8)
    return [case for case in found if case[1] != "never_ends" or ends_loops]


@pytest.fixture
def broken(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    pages: Pages,
    tmp_path: Path,
) -> Callable[..., Haproxy]:
    tmp_path.chmod(0o755)

    def one(function: str, fault: str) -> Haproxy:
        share = broken_share(tmp_path, function, fault)
        return launch(configuration(share=share, nbthread=1, sections=pages.section))

    return one


def test_nothing_broken_is_two_good_pages(
    broken: Callable[..., Haproxy], pages: Pages
) -> None:
    haproxy = broken("metrics ready", "none")

    for function in ("metrics", "ready"):
        eventually(lambda: pages.get(f"/{function}").status == 200, f"{function} is good")
        assert reached(function, "none") in haproxy.stderr


@pytest.mark.parametrize(("function", "fault"), cases())
def test_a_broken_page_is_an_error_and_harms_no_request(
    broken: Callable[..., Haproxy], standin: Standin, pages: Pages, function: str, fault: str
) -> None:
    haproxy = broken(function, fault)
    worker = haproxy.worker

    # HAProxy counts a loop's time in CPU time, of which a busy machine has little.
    page = pages.get(f"/{function}", timeout=60)

    assert reached(function, fault) in haproxy.stderr
    assert page.status in (500, 502, 503)
    assert post(haproxy, standin.token()).status == 200
    assert post(haproxy, standin.token(sign_with="other")).status == 401
    assert len(standin.requests(of="google")) == 1
    assert haproxy.worker == worker
