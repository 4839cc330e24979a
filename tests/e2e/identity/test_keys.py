"""Where an issuer's keys come from, and what happens when they do not come or change."""

import json
import pwd
import stat
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.expect.eventually import eventually
from support.load.steady import Request, SteadyLoad
from support.wire.calls import BODY, GENERATE, headers, outcome, outcomes, post
from support.wire.tokens import with_kid
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.issuers import MISBEHAVING, asked_for, fetch_backend, misbehave, trusting
from support.world.standin import Standin

MADE_UP = {"kid": "made-up"}


def fetches(standin: Standin) -> int:
    return standin.counters()["idp_jwks"]


@pytest.fixture
def warm(gateway: Callable[..., Haproxy], standin: Standin) -> Haproxy:
    """A gateway that has its first keys, and has made use of none of its fetches on demand."""
    haproxy = gateway()
    assert post(haproxy, standin.token()).status == 200
    return haproxy


def test_without_keys_a_request_waits_and_is_refused_until_the_provider_is_back(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    standin.down("idp")
    haproxy = gateway()
    token = standin.token()

    begun = time.monotonic()
    response = post(haproxy, token)
    waited = time.monotonic() - begun

    assert outcome(response) == (503, "keys_unavailable")
    assert 4 < waited < 8
    assert int(response.header("retry-after") or 0) > 0
    assert response.header("content-type") == "application/json"
    error = json.loads(response.text)["error"]
    assert (error["code"], error["status"]) == (503, "UNAVAILABLE")
    assert standin.requests(of="google") == []
    standin.down("idp", False)
    eventually(lambda: post(haproxy, token).status == 200, "requests pass", within=15)


@pytest.mark.parametrize("alg", ["RS256", "PS384", "ES256", "ES384", "EdDSA"])
def test_the_first_request_with_a_new_key_passes_within_two_seconds(
    warm: Haproxy, standin: Standin, alg: str
) -> None:
    kid = standin.rotate_keys(alg=alg)
    token, other = standin.token(alg=alg, kid=kid), standin.token(header=MADE_UP)
    before = fetches(standin)

    begun = time.monotonic()
    first = post(warm, token)
    took = time.monotonic() - begun

    assert outcome(first) == (200, "-")
    assert took < 2
    assert fetches(standin) == before + 1
    assert outcome(post(warm, other)) == (401, "key_unknown")


def test_a_removed_key_voids_what_it_had_verified_with_the_next_fetch(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    doomed, staying = standin.rotate_keys(), standin.rotate_keys()
    haproxy = gateway()
    with_doomed = standin.token(kid=doomed)
    with_staying = standin.token(kid=staying)
    for token in (with_doomed, with_staying):
        assert post(haproxy, token).status == 200
    standin.remove_key(doomed)
    before = fetches(standin)
    assert post(haproxy, with_doomed).status == 200, "nobody has asked yet"

    assert outcome(post(haproxy, standin.token(header=MADE_UP))) == (401, "key_unknown")

    assert fetches(standin) == before + 1
    assert outcome(post(haproxy, with_doomed)) == (401, "key_unknown")
    assert outcome(post(haproxy, with_staying)) == (200, "-")


def test_an_unknown_key_is_no_fault_of_the_caller_while_the_provider_is_away(
    warm: Haproxy, standin: Standin
) -> None:
    known, unknown = standin.token(), standin.token(header=MADE_UP)
    standin.down("idp")

    seen = outcomes([(warm, unknown), (warm, known)])

    assert seen == [(503, "keys_unavailable"), (200, "-")]
    standin.down("idp", False)
    back = (401, "key_unknown")
    eventually(lambda: outcome(post(warm, unknown)) == back, "the answer is known", within=15)


def test_a_flood_of_made_up_keys_costs_few_fetches_and_no_known_token(
    warm: Haproxy, standin: Standin
) -> None:
    known = Request("POST", GENERATE, headers(standin.token()), BODY)
    model = standin.token()
    flood = [(warm, with_kid(model, f"made-up-{number}")) for number in range(300)]
    before, begun = fetches(standin), time.monotonic()

    with SteadyLoad(warm.port, known, clients=2, seconds=120, pause=0.02, timeout=20) as load:
        load.wait_for(5)
        seen = outcomes(flood, at_once=40)
        load.wait_for(5)

    assert 1 <= fetches(standin) - before <= 2 + (time.monotonic() - begun) / 1.5
    assert set(seen) == {(401, "key_unknown")}
    assert set(load.outcome.statuses) == {200}
    assert load.outcome.failures == []


HOPELESS: dict[str, dict[str, Any]] = {
    "for another audience": {"claims": {"aud": "another-service"}},
    "expired": {"lifetime": -120},
    "not valid yet": {"iat_offset": 600},
    "valid for too long": {"lifetime": 25 * 3600},
    "of another issuer": {"claims": {"iss": "https://else.example"}},
    "without a subject": {"claims": {"sub": ""}},
}


def test_a_token_that_would_be_refused_anyway_causes_no_fetch(
    warm: Haproxy, standin: Standin
) -> None:
    before = fetches(standin)

    tokens = [standin.token(header=MADE_UP, **different) for different in HOPELESS.values()]
    seen = outcomes((warm, token) for token in tokens)

    assert [status for status, _ in seen] == [401] * len(HOPELESS)
    assert "key_unknown" not in dict(seen).values()
    assert fetches(standin) == before
    # The twin: without such a fault it does.
    assert outcome(post(warm, standin.token(header=MADE_UP))) == (401, "key_unknown")
    assert fetches(standin) == before + 1


def test_keys_of_a_provider_with_another_certificate_are_not_taken(
    gateway: Callable[..., Haproxy], standin: Standin, certificate: Path
) -> None:
    backends = {
        "as it should be": fetch_backend(standin),
        "another authority": fetch_backend(standin, ca=certificate),
        "another name": fetch_backend(standin, sni="else.example"),
    }
    token = standin.token()
    gateways = [gateway(fetch_hosts=(), sections=backend) for backend in backends.values()]

    seen = outcomes((haproxy, token) for haproxy in gateways)

    assert dict(zip(backends, seen)) == {
        "as it should be": (200, "-"),
        "another authority": (503, "keys_unavailable"),
        "another name": (503, "keys_unavailable"),
    }


def test_keys_in_a_file_need_no_provider(
    gateway: Callable[..., Haproxy], standin: Standin, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{standin.ports['idp_http']}/corp/jwks"
    with urllib.request.urlopen(url) as answer:
        (tmp_path / "jwks.json").write_bytes(answer.read())
    vertex = vertex_json(standin.service_account)
    vertex["issuers"][0]["jwks_file"] = str(tmp_path / "jwks.json")
    standin.down("idp")
    before = standin.counters()["idp_connections"]

    haproxy = gateway(vertex=vertex, fetch_hosts=())

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    assert outcome(post(haproxy, standin.token(header=MADE_UP))) == (401, "key_unknown")
    assert outcome(post(haproxy, standin.token(sign_with="other"))) == (401, "bad_signature")
    assert standin.counters()["idp_connections"] == before


LARGE = {
    "as large as Entra's": {"jwks_bytes": 22_480, "header_bytes": 1_500},
    "the largest": {"jwks_bytes": 26_000, "header_bytes": 1_500},
    "the largest, without its length": {"jwks_bytes": 26_000, "header_bytes": 1_500, "chunked": True},
}
TOO_LARGE: dict[str, dict[str, Any]] = {
    "one byte more": {"jwks_bytes": 26_001},
    "one byte more, without its length": {"jwks_bytes": 26_001, "chunked": True},
    "far more": {"jwks_bytes": 200_000},
}


@pytest.mark.parametrize("how", LARGE)
def test_a_large_key_set_is_taken(
    gateway: Callable[..., Haproxy], standin: Standin, how: str
) -> None:
    standin.idp(**LARGE[how])

    assert outcome(post(gateway(), standin.token())) == (200, "-")


ASK = """
import socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect(sys.argv[1])
asked.sendall(b"GET /corp/jwks HTTP/1.1\\r\\nhost: idp.example\\r\\nconnection: close\\r\\n\\r\\n")
while piece := asked.recv(65536):
    sys.stdout.buffer.write(piece)
"""


@pytest.mark.needs_root
@pytest.mark.parametrize("how", TOO_LARGE)
def test_a_key_set_that_is_too_large_is_not_taken_and_its_size_is_told(
    warm: Haproxy, standin: Standin, how: str
) -> None:
    def fetched() -> str:
        socket = warm.folder / "chroot" / "vertex-fetch.sock"
        done = subprocess.run(["python3", "-c", ASK, socket], capture_output=True, check=True)
        return done.stdout.decode()

    standin.idp(**{**TOO_LARGE[how], "jwks_bytes": 26_000})
    assert fetched().startswith("HTTP/1.1 200 ")
    standin.idp(**TOO_LARGE[how])

    head, _, body = fetched().partition("\r\n\r\n")

    assert head.startswith("HTTP/1.1 502 ") and "keys" not in body
    assert f"x-vertex-fetch-error: too-large {TOO_LARGE[how]['jwks_bytes']} 26000" in head
    assert outcome(post(warm, standin.token(header=MADE_UP))) == (503, "keys_unavailable")


@pytest.fixture
def many_providers() -> Iterator[Standin]:
    process = Standin(issuers=("partner", *MISBEHAVING))
    yield process
    process.stop()


def test_a_provider_that_misbehaves_gives_no_keys_harms_no_other_and_recovers(
    gateway: Callable[..., Haproxy], many_providers: Standin
) -> None:
    providers = many_providers
    misbehave(providers)
    haproxy = gateway(
        google_http=providers.ports["google_http"],
        idp_https=providers.ports["idp_https"],
        ca=providers.ca,
        vertex=trusting(providers.service_account, "partner", *MISBEHAVING),
    )
    tokens = {name: providers.token(issuer=name) for name in MISBEHAVING}

    def ask_all() -> dict[str, tuple[int, str]]:
        return dict(zip(tokens, outcomes((haproxy, token) for token in tokens.values())))

    assert post(haproxy, providers.token(issuer="partner")).status == 200
    assert ask_all() == dict.fromkeys(MISBEHAVING, (503, "keys_unavailable"))
    assert asked_for(providers) >= {
        (name, document) for name, (_, document) in MISBEHAVING.items()
    }
    assert providers.counters()["idp_followed"] == 0
    assert {request["port"] for request in providers.requests(of="idp")} == {"idp_https"}
    # In the middle of all that, another issuer's new key is there at once.
    rotated = providers.token(issuer="partner", kid=providers.rotate_keys("partner"))
    begun = time.monotonic()
    assert post(haproxy, rotated).status == 200
    assert time.monotonic() - begun < 2

    providers.idp()

    back = time.monotonic()
    passing = dict.fromkeys(MISBEHAVING, (200, "-"))
    eventually(lambda: ask_all() == passing, "all providers have recovered", within=15)
    assert time.monotonic() - back < 15


def test_a_key_set_on_another_host_is_taken_only_if_that_host_is_listed(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    standin.idp("foreign_jwks_uri")
    backends = fetch_backend(standin) + fetch_backend(standin, host="evil.example")
    vertex = vertex_json(standin.service_account)
    unlisted = gateway(vertex=vertex, fetch_hosts=(), sections=backends)
    vertex["issuers"][0]["jwks_hosts"] = ["evil.example"]
    listed = gateway(vertex=vertex, fetch_hosts=(), sections=backends)
    token = standin.token()

    seen = outcomes([(unlisted, token), (listed, token)])

    assert seen == [(503, "keys_unavailable"), (200, "-")]


CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


@pytest.mark.needs_root
def test_only_the_worker_can_use_the_socket_for_fetches(warm: Haproxy) -> None:
    path = warm.folder / "chroot" / "vertex-fetch.sock"

    def connects(user: str) -> bool:
        # The system's interpreter: the folder of the tests' own may be closed to others.
        command = ["python3", "-c", CONNECT, str(path)]
        done = subprocess.run(command, user=user, group="nogroup", capture_output=True, text=True)
        assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
        return done.returncode == 0

    for _ in ("after the start", "after a reload"):
        found = path.stat()
        assert stat.S_ISSOCK(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o600
        assert pwd.getpwuid(found.st_uid).pw_name == "haproxy"
        assert connects("haproxy")
        assert not connects("nobody")
        warm.reload()
