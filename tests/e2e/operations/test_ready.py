"""Readiness: not before keys and credentials are there or had their time, then for good."""

import json
import time
from collections.abc import Callable
from typing import Any


from support.expect.eventually import eventually
from support.expect.metrics import Pages, key
from support.wire.calls import post
from support.world.haproxy import Haproxy
from support.world.standin import Standin


def details(pages: Pages) -> tuple[int, dict[str, Any]]:
    response = pages.get("/ready")
    assert response.header("content-type") == "application/json"
    assert response.header("cache-control") == "no-store"
    said = json.loads(response.text)
    assert said["ready"] == (response.status == 200)
    return response.status, said


def test_with_keys_and_credentials_it_is_ready(
    gateway: Callable[..., Haproxy], pages: Pages, standin: Standin
) -> None:
    gateway(sections=pages.section)

    eventually(lambda: pages.get("/ready").status == 200, "it is ready", within=4)

    _, said = details(pages)
    [issuer] = said["issuers"]
    assert (issuer["name"], issuer["ready"], issuer["failing_seconds"]) == ("corp", True, None)
    assert issuer["keys"] > 0
    assert [credential["ready"] for credential in said["credentials"]] == [True] * 3
    assert standin.service_account.read_text()[:200] not in json.dumps(said)


def test_without_keys_it_is_ready_when_a_request_would_have_been_refused(
    gateway: Callable[..., Haproxy], pages: Pages, standin: Standin
) -> None:
    standin.down("idp")
    begun = time.monotonic()
    haproxy = gateway(sections=pages.section)

    status, said = details(pages)
    assert status == 503
    assert pages.metrics()[key("ready")] == 0
    assert said["issuers"][0]["ready"] is False
    eventually(lambda: pages.get("/ready").status == 200, "it had its time", within=8)

    assert time.monotonic() - begun > 4.5
    _, said = details(pages)
    assert said["issuers"][0]["ready"] is False, "the details still tell what is wrong"
    assert said["issuers"][0]["failing_seconds"] >= 4
    assert pages.metrics()[key("ready")] == 1
    # Whoever does not need keys is served: the point of being ready.
    assert post(haproxy, "x").status == 401


def test_keys_that_come_in_time_make_it_ready_before_that(
    gateway: Callable[..., Haproxy], pages: Pages, standin: Standin
) -> None:
    standin.down("idp")
    begun = time.monotonic()
    gateway(sections=pages.section)
    assert details(pages)[0] == 503

    standin.down("idp", False)

    eventually(lambda: pages.get("/ready").status == 200, "it is ready", within=8)
    said = details(pages)[1]
    assert said["issuers"][0]["ready"] or time.monotonic() - begun > 5


def test_an_issuer_that_goes_down_later_makes_nothing_unready(
    gateway: Callable[..., Haproxy], pages: Pages, standin: Standin
) -> None:
    haproxy = gateway(sections=pages.section)
    token = standin.token()
    assert post(haproxy, token).status == 200
    assert details(pages)[0] == 200

    standin.down("idp")
    post(haproxy, standin.token(header={"kid": "made-up"}))

    status, said = details(pages)
    assert status == 200
    assert said["issuers"][0]["failing_seconds"] is not None
    assert post(haproxy, token).status == 200
