"""Refusals that overtake the bodies of their requests, over TLS and HTTP/2 and 1.1: clients read
each of them. HAProxy before 3.0 loses them over HTTP/2 unless they wait for the bodies."""

import json
import re
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from support.clients.posts import OVER_HTTP_1, OVER_HTTP_2, Client, Post
from support.expect.eventually import eventually
from support.expect.refusal import assert_refused
from support.expect.shown import has_no_keys, requests_so_far
from support.expect.twins import CASES
from support.log.server import LogServer
from support.wire.calls import BODY, GENERATE, OTHER_MODEL, headers
from support.wire.http1 import Connection
from support.wire.http2 import H2
from support.world.bare import ANSWERS, STEPS, VERIFY
from support.world.configuration import Configuration, unread, vertex_json
from support.world.haproxy import Haproxy
from support.world.place import CONFIGURATION, haproxy_version
from support.world.standin import Standin

TRIES = 30
CLIENTS = [
    pytest.param(client, id=f"{name}-{version}")
    for version, clients in (("2", OVER_HTTP_2), ("1.1", OVER_HTTP_1))
    for name, client in clients.items()
]


def of_size(size: int, more: bytes = b"") -> bytes:
    return b'{"contents":[]' + more + b" " * (size - 15) + b"}"


TOOL = b',"tools":[{"googleSearch":{}}]'


@pytest.mark.parametrize("size", [15, 20_000])
@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_reads_every_refusal(
    gateway: Callable[..., Haproxy],
    logs: LogServer,
    certificate: Path,
    token: str,
    client: Client,
    size: int,
) -> None:
    haproxy = gateway(tls_certificate=certificate)
    url = f"https://localhost:{haproxy.tls_port}{GENERATE}"

    refused = client(Post(url, certificate, headers(None), of_size(size)), TRIES)
    passed = client(Post(url, certificate, headers(token), of_size(size)), 3)

    assert Counter(status for status, _ in refused) == {401: TRIES}, refused
    reasons = {json.loads(text)["error"]["details"][0]["reason"] for _, text in refused}
    assert reasons == {"token_missing"}
    assert [status for status, _ in passed] == [200] * 3, passed
    lines = logs.wait_for(TRIES + 3)
    assert Counter(line["reason"] for line in lines) == {"token_missing": TRIES, "ok": 3}


# docs/operations.md says who else loses how many of them.
READ_LARGE_ONES = {f"{name}, HTTP/1.1": client for name, client in OVER_HTTP_1.items()}
READ_LARGE_ONES["Node, HTTP/2"] = OVER_HTTP_2["Node"]
if haproxy_version() >= (3, 0):
    READ_LARGE_ONES["curl, HTTP/2"] = OVER_HTTP_2["curl"]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("client", READ_LARGE_ONES)
def test_nearly_every_refusal_of_a_large_upload_is_read(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    certificate: Path,
    token: str,
    client: str,
    status: int,
) -> None:
    haproxy = gateway(tls_certificate=certificate)
    url = f"https://localhost:{haproxy.tls_port}{GENERATE}"
    bearer, tool = (token, TOOL) if status == 403 else (None, b"")
    send = READ_LARGE_ONES[client]

    refused = send(Post(url, certificate, headers(bearer), of_size(200_000, tool)), TRIES)

    assert [said for said, _ in refused].count(status) >= TRIES * 0.9, refused
    assert standin.requests(of="google") == []


@pytest.mark.parametrize("size", [20_000, 29_000, 200_000])
def test_a_body_that_is_announced_is_asked_for_unless_its_head_is_refused(
    gateway: Callable[..., Haproxy], token: str, size: int
) -> None:
    announced = {"Content-Length": str(size), "Expect": "100-continue"}
    haproxy = gateway()
    # Before that the body is asked for, so that nobody waits for the other.
    eventually(lambda: not has_no_keys(haproxy), "the keys are there")
    with Connection(haproxy.port) as connection:
        connection.send_request("POST", OTHER_MODEL, headers(token) | announced)
        assert_refused(connection.read(), "role_none")
    with Connection(haproxy.port) as connection:
        connection.send_request("POST", GENERATE, headers(token) | announced)
        time.sleep(0.2)
        connection.send(of_size(size))
        assert connection.read().status == 200


@pytest.mark.parametrize("size", [20_000, 29_000, 200_000])
def test_a_body_is_taken_once_the_keys_are_there(
    gateway: Callable[..., Haproxy], standin: Standin, token: str, size: int
) -> None:
    standin.idp("status")
    haproxy = gateway()
    with Connection(haproxy.port) as connection:
        announced = {"Content-Length": str(size), "Expect": "100-continue"}
        connection.send_request("POST", GENERATE, headers(token) | announced)
        eventually(lambda: requests_so_far(haproxy) == 1, "the request has come")
        assert has_no_keys(haproxy)
        standin.idp()
        connection.send(of_size(size))
        assert connection.read().status == 200


# As docs/reference.md says it.
OF_ONE_S_OWN = """
    .if version_before(3.0)
    http-request lua.vertex-await-upload if { req.ver 2.0 } !{ internal.htx.has_eom } { var(txn.vertex.status) -m found }
    .endif
"""


def test_rules_of_one_s_own_can_wait_alike(
    actions: Callable[..., Haproxy], certificate: Path, token: str
) -> None:
    haproxy = actions(VERIFY, OF_ONE_S_OWN, ANSWERS, STEPS, tls_certificate=certificate)
    url = f"https://localhost:{haproxy.tls_port}{GENERATE}"
    curl = OVER_HTTP_2["curl"]

    refused = curl(Post(url, certificate, headers(None), of_size(20_000)), TRIES)
    passed = curl(Post(url, certificate, headers(token), of_size(20_000)), 1)

    assert [status for status, _ in refused + passed] == [401] * TRIES + [200]


@pytest.mark.parametrize(
    "use_backend", ["use_backend vertex_us-central1 if { path /x }", "use_backend vertex_global"]
)
def test_what_backends_refuse_is_read_as_well(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    certificate: Path,
    token: str,
    use_backend: str,
) -> None:
    """Led astray: to no backend of ours, and to one of another location."""
    vertex = unread(vertex_json(standin.service_account))
    led = {"vertex": vertex, "tls_certificate": certificate, "use_backend": use_backend}
    haproxy = gateway(**led)
    url = f"https://localhost:{haproxy.tls_port}{GENERATE}"
    curl = OVER_HTTP_2["curl"]

    refused = curl(Post(url, certificate, headers(token), of_size(20_000)), TRIES)

    assert [status for status, _ in refused] == [503] * TRIES, refused
    assert standin.requests(of="google") == []


@pytest.mark.parametrize("what", ["no token", "another model", "another path"])
def test_who_never_ends_a_request_is_refused_in_two_seconds_for_what_it_is(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, what: str
) -> None:
    case = CASES[what]
    refused, twin = case.refused(standin), case.twin(standin)
    with H2(gateway(nbthread=1).port) as h2:
        began = time.monotonic()
        stream = h2.send(refused.method, refused.target, refused.pairs, b"{", end=False)
        answer = h2.wait(stream)
        took = time.monotonic() - began
        assert_refused(answer, case.reason)
        assert h2.request(twin.method, twin.target, twin.pairs, twin.body).status == 200

    assert took < 3
    assert took < 1 or haproxy_version() < (3, 0)
    line, _ = logs.in_order(2)
    assert (line["reason"], line.status) == (case.reason, answer.status)


def test_who_drips_a_body_is_refused_in_two_seconds_and_the_twin_is_let_finish(
    gateway: Callable[..., Haproxy], token: str
) -> None:
    length = {"content-length": str(len(BODY))}
    with H2(gateway().port) as h2:
        began = time.monotonic()
        streams = [
            h2.send("POST", GENERATE, headers(bearer) | length, BODY[:1], end=False)
            for bearer in (None, token)
        ]
        for at in range(1, 10):
            time.sleep(0.25)
            for stream in streams:
                h2.send_more(stream, BODY[at : at + 1], end=False)
        refused = h2.wait(streams[0])
        took = time.monotonic() - began
        h2.send_more(streams[1], BODY[10:], end=True)

        assert_refused(refused, "token_missing")
        assert took < 3
        assert h2.wait(streams[1]).status == 200


def test_many_who_never_end_their_requests_are_refused_at_the_same_time(
    gateway: Callable[..., Haproxy], token: str
) -> None:
    with H2(gateway().port) as h2:
        began = time.monotonic()
        streams = [h2.send("POST", GENERATE, headers(None), b"{", end=False) for _ in range(80)]
        assert h2.request("POST", GENERATE, headers(token), BODY).status == 200
        assert {h2.wait(stream).status for stream in streams} == {401}
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("body", [None, BODY, of_size(20_000)])
def test_nothing_is_waited_for_where_nothing_is_to_come(
    gateway: Callable[..., Haproxy], token: str, body: bytes | None
) -> None:
    method = "GET" if body is None else "POST"
    with H2(gateway().port) as h2:
        began = time.monotonic()
        for _ in range(10):
            assert_refused(h2.request(method, GENERATE, headers(None), body), "token_missing")
        assert time.monotonic() - began < 1
        assert h2.request("POST", GENERATE, headers(token), BODY).status == 200


def test_production_offers_http_2_where_it_can_refuse_large_uploads(
    gateway: Callable[..., Haproxy], certificate: Path
) -> None:
    shipped = CONFIGURATION.with_name("production.cfg").read_text()
    [frontend] = re.findall(r"^frontend ai from vertex\n(.*?)^\n", shipped, re.M | re.S)
    made = Configuration()
    for text, ours in (
        (":443", f"127.0.0.1:{made.tls_port}"),
        ("/etc/haproxy/certs/", str(certificate)),
    ):
        assert text in frontend
        frontend = frontend.replace(text, ours)
    gateway(frontend_lines=frontend, port=made.port)

    trust = ssl.create_default_context(cafile=certificate)
    trust.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", made.tls_port)) as connection:
        with trust.wrap_socket(connection, server_hostname="localhost") as tls:
            spoken = tls.selected_alpn_protocol()
    assert spoken == ("http/1.1" if haproxy_version() < (3, 0) else "h2")
