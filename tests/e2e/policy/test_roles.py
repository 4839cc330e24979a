"""Whom a role is for, on a real connection: claims, issuers, networks, client certificates and
times; what it may, on the path; each refusal beside the twin that passes."""

import datetime
import http.client
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.log.server import LogServer
from support.wire.calls import BODY, GENERATE, headers, outcome, post
from support.wire.http1 import once
from support.world.certificate import of_a_client, sha256
from support.world.configuration import Configuration, vertex_json
from support.world.haproxy import Haproxy
from support.world.issuers import trusting
from support.world.place import free_port
from support.world.standin import Standin

ALLOWED, REFUSED = (200, "-"), (403, "role_none")


@pytest.fixture
def for_whom(standin: Standin) -> Callable[..., dict[str, Any]]:
    """`vertex_json` whose role is for callers of corp of whom this is true."""

    def one(**who: Any) -> dict[str, Any]:
        vertex = vertex_json(standin.service_account)
        who = who if {"claims", "groups", "subjects"} & who.keys() else {"anyone": True, **who}
        vertex["roles"][0]["who"] = {"issuer": "corp", **who}
        return vertex

    return one


CLAIMS = {
    "a nested text": (
        {"/realm_access/roles": {"any_of": ["vertex"]}},
        {"realm_access": {"roles": ["other", "vertex"]}},
        {"realm_access.roles": ["vertex"], "realm_access": {"roles": ["other"]}},
    ),
    "a name with a colon": (
        {"cognito:groups": {"equals": "ml"}}, {"cognito:groups": ["ml"]}, {"cognito": {"groups": ["ml"]}},
    ),
    "a pattern": (
        {"repository": {"pattern": "acme/*"}}, {"repository": "acme/ml"}, {"repository": "acme-2/ml"},
    ),
    "a scope": ({"scp": {"any_word_of": ["use"]}}, {"scp": "read use"}, {"scp": "reuse"}),
    "true": ({"email_verified": {"equals": True}}, {"email_verified": True}, {"email_verified": "true"}),
    "absent": ({"suspended": {"absent": True}}, {}, {"suspended": None, "x": 1}),
    "two of them": (
        {"a": {"equals": 1}, "b": {"equals": 2}}, {"a": 1, "b": 2}, {"a": 1, "b": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", CLAIMS)
def test_claims_of_any_shape(
    gateway: Callable[..., Haproxy], standin: Standin, for_whom: Callable[..., Any], shape: str
) -> None:
    asked, holds, fails = CLAIMS[shape]
    haproxy = gateway(vertex=for_whom(claims=asked))

    if shape == "absent":
        # The stand-in leaves a claim out that is given as None.
        fails = {"suspended": False}
    assert outcome(post(haproxy, standin.token(fails))) == REFUSED
    assert outcome(post(haproxy, standin.token(holds))) == ALLOWED
    assert len(standin.requests(of="google")) == 1


def test_one_role_is_for_callers_of_several_issuers_each_by_its_own_rule(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    vertex = trusting(standin.service_account, "corp", "partner")
    vertex["roles"] = vertex["roles"][:1]
    vertex["roles"][0]["who"] = [
        {"issuer": "corp", "groups": ["ml"]},
        {"issuer": "partner", "subjects": ["bob"]},
    ]
    haproxy = gateway(nbthread=1, vertex=vertex)

    def asks(issuer: str, **claims: Any) -> tuple[int, str]:
        return outcome(post(haproxy, standin.token(claims, issuer=issuer)))

    assert asks("partner", sub="alice", groups=["ml"]) == REFUSED
    assert asks("corp", sub="bob", groups=["x"]) == REFUSED
    assert asks("corp", sub="alice", groups=["ml"]) == ALLOWED
    assert asks("partner", sub="bob", groups=["x"]) == ALLOWED
    told = [(line["role"], line["principal"]) for line in logs.in_order(4)]
    assert told[2:] == [("corp-team", "corp:alice"), ("corp-team", "partner:bob")]


def test_the_network_is_that_of_the_connection(
    gateway: Callable[..., Haproxy], standin: Standin, for_whom: Callable[..., Any]
) -> None:
    token = standin.token()
    elsewhere = gateway(vertex=for_whom(networks=["10.0.0.0/8", "2001:db8::/32"]))
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP"):
        value = "for=10.0.0.1" if name == "Forwarded" else "10.0.0.1"
        pairs = headers(token) | {name: value}
        assert outcome(once(elsewhere.port, "POST", GENERATE, pairs, BODY)) == REFUSED
    assert standin.requests(of="google") == []

    here = gateway(vertex=for_whom(networks=["10.0.0.0/8", "127.0.0.0/8"]))
    assert outcome(post(here, token)) == ALLOWED


def test_a_role_for_a_network_does_not_stand_in_the_way_of_the_next(
    gateway: Callable[..., Haproxy], standin: Standin, for_whom: Callable[..., Any], logs: LogServer
) -> None:
    vertex = for_whom(networks=["10.0.0.0/8"])
    vertex["roles"].append({**vertex["roles"][0], "name": "next", "who": {"issuer": "corp", "anyone": True}})

    assert outcome(post(gateway(vertex=vertex), standin.token())) == ALLOWED
    [line] = logs.wait_for(1)
    assert line["role"] == "next"


class Mutual:
    """A gateway that asks for client certificates, and callers with and without."""

    def __init__(self, tmp_path: Path, gateway: Callable[..., Haproxy], certificate: Path) -> None:
        self.known = of_a_client(tmp_path, "known", "/O=Acme/CN=app")
        self.other = of_a_client(tmp_path, "other", "/O=Acme/CN=other")
        # A stranger says of itself what the known one is.
        self.stranger = of_a_client(tmp_path, "stranger", "/O=Acme/CN=app")
        trusted = tmp_path / "trusted.pem"
        trusted.write_text(self.known.read_text() + self.other.read_text())
        self._certificate, self._trusted, self._gateway = certificate, trusted, gateway

    def start(self, vertex: dict[str, Any]) -> None:
        self.port = free_port()
        bind = (
            f"bind 127.0.0.1:{self.port} ssl crt {self._certificate} ca-file {self._trusted}"
            " verify optional crt-ignore-err all ca-ignore-err all"
        )
        self._gateway(vertex=vertex, frontend_lines=bind)

    def asks(self, token: str, client: Path | None) -> tuple[int, str]:
        trust = ssl.create_default_context(cafile=self._certificate)
        if client is not None:
            trust.load_cert_chain(client)
        connection = http.client.HTTPSConnection("localhost", self.port, context=trust, timeout=10)
        try:
            connection.request("POST", GENERATE, BODY, headers(token))
            answer = connection.getresponse()
            said = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status == 200:
            return ALLOWED
        return answer.status, said["error"]["details"][0]["reason"]


@pytest.fixture
def mutual(tmp_path: Path, gateway: Callable[..., Haproxy], certificate: Path) -> Mutual:
    tmp_path.chmod(0o755)
    return Mutual(tmp_path, gateway, certificate)


@pytest.mark.parametrize("by", ["subjects", "sha256", "verified"])
def test_a_client_certificate(
    mutual: Mutual, standin: Standin, for_whom: Callable[..., Any], by: str
) -> None:
    tests = {
        "subjects": {"subjects": ["CN=app,O=Acme"]},
        "sha256": {"sha256": [sha256(mutual.known)]},
        "verified": {"verified": True},
    }
    mutual.start(for_whom(certificate=tests[by]))
    token = standin.token()

    assert mutual.asks(token, None) == REFUSED
    assert mutual.asks(token, mutual.stranger) == REFUSED
    assert mutual.asks(token, mutual.other) == (ALLOWED if by == "verified" else REFUSED)
    assert mutual.asks(token, mutual.known) == ALLOWED


def test_a_role_is_in_force_at_its_times(
    gateway: Callable[..., Haproxy], standin: Standin, for_whom: Callable[..., Any]
) -> None:
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    # Two days, so that midnight does not decide the test.
    today = datetime.datetime.now(datetime.timezone.utc).weekday()
    around = [names[(today + days) % 7] for days in (0, 1)]
    later = [names[(today + days) % 7] for days in (3, 4)]
    token = standin.token()
    for days, expected in ((later, REFUSED), (around, ALLOWED)):
        times = [{"days": days, "from": "00:00", "to": "24:00"}]
        assert outcome(post(gateway(vertex=for_whom(times=times)), token)) == expected


def test_stored_state_where_another_role_reaches_is_refused_at_start(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy], standin: Standin
) -> None:
    vertex = vertex_json(standin.service_account)
    [one] = vertex["roles"]
    two = json.loads(json.dumps(one)) | {"name": "other"}
    one["may"]["methods"] += ["stateful/cachedContents.*"]
    vertex["roles"].append(two)
    haproxy = launch(configuration(vertex=vertex), start=False)

    check = haproxy.check()
    assert check.status == 1
    for part in ("/roles/0/may/methods", "shares_state_with", "other"):
        assert part in check.output

    one["shares_state_with"], two["shares_state_with"] = ["other"], [one["name"]]
    assert haproxy.check().status == 0
    del one["shares_state_with"], two["shares_state_with"]
    two["may"]["projects"] = ["acme-other"]
    assert haproxy.check().status == 0
