"""Every signature algorithm on real traffic: a token that passes, and beside it those that say or
do something else than their key."""

import importlib.util
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.wire.calls import outcome, outcomes, post
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.place import ROOT
from support.world.standin import Standin

RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
ALL = [*RSA, "ES256", "ES384", "EdDSA"]
PASSES, NOT_ALLOWED, BAD = (200, "-"), (401, "alg_not_allowed"), (401, "bad_signature")


@pytest.fixture
def kids(standin: Standin) -> Iterator[dict[str, str]]:
    """A key of the issuer for each algorithm."""
    made = {alg: standin.rotate_keys(alg=alg) for alg in ALL}
    yield made
    for kid in made.values():
        standin.remove_key(kid)


def twins(standin: Standin, alg: str, kid: str) -> dict[str, tuple[str, tuple[int, str]]]:
    """Tokens of one key, and what becomes of each."""
    of_another_type = "EdDSA" if alg in RSA else "RS256"
    found = {
        "good": (standin.token(alg=alg, kid=kid), PASSES),
        "another key": (standin.token(alg=alg, kid=kid, sign_with="other"), BAD),
        "no signature": (standin.token(alg=alg, kid=kid, sign_with="none"), BAD),
        "none": (standin.token(kid=kid, sign_with="none", header={"alg": "none"}), NOT_ALLOWED),
        "HS256": (standin.token(kid=kid, header={"alg": "HS256"}), NOT_ALLOWED),
        "another type": (standin.token(kid=kid, header={"alg": of_another_type}), NOT_ALLOWED),
    }
    for other in RSA if alg in RSA else []:
        if other != alg:
            found[f"is {other}"] = (standin.token(kid=kid, sign_as=other), NOT_ALLOWED)
            called = standin.token(kid=kid, sign_as=other, header={"alg": alg})
            found[f"is {other} and says {alg}"] = (called, BAD)
    return found


def test_a_token_of_every_algorithm_passes_and_its_twins_do_not(
    gateway: Callable[..., Haproxy], standin: Standin, kids: dict[str, str]
) -> None:
    haproxy = gateway()
    cases = {
        f"{alg}: {name}": case
        for alg, kid in kids.items()
        for name, case in twins(standin, alg, kid).items()
    }
    assert post(haproxy, standin.token()).status == 200

    seen = outcomes((haproxy, token) for token, _ in cases.values())

    assert dict(zip(cases, seen)) == {name: expected for name, (_, expected) in cases.items()}
    assert len(standin.requests(of="google")) == 1 + len(ALL)


def test_the_operators_list_is_for_named_keys_too(
    gateway: Callable[..., Haproxy], standin: Standin, kids: dict[str, str]
) -> None:
    vertex = vertex_json(standin.service_account)
    vertex["issuers"][0]["algorithms"] = ["ES384", "PS512"]
    haproxy = gateway(vertex=vertex)

    tokens = {alg: standin.token(alg=alg, kid=kid) for alg, kid in kids.items()}
    seen = outcomes((haproxy, token) for token in tokens.values())

    passing = {alg: PASSES if alg in ("ES384", "PS512") else NOT_ALLOWED for alg in ALL}
    assert dict(zip(tokens, seen)) == passing


@pytest.mark.parametrize(
    "listed", [None, ["RS256"], ["PS256"], ["RS256", "PS384", "ES256"], ALL], ids=str
)
def test_an_rsa_key_without_alg_is_for_rs256_or_what_the_operator_lists(
    gateway: Callable[..., Haproxy], standin: Standin, tmp_path: Path, listed: list[str] | None
) -> None:
    url = f"http://127.0.0.1:{standin.ports['idp_http']}/corp/jwks"
    with urllib.request.urlopen(url) as answer:
        keys = json.load(answer)["keys"]
    [*_, key] = [key for key in keys if key["alg"] == "RS256"]
    del key["alg"]
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [key]}))
    vertex: dict[str, Any] = vertex_json(standin.service_account)
    vertex["issuers"][0]["jwks_file"] = str(tmp_path / "jwks.json")
    if listed is not None:
        vertex["issuers"][0]["algorithms"] = listed
    haproxy = gateway(vertex=vertex, fetch_hosts=())

    tokens = {alg: standin.token(kid=key["kid"], sign_as=alg) for alg in RSA}
    seen = {alg: outcome(post(haproxy, token)) for alg, token in tokens.items()}

    wanted = listed or ["RS256"]
    assert seen == {alg: PASSES if alg in wanted else NOT_ALLOWED for alg in RSA}


def test_the_vectors_are_what_their_script_writes() -> None:
    vectors = ROOT / "tests" / "vectors"
    spec = importlib.util.spec_from_file_location("vectors", vectors / "make-algorithms.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    assert script.text() == (vectors / "algorithms.json").read_text()
