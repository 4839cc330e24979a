"""A credential's file that cannot be used does not load: `haproxy -c` says which file, where in it,
what is wrong and what would be right. The file that it was made from loads."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.world.configuration import Configuration, section, vertex_json
from support.world.credential_files import CredentialFiles
from support.world.haproxy import Haproxy
from support.world.standin import Standin

HOSTS = ("sts.googleapis.com", "oauth2.googleapis.com", "iamcredentials.googleapis.com")
ROOM = {"VERTEX_MAXREWRITE": "16384", "VERTEX_BUFSIZE": "65536"}
Write = Callable[[Path, str], None]


@pytest.fixture
def files(standin: Standin, tmp_path: Path) -> CredentialFiles:
    return standin.credential_files(tmp_path)


@pytest.fixture
def loads(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy], standin: Standin
) -> Callable[..., tuple[int, str]]:
    """Status and output of `haproxy -c` with this credential."""
    backends = "\n".join(
        section(f"backend vertex_fetch_{host} from vertex-fetch", ["server one 127.0.0.1:9"])
        for host in HOSTS
    )

    def one(credential: dict[str, object]) -> tuple[int, str]:
        vertex = vertex_json(standin.service_account)
        vertex["credentials"] = [{"name": "ml-prod", **credential}]
        different = {"vertex": vertex, "sections": backends, "environment": ROOM}
        check = launch(configuration(**different), start=False).check()
        return check.status, check.output

    return one


def whole(text: str) -> Write:
    return lambda file, _: (file.write_text(text), None)[1]


def cut(file: Path, text: str) -> None:
    file.write_text(text[: len(text) // 2])


def with_members(**members: Any) -> Write:
    def change(file: Path, text: str) -> None:
        file.write_text(json.dumps({**json.loads(text), **members}))

    return change


def of_source(**source: Any) -> Write:
    return with_members(credential_source=source)


def folder(file: Path, _: str) -> None:
    file.unlink()
    file.mkdir()


def dangling(file: Path, _: str) -> None:
    file.unlink()
    file.symlink_to(file.parent / "nowhere")


def gone(file: Path, _: str) -> None:
    file.unlink()


def ec_key(file: Path, text: str) -> None:
    made = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        check=True,
        capture_output=True,
        text=True,
    )
    with_members(private_key=made.stdout)(file, text)


def crlf(file: Path, text: str) -> None:
    key = json.loads(text).get("private_key")
    members = {"private_key": key.replace("\n", "\r\n")} if key else {}
    lines = json.dumps({**json.loads(text), **members}, indent=2).replace("\n", "\r\n")
    file.write_bytes(lines.encode())


def some_crlf(file: Path, text: str) -> None:
    file.write_bytes(text.replace("\n", "\r\n", 2).encode())


EVIL = "https://sts.evil.example/v1/token"
KEY, EXTERNAL, PERSON = "service_account", "external_account", "authorized_user"
# The file's type, the type that is given if one is, what is done to the file, what is said.
BAD = [
    (KEY, None, cut, "not JSON: "),
    (EXTERNAL, EXTERNAL, cut, "not JSON: "),
    (KEY, None, whole(""), "not JSON: empty"),
    (KEY, EXTERNAL, None, '/type: it is service_account, not external_account: write "type": '),
    (EXTERNAL, KEY, None, 'or write "type": "external_account" for this file, or leave `type` out'),
    (EXTERNAL, PERSON, None, "/type: it is external_account, not authorized_user"),
    (EXTERNAL, None, with_members(type="gdch_service_account"), "/type: an account of Google Dist"),
    (EXTERNAL, None, with_members(type="new"), "/type: no type that is served here; serv"),
    (EXTERNAL, None, of_source(), "/credential_source/file: missing; the file with the subject"),
    (EXTERNAL, None, of_source(other="x"), "/credential_source/file: missing"),
    (
        EXTERNAL,
        None,
        of_source(executable={"command": "/bin/id"}),
        "/credential_source/executable: no program is started here; `file`, `url` or AWS is wanted",
    ),
    (
        EXTERNAL,
        None,
        of_source(certificate={"use_default_certificate_config": True}),
        "/credential_source/certificate: no client certificate is used here",
    ),
    (
        EXTERNAL,
        None,
        with_members(token_url=EVIL),
        "/token_url: sts.evil.example is no host of Google's: one of *.googleapis.com is wanted, "
        "or list it in `hosts`",
    ),
    (EXTERNAL, None, of_source(url=EVIL), "/credential_source/url: sts.evil.example is no host"),
    (KEY, None, ec_key, "private_key: not an RSA key of 2048 to 4096 bits: it is a key of another"),
    (KEY, None, folder, "it is a folder"),
    (KEY, None, dangling, "no such file"),
    (KEY, KEY, gone, "no such file"),
    (PERSON, None, with_members(refresh_token=""), "/refresh_token: missing; `gcloud auth"),
]
TAKEN = [
    (kind, given, change)
    for kind in (KEY, EXTERNAL, PERSON)
    for given in (None, kind)
    for change in (None, crlf, some_crlf)
]


def made(kind: str, change: Write | None, files: CredentialFiles, standin: Standin) -> Path:
    file = files.folder / "identity.json"
    if kind == KEY:
        file.write_text(standin.service_account.read_text())
    elif kind == EXTERNAL:
        files.external_account("subject.of.corp", name=file.name)
    else:
        files.authorized_user(file.name)
    if change is not None:
        change(file, file.read_text())
    return file


@pytest.mark.parametrize(("kind", "given", "change", "says"), BAD)
def test_a_bad_file_is_told(
    loads: Callable[..., tuple[int, str]],
    files: CredentialFiles,
    standin: Standin,
    kind: str,
    given: str | None,
    change: Write | None,
    says: str,
) -> None:
    file = made(kind, change, files, standin)

    status, output = loads({"file": str(file)} | ({"type": given} if given else {}))

    assert status == 1
    assert "/credentials/0/file: " in output and str(file) in output
    assert says.lower() in output.lower()
    assert "BEGIN PRIVATE KEY" not in output


@pytest.mark.parametrize(("kind", "given", "change"), TAKEN)
def test_what_it_was_made_from_loads_whatever_its_line_ends(
    loads: Callable[..., tuple[int, str]],
    files: CredentialFiles,
    standin: Standin,
    kind: str,
    given: str | None,
    change: Write | None,
) -> None:
    file = made(kind, change, files, standin)

    status, output = loads({"file": str(file)} | ({"type": given} if given else {}))

    assert status == 0, output


def test_a_folder_that_is_not_there_is_told(
    loads: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    status, output = loads({"file": str(tmp_path / "nowhere" / "identity.json")})
    assert status == 1
    assert "/credentials/0/file: cannot read" in output and "nowhere/identity.json" in output
