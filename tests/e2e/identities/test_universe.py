"""A universe of Google's other than its own: what leaves goes to its hosts, and tokens come from them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.wire.calls import outcome, post
from support.world.configuration import Configuration, section, vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

UNIVERSE = "apis.partner.example"
PASSES = (200, "-")


def of_universe(standin: Standin, file: Path, universe: str | None = UNIVERSE) -> dict[str, Any]:
    """A configuration of the universe, whose key file says that it is of it."""
    key = json.loads(standin.service_account.read_text())
    file.write_text(json.dumps(key | {"universe_domain": UNIVERSE}))
    vertex = vertex_json(file)
    return vertex | ({"universe_domain": universe} if universe else {})


def test_a_call_leaves_to_the_universe_with_a_token_for_the_scope(
    gateway: Callable[..., Haproxy], standin: Standin, tmp_path: Path
) -> None:
    haproxy = gateway(vertex=of_universe(standin, tmp_path / "key.json"))

    assert outcome(post(haproxy, standin.token())) == PASSES

    [seen] = standin.requests(of="google")
    headers = {name.lower(): value for name, value in seen["headers"]}
    assert headers["host"] == f"us-central1-aiplatform.{UNIVERSE}"
    assert seen["bearer"]["valid"] and "aud" not in seen["bearer"]["claims"]
    assert seen["bearer"]["claims"]["scope"] == "https://www.googleapis.com/auth/cloud-platform"


def test_a_callers_token_is_exchanged_in_the_universe(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
) -> None:
    vertex = vertex_json(standin.service_account) | {"universe_domain": UNIVERSE}
    audience = standin.credential_files(tmp_path).audience()
    vertex["credentials"] = [{"name": "ml-prod", "type": "exchange", "audience": audience}]
    room = {"VERTEX_MAXREWRITE": "16384", "VERTEX_BUFSIZE": "65536"}
    lacking = launch(configuration(vertex=vertex, environment=room), start=False).check()
    assert lacking.status != 0 and f"vertex_fetch_sts.{UNIVERSE}" in lacking.output
    assert "sts.googleapis.com" not in lacking.output

    sts = section(
        f"backend vertex_fetch_sts.{UNIVERSE} from vertex-fetch", ["server sts 127.0.0.1:9"]
    )
    check = launch(
        configuration(vertex=vertex, environment=room, sections=sts), start=False
    ).check()
    assert check.status == 0, check.output


@pytest.mark.parametrize("universe", [None, "googleapis.com", "other.example"])
def test_a_key_of_another_universe_does_not_load(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
    universe: str | None,
) -> None:
    file = tmp_path / "key.json"
    check = launch(configuration(vertex=of_universe(standin, file, universe)), start=False).check()
    assert check.status != 0, check.output
    assert f"{file}: /universe_domain: it is of {UNIVERSE}, and this gateway serves" in check.output
    twin = launch(configuration(vertex=of_universe(standin, file)), start=False).check()
    assert twin.status == 0, twin.output


def test_a_missing_backend_is_told_with_the_universes_host(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
) -> None:
    vertex = of_universe(standin, tmp_path / "key.json")
    check = launch(configuration(vertex=vertex, locations=("global",)), start=False).check()
    assert check.status != 0
    assert (
        f"server us-central1-aiplatform.{UNIVERSE} us-central1-aiplatform.{UNIVERSE}:443"
        in check.output
    )
