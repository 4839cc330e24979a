"""Rotations under steady load, with outages of whom they ask and with reloads: no request is lost.
`make test-credential-rotation` makes 20 of them and prints the counts."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.expect.eventually import eventually
from support.load.steady import Request, SteadyLoad
from support.wire.calls import BODY, CLAIMS, GENERATE, headers
from support.world.configuration import section, vertex_json
from support.world.haproxy import Haproxy
from support.world.rotated import RotatedFile
from support.world.standin import Standin

ROTATIONS = 20 if os.environ.get("HV_LONG") else 4
# Where the endpoints are down, and where HAProxy is reloaded, of each four.
OUTAGE, RELOAD = 1, 3
CREDENTIALS = ("signed", "exchanged", "machine")


@pytest.fixture
def files(tmp_path: Path, standin: Standin) -> dict[str, RotatedFile]:
    key = standin.new_key()
    return {name: RotatedFile(tmp_path / name, key) for name in ("signed", "exchanged")}


@pytest.fixture
def haproxy(
    gateway: Callable[..., Haproxy], standin: Standin, files: dict[str, RotatedFile]
) -> Haproxy:
    vertex = vertex_json(standin.service_account)
    vertex["admin_commands"] = True
    of_file = {name: {"name": name, "file": str(file.path)} for name, file in files.items()}
    vertex["credentials"] = [
        {**of_file["signed"], "type": "service_account"},
        {**of_file["exchanged"], "type": "service_account", "form": "exchange"},
        {"name": "machine", "type": "metadata"},
    ]
    [role] = vertex["roles"]
    vertex["roles"] = [
        {**role, "name": name, "who": {"issuer": "corp", "groups": [name]}, "as": name}
        for name in CREDENTIALS
    ]
    server = f"server one 127.0.0.1:{standin.ports['oauth2_https']} ssl verify required"
    server += f" ca-file {standin.ca} sni str(oauth2.googleapis.com)"
    machine = f"server one 127.0.0.1:{standin.ports['metadata_http']}"
    sections = section("backend vertex_fetch_oauth2.googleapis.com from vertex-fetch", [server])
    sections += section("backend vertex_fetch_metadata.google.internal from vertex-fetch", [machine])
    return gateway(vertex=vertex, sections=sections)


def shown(haproxy: Haproxy) -> dict[str, dict[str, Any]]:
    rows = json.loads(haproxy.ask("vertex show credentials json"))["credentials"]
    return {row["name"]: row for row in rows}


def rotate(
    haproxy: Haproxy, standin: Standin, files: dict[str, RotatedFile], number: int
) -> None:
    key = standin.new_key()
    for file in files.values():
        [file.rename, file.write_in_place, file.swap_link][number % 3](key)
    is_outage = number % 4 == OUTAGE
    if is_outage:
        standin.down("oauth2")
        standin.down("metadata")
    for name in files:
        haproxy.ask(f"vertex reload credential {name}")
    if is_outage:
        eventually(
            lambda: all(shown(haproxy)[name]["file"] == "refused" for name in files),
            "it cannot be proved",
            20,
        )
        assert all(shown(haproxy)[name]["key_id"] != key["private_key_id"] for name in files)
        time.sleep(1)
        standin.down("oauth2", False)
        standin.down("metadata", False)
    eventually(
        lambda: all(
            (shown(haproxy)[name]["key_id"], shown(haproxy)[name]["file"])
            == (key["private_key_id"], "in_use")
            for name in files
        ),
        "the new key is in use",
        20,
    )
    if number % 4 == RELOAD:
        haproxy.reload()


def test_rotations_outages_and_reloads_lose_no_request(
    haproxy: Haproxy, standin: Standin, files: dict[str, RotatedFile]
) -> None:
    standin.google(record=False)
    tokens = [standin.token(claims={**CLAIMS, "groups": [name]}) for name in CREDENTIALS]

    def request(client: int, _number: int) -> Request:
        more = {"Connection": "close"} if client >= len(tokens) else {}
        return Request("POST", GENERATE, headers(tokens[client % len(tokens)], **more), BODY)

    clients = 2 * len(tokens)
    with SteadyLoad(haproxy.port, request, clients, seconds=600, pause=0.02, timeout=20) as load:
        load.wait_for(20)
        for number in range(ROTATIONS):
            rotate(haproxy, standin, files, number)
            load.wait_for(50)

    done = load.outcome
    refused = done.requests - len(done.failures) - done.statuses[200]
    print(
        f"\nrotations {ROTATIONS}, requests {done.requests}, refused {refused},"
        f" lost {len(done.hard_failures)};"
        f" {len(done.failures) - len(done.hard_failures)} idle connections closed by reloads"
    )
    assert (refused, done.hard_failures) == (0, [])
    assert done.requests > ROTATIONS * 50
