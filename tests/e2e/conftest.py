"""Fixtures: the stand-in, a log server, and as many HAProxies as a test wants."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support.clients.callers import OTHER_SETTINGS, every_dialect  # noqa: E402
from support.expect.metrics import Pages  # noqa: E402
from support.log.server import LogServer  # noqa: E402
from support.wire.calls import CLAIMS  # noqa: E402
from support.wire.rawgoogle import RawGoogle  # noqa: E402
from support.world.bare import STEPS, bare  # noqa: E402
from support.world.certificate import self_signed  # noqa: E402
from support.world.configuration import Configuration  # noqa: E402
from support.world.gateway import in_front_of  # noqa: E402
from support.world.haproxy import Haproxy  # noqa: E402
from support.world.place import haproxy_binary, haproxy_version  # noqa: E402
from support.world.standin import Standin  # noqa: E402


def pytest_report_header() -> str:
    major, minor = haproxy_version()
    return f"HAProxy {major}.{minor} ({haproxy_binary()})"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() != 0:
        for item in items:
            if item.get_closest_marker("needs_root"):
                item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows what every HAProxy of the test wrote."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.has_failed = True
        for haproxy in getattr(item, "haproxies", []):
            report.sections.append((f"HAProxy in {haproxy.folder}", haproxy.stderr[-20000:]))


@pytest.fixture(scope="session")
def standin_process() -> Iterator[Standin]:
    process = Standin()
    yield process
    process.stop()


@pytest.fixture
def standin(standin_process: Standin) -> Standin:
    """The session's stand-in with normal behaviour. Keys that another test has
    rotated stay so: each HAProxy fetches them anew."""
    standin_process.reset()
    return standin_process


@pytest.fixture
def own_standin() -> Iterator[Standin]:
    """A stand-in that no other test has touched."""
    process = Standin()
    yield process
    process.stop()


@pytest.fixture
def logs() -> Iterator[LogServer]:
    server = LogServer()
    yield server
    server.stop()


@pytest.fixture
def pages() -> Pages:
    """Where a gateway with `sections=pages.section` has its pages."""
    return Pages()


@pytest.fixture
def raw() -> Iterator[RawGoogle]:
    server = RawGoogle()
    yield server
    server.stop()


@pytest.fixture
def launch(request: pytest.FixtureRequest) -> Iterator[Callable[..., Haproxy]]:
    """`launch(configuration)` starts an HAProxy; `start=False` only prepares one."""
    running: list[Haproxy] = []
    request.node.haproxies = running

    def one(configuration: Configuration, start: bool = True) -> Haproxy:
        haproxy = Haproxy(configuration)
        running.append(haproxy)
        return haproxy.start() if start else haproxy

    yield one
    for haproxy in running:
        haproxy.stop()
    if not getattr(request.node, "has_failed", False):  # else its folder stays, to look at
        for haproxy in running:
            haproxy.remove()


@pytest.fixture
def configuration(standin: Standin, logs: LogServer) -> Callable[..., Configuration]:
    """`configuration(**what_differs)`: a gateway in front of the stand-in."""
    return lambda **different: in_front_of(standin, logs, **different)


@pytest.fixture
def gateway(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> Callable[..., Haproxy]:
    """`gateway(**what_differs)`: the same, started."""
    return lambda **different: launch(configuration(**different))


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Client libraries know nothing of whoever runs the tests."""
    for name in OTHER_SETTINGS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def everything(gateway: Callable[..., Haproxy], standin: Standin) -> Haproxy:
    """A gateway with a role for every dialect."""
    return gateway(vertex=every_dialect(standin.service_account))


@pytest.fixture
def actions(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> Callable[..., Haproxy]:
    """`actions(*rules, **what_differs)`: without the packaged rule set, with these instead."""
    return lambda *rules, **different: launch(
        bare(configuration(), rules="\n".join(rules) or STEPS, **different)
    )


@pytest.fixture
def token(standin: Standin) -> str:
    """Of somebody who has the role of `vertex_json`."""
    return standin.token(dict(CLAIMS))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """For `tls_certificate`; a client verifies against the same file."""
    return self_signed(tmp_path, "gateway.example", "localhost")
