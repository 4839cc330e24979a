"""The identity of the machine: its metadata server gives the token."""

import json
from collections.abc import Callable

from endpoints import Endpoints

from support.expect.eventually import eventually
from support.log.server import LogServer
from support.wire.calls import outcome, post
from support.world.haproxy import Haproxy
from support.world.standin import Standin

HOST = "metadata.google.internal"
PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
FLAVOR = {"Metadata-Flavor": "Google"}
METADATA = {"type": "metadata"}


def token(text: str, lives: int = 3599) -> dict[str, object]:
    return {"access_token": text, "expires_in": lives, "token_type": "Bearer"}


def known(standin: Standin, text: str) -> str:
    standin.call("POST", "/google/access-tokens", {"token": text})
    return text


def test_a_request_leaves_with_the_machines_token(
    acting_as: Callable[..., Haproxy], endpoints: Endpoints, standin: Standin, logs: LogServer
) -> None:
    ours = known(standin, "ya29.of-the-machine")
    endpoints.answer(PATH, body=token(ours), headers=FLAVOR)

    haproxy = acting_as(METADATA, HOST)

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    [asked] = endpoints.asked()
    assert (asked.method, asked.host, asked.path) == ("GET", HOST, PATH)
    assert asked.headers["metadata-flavor"] == "Google"
    logs.wait_until(lambda lines: any("credential ml-prod: ready at" in line for line in lines), "")
    assert not any(ours in line for line in logs.lines)
    assert ours not in haproxy.ask("vertex show credentials json")


def test_a_request_waits_for_the_first_token(
    acting_as: Callable[..., Haproxy], endpoints: Endpoints, standin: Standin
) -> None:
    ours = known(standin, "ya29.that-takes-its-time")
    endpoints.answer(PATH, body=token(ours), headers=FLAVOR, after=1.5)
    haproxy = acting_as(METADATA, HOST)

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    assert len(endpoints.asked()) == 1


def test_an_answer_of_another_server_is_no_token(
    acting_as: Callable[..., Haproxy], endpoints: Endpoints, standin: Standin
) -> None:
    ours = known(standin, "ya29.of-a-portal")
    endpoints.answer(PATH, body=token(ours))
    haproxy = acting_as(METADATA, HOST)

    assert outcome(post(haproxy, standin.token())) == (503, "credential_unavailable")
    assert "without `Metadata-Flavor: Google`" in last_error(haproxy)

    endpoints.answer(PATH, body=token(ours), headers=FLAVOR)
    eventually(lambda: outcome(post(haproxy, standin.token())) == (200, "-"), "its twin", 15)


def test_a_short_lived_token_is_renewed_and_serves_through_an_outage(
    acting_as: Callable[..., Haproxy], endpoints: Endpoints, standin: Standin
) -> None:
    first, second = known(standin, "ya29.first"), known(standin, "ya29.second")
    endpoints.answer(PATH, body=token(first, 60), headers=FLAVOR)
    haproxy = acting_as(METADATA, HOST)
    assert outcome(post(haproxy, standin.token())) == (200, "-")
    endpoints.answer(PATH, status=503, headers=FLAVOR)

    eventually(lambda: "status 503" in (last_error(haproxy) or ""), "it failed", within=40)
    assert outcome(post(haproxy, standin.token())) == (200, "-")

    endpoints.answer(PATH, body=token(second), headers=FLAVOR)
    eventually(lambda: expires_in(haproxy) > 60, "it is back", within=15)
    assert outcome(post(haproxy, standin.token())) == (200, "-")


def credential(haproxy: Haproxy) -> dict[str, object]:
    return json.loads(haproxy.ask("vertex show credentials json"))["credentials"][0]


def last_error(haproxy: Haproxy) -> str | None:
    return credential(haproxy)["last_error"]


def expires_in(haproxy: Haproxy) -> int:
    return credential(haproxy)["expires_in_seconds"] or 0
