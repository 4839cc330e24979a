"""The whole configuration in docs/reference.md, as it is printed there: only addresses, paths and
the authority are this machine's."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.expect.eventually import eventually
from support.log.server import LogServer
from support.wire.calls import GENERATE, OTHER_MODEL, post
from support.world.configuration import Configuration, Written, vertex_json
from support.world.haproxy import Haproxy
from support.world.place import ROOT
from support.world.standin import Standin

OF_THE_HOST = "    user haproxy\n    group haproxy\n    chroot /var/lib/haproxy\n"
GOOGLE = "us-central1-aiplatform.googleapis.com:443"


def printed() -> str:
    _, rest = (ROOT / "docs" / "reference.md").read_text().split("```haproxy\n")
    return rest.split("```")[0]


@dataclass
class Documented(Written):
    def text(self, folder: Path) -> str:
        root = os.geteuid() == 0
        chroot = f"{folder}/chroot"
        changes = [
            ("global\n    user", f"global\n    stats socket {folder}/stats level admin\n    user"),
            (OF_THE_HOST, OF_THE_HOST.replace("/var/lib/haproxy", chroot) if root else ""),
            ("/dev/log", f"127.0.0.1:{self.log_port}"),
            ("/etc/haproxy/vertex.json", f"{folder}/vertex.json"),
            ("/usr/share/haproxy-vertex/", f"{ROOT}/lua/"),
            ("bind :8443", f"bind 127.0.0.1:{self.port}\n    bind 127.0.0.1:{self.tls_port}"),
            ("/etc/haproxy/gateway.pem", str(self.tls_certificate)),
            (GOOGLE, f"127.0.0.1:{self.google_https}"),
            ("login.corp.example:443", f"127.0.0.1:{self.idp_https}"),
            ("login.corp.example", "idp.example"),
            ("/var/lib/haproxy/vertex-fetch.sock", f"{chroot}/vertex-fetch.sock"),
            ("@system-ca", str(self.ca)),
        ]
        if not root:
            changes.append(("VERTEX_FETCH_DST /", f"VERTEX_FETCH_DST {chroot}/"))
            changes.append((" user haproxy", ""))
        text = printed()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        return text


@pytest.fixture
def start(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    certificate: Path,
    standin: Standin,
) -> Callable[[], Haproxy]:
    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["may"]["locations"] = ["us-central1", "global"]
    made = configuration(vertex=vertex, tls_certificate=certificate)
    names = ("VERTEX_FETCH_DST", "VERTEX_CONFIG", "VERTEX_SHARE", "VERTEX_RULES")
    made.environment = dict.fromkeys(names)  # it is all in the file
    return lambda: launch(Documented(**vars(made)))


def test_it_is_valid_without_a_warning(start: Callable[[], Haproxy]) -> None:
    check = start().check()
    assert (check.status, check.output) in {(0, ""), (0, "Configuration file is valid\n")}


def test_it_does_what_it_says(start: Callable[[], Haproxy], standin: Standin, logs: LogServer) -> None:
    documented, token = start(), standin.token()
    elsewhere = GENERATE.replace("us-central1", "global")

    answers = [
        post(documented, token, x_goog_user_project="acme-hr", cookie="a=b"),
        post(documented, None),
        post(documented, standin.token(sign_with="other")),
        post(documented, standin.token({"sub": "mallory"})),
        post(documented, token, target=OTHER_MODEL),
        post(documented, token, target=elsewhere),
    ]

    assert [answer.status for answer in answers] == [200, 401, 401, 429, 403, 503]
    assert "bad_signature" in answers[2].text and "role_none" in answers[4].text
    [seen] = standin.requests(of="google")
    assert seen["bearer"]["valid"] and seen["port"] == "google_https"
    names = {name for name, _ in seen["headers"]}
    assert not {"x-goog-user-project", "cookie"} & names
    lines = logs.wait_until(lambda lines: len(lines) >= len(answers), "a line for each")
    lines = [line for line in lines if "vertex{" in line]
    # A line follows its answer, and may come behind that of the next.
    allowed = "vertex{decision=allow reason=ok principal=corp:alice role=ml-team"
    [_] = [line for line in lines if allowed in line and " 200 " in line]
    [_] = [line for line in lines if "vertex{decision=deny reason=token_missing" in line]
    assert all(token not in line for line in lines)


def test_without_keys_it_says_503_and_passes_once_they_are_there(
    start: Callable[[], Haproxy], standin: Standin
) -> None:
    standin.idp("status")
    documented, token = start(), standin.token()

    response = post(documented, token)

    assert response.status == 503
    assert "keys_unavailable" in response.text
    assert standin.requests(of="google") == []
    standin.idp()
    eventually(lambda: post(documented, token).status == 200, "requests pass", within=15)
