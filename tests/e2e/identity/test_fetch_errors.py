"""Why an issuer's keys were not fetched is told in words that say what to look at."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from support.expect.eventually import eventually
from support.log.server import LogServer
from support.wire.calls import outcome, post
from support.wire.listener import Mischief
from support.world.configuration import Configuration, section
from support.world.haproxy import Haproxy
from support.world.issuers import fetch_backend
from support.world.ruleset import Extended
from support.world.standin import Standin

BACKEND = "backend vertex_fetch_idp.example"
SERVER = f"server idp of {BACKEND}"
VERIFY = "error:0A000086:SSL routines::certificate verify failed"
OTHER_NAME = "Server presented an SSL certificate different from the expected one"
NO_ANSWER = "sent something else than an HTTP answer, or nothing"
OK = b"HTTP/1.1 200 OK\r\n"


def last_error(haproxy: Haproxy) -> str | None:
    [issuer] = json.loads(haproxy.ask("vertex show issuers json"))["issuers"]
    return issuer["last_error"]


def leading_to(server: str, *more: str) -> str:
    return section(f"{BACKEND} from vertex-fetch", [server, *more])


@pytest.fixture
def mischief() -> Iterator[Callable[..., Mischief]]:
    with ExitStack() as stack:

        def start(answer: bytes = b"", waits: bool = False) -> Mischief:
            server = Mischief(answer, waits)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def told(gateway: Callable[..., Haproxy], logs: LogServer) -> Callable[..., str]:
    """What the log line and `vertex show issuers` say, which is the same."""

    def ask(fetching: str | None, **different: object) -> str:
        if fetching is not None:
            different = {"fetch_hosts": (), "sections": fetching, **different}
        haproxy = gateway(log_port=logs.port, **different)
        said = eventually(lambda: last_error(haproxy), "a fetch has failed", within=15)
        told = f"keys not fetched: {said}; it has none"
        logs.wait_until(lambda lines: any(told in line for line in lines), told)
        return said

    return ask


def test_the_twin_of_all_of_these_has_keys_and_no_error(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = gateway(fetch_hosts=(), sections=fetch_backend(standin))

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    assert last_error(haproxy) is None


@pytest.mark.needs_root
def test_a_socket_that_is_not_there(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
) -> None:
    """Another path would not load, so the socket goes while HAProxy runs."""
    standin.idp("status")
    each_fetch_connects = {"vertex-internal": "option httpclose"}
    haproxy = launch(Extended(**vars(configuration()), added=each_fetch_connects))
    eventually(lambda: last_error(haproxy), "a fetch has failed")
    (haproxy.folder / "chroot" / "vertex-fetch.sock").unlink()

    def said() -> bool:
        return last_error(haproxy) == (
            "nobody answers at unix@/vertex-fetch.sock: VERTEX_FETCH_DST must lead HAProxy's worker,"
            " inside its chroot, to the socket that VERTEX_FETCH_BIND names"
        )

    eventually(said, "the next fetch says so", within=15)


@pytest.mark.needs_root
def test_a_host_without_backend_is_told_on_the_socket(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    """No configuration that loads asks for one."""
    haproxy = gateway(fetch_hosts=(), sections=fetch_backend(standin))

    def headers_for(host: str) -> str:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(haproxy.folder / "chroot" / "vertex-fetch.sock"))
            client.sendall(f"GET /corp/jwks HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
            return client.recv(65536).decode().partition("\r\n\r\n")[0]

    assert "x-vertex-fetch-error: no-backend" in headers_for("else.example").splitlines()
    found = headers_for("idp.example")
    assert "x-vertex-fetched: yes" in found.splitlines()
    assert "x-vertex-fetch-error" not in found


def test_a_name_that_does_not_resolve(told: Callable[..., str], standin: Standin) -> None:
    resolvers = section("resolvers nobody", ["nameserver none 127.0.0.1:9", "timeout retry 100ms"])
    server = f"server idp idp.invalid:443 ssl verify required ca-file {standin.ca} sni str(idp.example)"

    said = told(resolvers + leading_to(f"{server} resolvers nobody init-addr none"))

    assert said == f"{BACKEND}: the name of its server does not resolve"


def test_a_server_that_is_out_of_service(told: Callable[..., str], standin: Standin) -> None:
    server = f"server idp 127.0.0.1:{standin.ports['idp_https']} ssl verify required"

    said = told(leading_to(f"{server} ca-file {standin.ca} disabled"))

    assert said == f"{BACKEND} has no server that is up: idp is MAINT"


def test_a_refused_connection(told: Callable[..., str]) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]

        said = told(leading_to(f"server idp 127.0.0.1:{port}"))

    assert said == f"{SERVER} refused the connection"


def test_a_certificate_of_another_authority(
    told: Callable[..., str], standin: Standin, certificate: Path
) -> None:
    said = told(fetch_backend(standin, ca=certificate))

    assert said == f"{SERVER}: SSL handshake failure: {VERIFY}"


def test_a_certificate_for_another_name(told: Callable[..., str], standin: Standin) -> None:
    said = told(fetch_backend(standin, sni="else.example"))

    assert said == f"{SERVER}: {OTHER_NAME}: {VERIFY}"


def test_a_server_that_speaks_no_tls(
    told: Callable[..., str], standin: Standin, mischief: Callable[..., Mischief]
) -> None:
    server = f"server idp 127.0.0.1:{mischief(b'HTTP/1.1 400 Bad Request').port}"

    said = told(leading_to(f"{server} ssl verify required ca-file {standin.ca}"))

    # Some OpenSSL says more.
    assert said.startswith(f"{SERVER}: SSL handshake failure")
    assert said.removeprefix(f"{SERVER}: SSL handshake failure") in (
        "",
        ": error:0A00010B:SSL routines::wrong version number",
        ": error:0A0000C6:SSL routines::packet length too long",
    )


def test_a_connection_that_is_not_made_in_time(
    told: Callable[..., str], standin: Standin, mischief: Callable[..., Mischief]
) -> None:
    server = f"server idp 127.0.0.1:{mischief(waits=True).port}"

    said = told(leading_to(f"{server} ssl verify required ca-file {standin.ca}"))

    assert re.fullmatch(rf"no connection to {re.escape(SERVER)} within 3\.\d s", said)


def test_an_answer_that_does_not_begin_in_time(
    told: Callable[..., str], mischief: Callable[..., Mischief]
) -> None:
    said = told(leading_to(f"server idp 127.0.0.1:{mischief(waits=True).port}"))

    assert re.fullmatch(rf"{re.escape(SERVER)} sent no answer within 5\.\d s", said)


BROKEN: dict[str, tuple[bytes, bool, str]] = {
    "not HTTP": (b"hello\r\n\r\n", False, f"{SERVER} {NO_ANSWER}"),
    "nothing": (b"", False, f"{SERVER} {NO_ANSWER}"),
    "cut": (
        OK + b"content-length: 2000\r\n\r\n" + b"x" * 5,
        False,
        "the answer broke off after 5 of 2000 bytes or more",
    ),
    "cut in chunks": (
        OK + b"transfer-encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 5,
        False,
        "the answer broke off after 5 of 1000 bytes or more",
    ),
    "stalled": (
        OK + b"content-length: 2000\r\n\r\n" + b"x" * 5,
        True,
        "the answer began, and did not end in time",
    ),
    "too large": (
        OK + b"content-length: 300000\r\n\r\n" + b"x" * 300_000,
        False,
        "a document of 300000 bytes or more; VERTEX_FETCH_MAX allows 5000",
    ),
    "an error that pretends": (
        b"HTTP/1.1 503 No\r\nx-vertex-fetch-error: no-backend\r\ncontent-length: 0\r\n\r\n",
        False,
        "status 503 instead of 200",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_answer_that_is_none(
    told: Callable[..., str], mischief: Callable[..., Mischief], what: str
) -> None:
    answer, waits, wanted = BROKEN[what]
    server = f"server idp 127.0.0.1:{mischief(answer, waits).port}"

    said = told(leading_to(server), environment={"VERTEX_FETCH_MAX": "5000"})

    assert said == wanted
