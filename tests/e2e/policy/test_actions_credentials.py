"""As whom a request goes on: its role's credential, another one, and one that needs no role."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.wire.calls import OTHER_MODEL, post
from support.world.bare import ANSWERS, AUTHORIZE, GATE, VERIFY, shown, unless
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin


def credentials(standin: Standin, without_role: bool) -> dict[str, Any]:
    """A second credential beside the role's."""
    vertex = vertex_json(standin.service_account)
    second = {**vertex["credentials"][0], "name": "open", "form": "scope"}
    if without_role:
        second["without_role"] = True
    vertex["credentials"].append(second)
    return vertex


@pytest.mark.parametrize("without_role", [False, True])
def test_sign_without_a_decision_is_for_credentials_that_say_so(
    actions: Callable[..., Haproxy], standin: Standin, token: str, without_role: bool
) -> None:
    vertex = credentials(standin, without_role)
    haproxy = actions("http-request lua.vertex-sign open", unless("signed"), vertex=vertex)

    response = post(haproxy, token, target=OTHER_MODEL)

    if not without_role:
        assert response.status == GATE
        assert shown(response) == {}
        assert standin.requests(of="google") == []
        return
    assert response.status == 200
    assert (held := shown(response))["signed"] == "1"
    assert set(held) == {"signed", "credential", "google_identity"}
    [seen] = standin.requests(of="google")
    assert seen["bearer"]["valid"] and "scope" in seen["bearer"]["claims"]
    assert seen["target"] == OTHER_MODEL
    assert token not in json.dumps(seen)


@pytest.mark.parametrize("name", ["role", "nobody", "ml-prod", "OPEN", "open "])
def test_no_other_name_is_without_a_role(
    actions: Callable[..., Haproxy], standin: Standin, token: str, name: str
) -> None:
    haproxy = actions(
        f'http-request lua.vertex-sign "{name}"',
        unless("signed"),
        vertex=credentials(standin, without_role=True),
    )

    assert post(haproxy, token).status == GATE
    assert standin.requests(of="google") == []


def test_a_decision_can_be_signed_with_another_credential_that_there_is(
    actions: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    sign = [
        "http-request lua.vertex-sign open if { req.hdr(x-as) open }",
        "http-request lua.vertex-sign nobody if { req.hdr(x-as) nobody }",
    ]
    rules = [VERIFY, AUTHORIZE, *sign, ANSWERS, unless("signed")]
    haproxy = actions(*rules, vertex=credentials(standin, without_role=False))

    good, bad = post(haproxy, token, x_as="open"), post(haproxy, token, x_as="nobody")

    assert good.status == 200
    assert (held := shown(good))["credential"] == "open"
    assert " role=ml-team credential=open google_identity=vertex-gateway@" in held["audit"]
    [seen] = standin.requests(of="google")
    assert seen["bearer"]["valid"] and "scope" in seen["bearer"]["claims"]
    assert bad.status == 503
    held = shown(bad)
    assert (held["reason"], held["allowed"]) == ("credential_unavailable", "1")
    assert "decision=deny reason=credential_unavailable principal=corp:alice" in held["audit"]
