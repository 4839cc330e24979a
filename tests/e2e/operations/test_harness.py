"""The harness against a plain configuration and a toy origin: no module, no stand-in."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from support.expect.eventually import eventually
from support.load.steady import Request, SteadyLoad
from support.log.line import AccessLine
from support.log.server import LogServer
from support.wire.http1 import Closed, Connection, once
from support.wire.toy import ToyOrigin
from support.world.configuration import Written, section
from support.world.haproxy import Haproxy, NotStarted, ReloadFailed

LOG_FORMAT = (
    'log-format "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc'
    ' %ac/%fc/%bc/%sc/%rc %sq/%bq vertex{decision=allow reason=- principal=corp/a%%20%%25%%7Db}'
    ' \\"%HM %HPO\\""'
)


@dataclass
class Plain(Written):
    origin_port: int = 0
    defaults_lines: str = ""

    def text(self, folder: Path) -> str:
        defaults = [
            "mode http",
            "log global",
            "option http-no-delay",
            "timeout connect 2s",
            "timeout client 10s",
            "timeout server 10s",
            LOG_FORMAT,
        ]
        return "\n".join(
            [
                self._global(folder),
                section("defaults", defaults, self.defaults_lines),
                section("frontend ai", self._binds(), self.frontend_lines, "default_backend origin"),
                section("backend origin", [f"server toy 127.0.0.1:{self.origin_port}"]),
            ]
        )


@pytest.fixture
def origin() -> Iterator[ToyOrigin]:
    toy = ToyOrigin()
    yield toy
    toy.stop()


@pytest.fixture
def plain(
    origin: ToyOrigin, logs: LogServer, launch: Callable[..., Haproxy]
) -> Callable[..., Haproxy]:
    def one(start: bool = True, **different: object) -> Haproxy:
        made = Plain(origin_port=origin.port, log_port=logs.port, **different)
        return launch(made, start=start)

    return one


def test_an_answer_and_its_log_line(plain: Callable[..., Haproxy], logs: LogServer) -> None:
    haproxy = plain()

    response = once(haproxy.port, "GET", "/a?b=c", {"X-Byte": "\xe9"})

    assert response.status == 200
    assert b"x-byte: \xe9" in response.body
    [line] = logs.wait_for(1)
    assert line.fields == {"decision": "allow", "reason": "-", "principal": "corp/a %}b"}
    assert (line.status, line.http["backend"], line.http["server"]) == (200, "origin", "toy")
    assert line.http["termination"] == "----"
    assert line.request_line == "GET /a"


def test_h2_over_tls(plain: Callable[..., Haproxy], certificate: Path) -> None:
    haproxy = plain(tls_certificate=certificate)

    trust = ssl.create_default_context(cafile=certificate)
    with httpx.Client(http2=True, verify=trust, trust_env=False) as client:
        response = client.get(f"https://127.0.0.1:{haproxy.tls_port}/h2")

    assert (response.status_code, response.http_version) == (200, "HTTP/2")


def test_a_stream_arrives_chunk_by_chunk(plain: Callable[..., Haproxy], origin: ToyOrigin) -> None:
    with Connection(plain().port) as connection:
        connection.send_request("GET", "/stream")
        response = connection.read_head()
        parts = connection.parts(response)

        assert next(parts).data == b"first"
        released = time.monotonic()
        origin.release()
        second = next(parts)

        assert second.data == b"second"
        assert second.at >= released
        assert list(parts) == []


@pytest.mark.parametrize("way", ["close", "reset"])
def test_hang_up(
    plain: Callable[..., Haproxy], origin: ToyOrigin, logs: LogServer, way: str
) -> None:
    # In `defaults`: on 2.6 the frontend must have it too, or it does not see the end.
    haproxy = plain(defaults_lines="option abortonclose")
    connection = Connection(haproxy.port)
    connection.send_request("GET", "/hold")
    assert origin.arrived.wait(5)

    getattr(connection, way)()

    assert origin.aborted.wait(5), "the origin's connection goes with the client's"
    [line] = logs.wait_for(1)
    assert line.http["termination"].startswith("C")


def test_half_close_still_reads_the_answer(
    plain: Callable[..., Haproxy], origin: ToyOrigin
) -> None:
    # A half-closed client without abortonclose (the default since 3.3) is still served.
    haproxy = plain(defaults_lines="no option abortonclose")
    with Connection(haproxy.port) as connection:
        connection.send_request("GET", "/hold", {"Connection": "close"})
        assert origin.arrived.wait(5)
        connection.shut_write()
        origin.release()

        assert connection.read().status == 200
        assert connection.is_closed_by_peer()


def test_raw_bytes_and_an_answer_cut_short(plain: Callable[..., Haproxy]) -> None:
    with Connection(plain().port) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n")
        assert connection.read().status == 400
        with pytest.raises(Closed):
            connection.read()


def test_reload_under_load(plain: Callable[..., Haproxy], logs: LogServer) -> None:
    haproxy = plain()
    first = haproxy.worker

    with SteadyLoad(haproxy.port, Request("GET", "/load"), clients=4) as load:
        load.wait_for(200)
        haproxy.configuration.frontend_lines = "http-response set-header x-generation 2"
        haproxy.reload()
        assert haproxy.worker != first
        fresh = once(haproxy.port, "GET", "/after")
        load.wait_for(200)

    assert fresh.header("x-generation") == "2"
    assert set(load.outcome.statuses) == {200}
    assert load.outcome.hard_failures == []
    haproxy.wait_for_old_workers()
    assert haproxy.processes().workers == (haproxy.worker,)


def test_a_bad_reload_keeps_the_worker(plain: Callable[..., Haproxy]) -> None:
    haproxy = plain()
    worker = haproxy.worker
    haproxy.configuration.frontend_lines = "no-such-keyword"

    with pytest.raises(ReloadFailed, match="no-such-keyword"):
        haproxy.reload()

    assert haproxy.worker == worker
    assert once(haproxy.port, "GET", "/").status == 200

    haproxy.configuration.frontend_lines = ""
    haproxy.reload()
    assert haproxy.worker != worker


def test_an_old_worker_ends_its_requests(
    plain: Callable[..., Haproxy], origin: ToyOrigin
) -> None:
    haproxy = plain()
    with Connection(haproxy.port) as connection:
        connection.send_request("GET", "/stream")
        parts = connection.parts(connection.read_head())
        assert next(parts).data == b"first"

        haproxy.reload()
        assert len(haproxy.processes().old_workers) == 1
        origin.release()

        assert next(parts).data == b"second"
    haproxy.wait_for_old_workers()


def test_check(plain: Callable[..., Haproxy]) -> None:
    good = plain(start=False).check()
    bad = plain(start=False, frontend_lines="no-such-keyword").check()

    assert good.status == 0, good.output
    assert "ALERT" not in good.output
    assert bad.status == 1
    assert "no-such-keyword" in bad.output


def test_a_start_that_fails_says_why(plain: Callable[..., Haproxy]) -> None:
    with pytest.raises(NotStarted, match="no-such-keyword"):
        plain(frontend_lines="no-such-keyword")


@pytest.mark.needs_root
def test_the_worker_is_confined(plain: Callable[..., Haproxy]) -> None:
    haproxy = plain()

    status = Path(f"/proc/{haproxy.worker}/status").read_text()
    root = Path(f"/proc/{haproxy.worker}/root").readlink()

    assert "Uid:\t0" not in status
    assert root == haproxy.folder / "chroot"


def test_the_load_counts_connection_errors(plain: Callable[..., Haproxy]) -> None:
    haproxy = plain()
    haproxy.stop()

    outcome = SteadyLoad(haproxy.port, Request("GET", "/"), clients=2, count=3).__enter__().join()

    assert outcome.statuses == {}
    assert len(outcome.hard_failures) == 6


def test_the_log_server_keeps_every_line_of_a_burst(
    plain: Callable[..., Haproxy], logs: LogServer
) -> None:
    haproxy = plain()

    outcome = SteadyLoad(haproxy.port, Request("GET", "/x"), clients=4, count=250).__enter__().join()

    assert outcome.statuses == {200: 1000}
    assert len(logs.wait_for(1000)) == 1000


def test_audit_line_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="no complete"):
        AccessLine("… vertex{decision=allow princ").fields


def test_eventually_gives_up() -> None:
    never = threading.Event()
    with pytest.raises(TimeoutError, match="a sign"):
        eventually(never.is_set, "a sign", within=0.1)
