"""`vertex show` on the stats socket: what it says is so, and it says no secret."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.expect.eventually import eventually
from support.expect.shown import row, rows, table
from support.wire.calls import post
from support.world import cli
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

THINGS = ("issuers", "keys", "credentials", "roles", "limits", "caches")


@pytest.fixture
def warm(gateway: Callable[..., Haproxy], standin: Standin) -> Haproxy:
    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["limits"] = {"requests_per_minute": 600}
    haproxy = gateway(vertex=vertex)
    assert post(haproxy, standin.token()).status == 200
    return haproxy


def test_alone_it_says_what_there_is_and_all_of_that_can_be_shown(warm: Haproxy) -> None:
    lines = warm.ask("vertex show").splitlines()

    said = [line.split()[2] for line in lines if line.startswith("vertex show ")]
    assert tuple(said) == THINGS
    for thing in said:
        assert json.loads(warm.ask(f"vertex show {thing} json")).popitem()[0] in (thing, "issuers")
        assert table(warm.ask(f"vertex show {thing}"))


@pytest.mark.parametrize("words", ["nothing", "nothing json", "issuers xml", "issuers json more",
                                   r"issuers\ json", "\xff\xfe", "x " * 40])  # fmt: skip
def test_other_words_are_answered_with_what_there_is(warm: Haproxy, words: str) -> None:
    said = warm.ask(f"vertex show {words}")

    assert said.startswith("vertex show: ")
    assert "vertex show issuers [json]" in said
    assert post(warm, "x").status == 401


@pytest.mark.parametrize("thing", [thing for thing in THINGS if thing != "keys"])
def test_table_and_json_say_the_same(warm: Haproxy, thing: str) -> None:
    as_json = rows(warm, thing)
    as_table = table(warm.ask(f"vertex show {thing}"))

    # What counts seconds may have gone on between the two.
    def plain(value: object) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return "-" if value is None else str(value)

    assert [list(found) for found in as_table] == [list(found) for found in as_json]
    for in_table, in_json in zip(as_table, as_json, strict=True):
        for name, value in in_json.items():
            if not name.endswith("_seconds"):
                assert in_table[name] == plain(value), name


def test_an_issuer_tells_its_age_its_next_fetch_and_its_troubles(
    warm: Haproxy, standin: Standin
) -> None:
    first = row(warm, "issuers")
    assert (first["name"], first["issuer"]) == ("corp", "https://idp.example/corp")
    assert (first["ready"], first["from"], first["failures"]) == (True, "fetched", 0)
    assert first["keys"] == len(rows_of_keys(warm))
    assert abs(first["fetched_at"] + first["age_seconds"] - time.time()) < 3
    assert 50 < first["next_fetch_seconds"] <= 3600
    assert first["failing_seconds"] is first["last_error"] is None

    standin.idp("status")
    post(warm, standin.token(header={"kid": "made-up"}))

    # A task tells it, not the answer.
    eventually(lambda: row(warm, "issuers")["failures"] > 0, "a fetch has failed")
    trouble = row(warm, "issuers")
    assert trouble["ready"], "the old keys serve on"
    assert 0 <= trouble["failing_seconds"] < 15
    assert 0 <= trouble["last_error_seconds"] < 10
    assert "instead of 200" in trouble["last_error"]
    assert trouble["next_fetch_seconds"] <= 5

    standin.idp()
    eventually(lambda: row(warm, "issuers")["failing_seconds"] is None, "it recovers", within=15)
    assert row(warm, "issuers")["last_error"], "what was wrong stays"


def rows_of_keys(haproxy: Haproxy) -> list[dict[str, str]]:
    return table(haproxy.ask("vertex show keys"))


def test_keys_are_told_with_what_they_verify_and_the_json_is_that_of_the_state_file(
    warm: Haproxy, standin: Standin
) -> None:
    kid = standin.rotate_keys(alg="ES256")
    assert post(warm, standin.token(alg="ES256", kid=kid)).status == 200

    [key] = [found for found in rows_of_keys(warm) if found["kid"] == kid]
    assert (key["issuer"], key["alg"], key["current"]) == ("corp", "ES256", "yes")
    assert abs(int(key["since"]) - time.time()) < 10
    [issuer] = json.loads(warm.ask("vertex show keys json"))["issuers"]
    assert set(issuer) == {"issuer", "fetched_at", "jwks"}
    assert kid in [key["kid"] for key in issuer["jwks"]["keys"]]


def test_a_credential_tells_each_location_and_when_it_is_signed_next(warm: Haproxy) -> None:
    found = {credential["location"]: credential for credential in rows(warm, "credentials")}

    assert set(found) == {"us-central1", "global", "europe-west4"}
    for credential in found.values():
        assert (credential["name"], credential["type"]) == ("ml-prod", "service_account")
        assert credential["ready"] and "@" in credential["google_identity"]
        assert 3500 < credential["expires_in_seconds"] <= 3600
        assert credential["expires_in_seconds"] - credential["next_signing_seconds"] == 900
        assert credential["last_error"] is None
    assert found["global"]["host"] == "aiplatform.googleapis.com"


def test_an_access_token_has_no_times(
    gateway: Callable[..., Haproxy], standin: Standin, tmp_path: Path
) -> None:
    vertex = vertex_json(standin.service_account)
    vertex["credentials"] = standin.access_token(tmp_path)

    for credential in rows(gateway(vertex=vertex), "credentials"):
        assert (credential["type"], credential["ready"]) == ("access_token", True)
        assert credential["expires_in_seconds"] is credential["next_signing_seconds"] is None


def test_roles_and_caches_are_told(warm: Haproxy, standin: Standin) -> None:
    role = row(warm, "roles")
    assert (role["name"], role["who"], role["as"]) == ("ml-team", 1, "ml-prod")
    assert role["locations"] == "us-central1,global"

    before = {cache["name"]: cache for cache in rows(warm, "caches")}
    assert post(warm, standin.token({"sub": "another"})).status == 200
    after = {cache["name"]: cache for cache in rows(warm, "caches")}
    assert after["verified_tokens"]["entries"] == before["verified_tokens"]["entries"] + 1
    assert all(cache["entries"] <= cache["capacity"] for cache in after.values())


def ten_thousand_roles(standin: Standin) -> dict[str, Any]:
    vertex = vertex_json(standin.service_account)
    [role] = vertex["roles"]
    vertex["roles"] = [{**role, "name": f"role-{number}"} for number in range(10_000)]
    return vertex


def test_ten_thousand_roles_are_shown_whole(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = gateway(vertex=ten_thousand_roles(standin))

    assert [found["name"] for found in rows(haproxy, "roles")][-1] == "role-9999"
    assert len(haproxy.ask("vertex show roles").splitlines()) == 10_002, "a head, an empty line"


def test_a_user_of_another_level_may_look_and_it_shows_no_key_file(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = gateway()
    secret = json.loads(standin.service_account.read_text())["private_key"].splitlines()[3]

    for thing in THINGS:
        for form in ("", " json"):
            assert secret not in haproxy.ask(f"user;vertex show {thing}{form}")


def test_whoever_leaves_in_the_middle_of_an_answer_harms_nobody(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = gateway(vertex=ten_thousand_roles(standin))
    worker = haproxy.worker
    for _ in range(20):
        command = f"echo vertex show roles | socat - unix-connect:{haproxy.folder}/stats | head -c 1"
        subprocess.run(["sh", "-c", command], check=True, capture_output=True)

    assert post(haproxy, standin.token()).status == 200
    assert haproxy.worker == worker
    assert cli.info(haproxy.folder / "stats")["Name"] == "HAProxy"
