"""What is shipped loads without a word, and what is broken is told so that one can mend it."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.wire.calls import post
from support.world.configuration import Configuration
from support.world.haproxy import Check, Haproxy, NotStarted
from support.world.installed import MASTER_WORKER, Installed
from support.world.place import (
    CONFIGURATION,
    ROOT,
    SHARE,
    haproxy_binary,
    haproxy_version,
    lua_version,
    short_folder,
)
from support.world.standin import Standin
from support.world.systemd import Systemd

VALID = {"", "Configuration file is valid\n"}


def assert_silent(check: Check) -> None:
    assert (check.status, check.output) in {(0, text) for text in VALID}


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path / "haproxy")


@pytest.fixture
def production(installed: Installed, standin: Standin) -> list[str]:
    return installed.production(standin.service_account, standin.ca)


def test_the_production_configuration_is_valid(
    installed: Installed, production: list[str]
) -> None:
    assert_silent(installed.check(production))


def test_the_quickstart_configuration_is_valid(installed: Installed, standin: Standin) -> None:
    assert_silent(installed.check(installed.quickstart(standin.ca)))


def test_every_shipped_file_is_checked_here(installed: Installed) -> None:
    shipped = {path.name for path in installed.conf.iterdir()}
    checked = {"vertex.cfg", "production.cfg", "vertex.json", "quickstart.cfg", "quickstart.json"}
    checked |= {"vertex.schema.json"}  # test_schema
    assert shipped == checked


# As in Debian's /etc/haproxy/haproxy.cfg, which does not know of us.
DEBIAN = """
global
    log /dev/log local0
    maxconn 1000
defaults
    log global
    mode http
    option httplog
    option dontlognull
    timeout connect 5000
    timeout client 50000
    timeout server 50000
"""


def beside_debian_s_own(installed: Installed, production: list[str]) -> None:
    ours = installed.path("production.cfg").read_text()
    installed.path("haproxy.cfg").write_text(DEBIAN + ours)
    assert production == ["vertex.cfg", "production.cfg"]


def test_debian_s_command_line_is_silent(installed: Installed, production: list[str]) -> None:
    """`EXTRAOPTS` and `CONFIG` of Debian's unit: the check before each start and reload."""
    beside_debian_s_own(installed, production)
    config = f"{installed.path('vertex.cfg')} -f {installed.path('haproxy.cfg')}"

    words = [MASTER_WORKER, "-f", *config.split(), "-c", "-q"]
    assert_silent(installed.run(*words))


def test_debian_s_own_file_read_first_is_refused(
    installed: Installed, production: list[str]
) -> None:
    # `from vertex` needs its section read before: this is why the order is documented.
    beside_debian_s_own(installed, production)
    assert installed.check(["haproxy.cfg", "vertex.cfg"]).status == 1
    assert installed.check(["vertex.cfg", "haproxy.cfg"]).status == 0


def test_a_conf_d_directory_is_silent(installed: Installed, production: list[str]) -> None:
    conf_d = installed.path("conf.d")
    conf_d.mkdir()
    for place, file in enumerate(production):
        shutil.copy(installed.path(file), conf_d / f"{place}0-{file}")

    assert_silent(installed.run(MASTER_WORKER, "-c", "-f", str(conf_d)))
    assert_silent(installed.run(MASTER_WORKER, "-c", "-f", f"{conf_d}/"))


@pytest.mark.skipif(MASTER_WORKER != "-Ws", reason="this HAProxy was built without -Ws")
def test_debian_s_command_line_starts_and_tells_systemd(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> None:
    haproxy = launch(configuration(), start=False)
    haproxy.write()
    files = haproxy.configuration.file_arguments(haproxy.folder / "test.cfg")
    environment = haproxy.configuration.environ(haproxy.folder, haproxy.binary)
    with Systemd(haproxy.folder / "notify") as systemd:
        systemd.run([haproxy.binary, "-Ws", *files], environment, haproxy.folder / "stderr")
        assert systemd.ready(), haproxy.stderr
        assert post(haproxy, None).status == 401
        assert systemd.stop() in (0, 143)  # `SuccessExitStatus=143` of Debian's unit


@pytest.fixture(scope="session")
def tree() -> Path:
    """`make install`, as a distribution's package runs it. HAProxy's worker must read it."""
    folder = short_folder()
    triplet = f"TRIPLET={os.uname().machine}-linux-gnu"
    subprocess.run(["make", "-s", "install", f"DESTDIR={folder}", triplet], cwd=ROOT, check=True)
    yield folder
    shutil.rmtree(folder)


def test_an_installed_tree_is_laid_out_as_a_package_s(tree: Path) -> None:
    machine = f"{os.uname().machine}-linux-gnu"
    found = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    share = "usr/share/haproxy-vertex"
    expected = {f"usr/lib/{machine}/lua/{lua}/haproxy_vertex.so" for lua in ("5.3", "5.4")}
    expected |= {f"{share}/{path.relative_to(SHARE)}" for path in SHARE.rglob("*.lua")}
    expected |= {f"{share}/haproxy-conf/{p.name}" for p in CONFIGURATION.parent.iterdir()}
    expected |= {"usr/include/haproxy_vertex.h", "usr/bin/haproxy-vertex"}
    documents = [path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("LICENSE-*"))]
    expected |= {f"usr/share/doc/haproxy-vertex/{name}" for name in documents}
    assert found == expected
    modes = {str(p.relative_to(tree)): p.stat().st_mode & 0o777 for p in tree.rglob("*") if p.is_file()}
    assert modes.pop("usr/bin/haproxy-vertex") == 0o755
    assert set(modes.values()) == {0o644}


def test_an_installed_tree_is_valid_and_nothing_else_is_needed(
    tree: Path, tmp_path: Path, standin: Standin
) -> None:
    share = tree / "usr/share/haproxy-vertex"
    installed = Installed(tmp_path / "etc", conf=share / "haproxy-conf", share=share)
    installed.cpath = installed.cpath.replace(
        f"{ROOT}/dist/lua/", f"{tree}/usr/lib/{os.uname().machine}-linux-gnu/lua/"
    )
    files = installed.production(standin.service_account, standin.ca)

    assert_silent(installed.check(files))

    installed.cpath = f"{tree}/nowhere/?.so"
    missing = installed.check(files)
    assert missing.status == 1 and "haproxy_vertex" in missing.output


def drop(*path: str | int) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        del content[path[-1]]

    return change


def put(value: object, *path: str | int) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        content[path[-1]] = value

    return change


# What is changed in vertex.json; the pointer; what is wrong; what would be right.
FAULTS: dict[str, tuple[object, str, str, str]] = {
    "an unknown field": (
        put(1, "roles", 0, "modells"), "/roles/0/modells", "no such member is known here", "`may`",
    ),
    "an unknown field at the top": (
        put([], "role"), "/role", "no such member is known here", "`roles`",
    ),
    "a missing field": (
        drop("roles", 0, "may", "methods"), "/roles/0/may", "`methods`", "is missing",
    ),
    "a field twice": (
        '{"issuers": [{"name": "a", "name": "b"}]}', "/issuers/0/name", "it stands twice", "leave one of them",
    ),
    "a missing file": (
        put("nowhere.json", "credentials", 0, "file"), "/credentials/0/file",
        "cannot read", "nowhere.json",
    ),
    "a dangling name": (
        put("ml-prd", "roles", 0, "as"), "/roles/0/as", '"ml-prd"', "one of ml-prod is wanted",
    ),
    "a wrong type": (
        put("all", "roles", 0, "may", "methods"), "/roles/0/may/methods",
        "a list [...] is wanted", "not a text",
    ),
    "a method that there is none": (
        put("generate", "roles", 0, "may", "methods", 0), "/roles/0/may/methods/0",
        '"generate"', "like generateContent",
    ),
    "wrong JSON": ('{"issuers": [', "", "line 1, column 13: it ends too early", "] or } is missing"),
    "a comment": (
        '{\n  "issuers": [], // none yet\n}', "", "line 2, column 18", "JSON has no comments: leave it out",
    ),
    "no JSON": ("issuers:\n", "", "line 1, column 1", "{ is wanted"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_with_file_pointer_wrong_and_right(
    installed: Installed, production: list[str], fault: str
) -> None:
    change, pointer, wrong, right = FAULTS[fault]
    installed.change_json("vertex.json", change)

    check = installed.check(production)

    assert check.status == 1
    where = f"{installed.path('vertex.json')}: " + (f"{pointer}: " if pointer else "")
    at = check.output.find(where)
    assert at >= 0, check.output
    told = check.output[at:]
    assert wrong in told and right in told, told


def test_all_faults_are_told_at_once_a_line_each_in_the_order_of_the_file(
    installed: Installed, production: list[str]
) -> None:
    def spoil(content: Any) -> None:
        content["issuers"][0]["audience"] = "x"
        content["credentials"][0]["file"] = "nowhere.json"
        content["roles"].append({**content["roles"][0], "name": "other", "as": "nobody"})
        content["roles"][0]["body"] = "all"

    installed.change_json("vertex.json", spoil)
    installed.edit("production.cfg", ("filter lua.vertex-meter", ""))

    check = installed.check(production)

    assert check.status == 1
    files = [f"{installed.path(name)}:" for name in ("vertex.json", "production.cfg")]
    told = [line for line in check.output.splitlines() if any(file in line for file in files)]
    wanted = [
        "/issuers/0/audience: no such member is known here",
        f"/credentials/0/file: cannot read {installed.folder}/nowhere.json: no such file",
        "/roles/0/body: \"all\": one of \"unread\" is wanted",
        '/roles/1/as: there is no credential "nobody"',
        "HAProxy's backend vertex_us-central1 does not read answers",
    ]
    assert [what in line for what, line in zip(wanted, told)] == [True] * len(wanted), told


@pytest.mark.parametrize(
    ("setting", "size", "told"),
    [
        ("VERTEX_BUFSIZE", "64k", "HAProxy's tune.bufsize: 64k is not the same in every HAProxy: write 65536"),
        ("VERTEX_MAXREWRITE", "8k", "HAProxy's tune.maxrewrite: 8k is not the same in every HAProxy: write 8192"),
        ("VERTEX_FETCH_MAX", "22k", "HAProxy's VERTEX_FETCH_MAX: 22k is not the same in every HAProxy: write 22528"),
    ],
)
def test_a_size_with_a_suffix_is_told_in_bytes(
    installed: Installed, production: list[str], setting: str, size: str, told: str
) -> None:
    installed.environment[setting] = size

    check = installed.check(production)

    assert check.status == 1
    assert told in check.output, check.output
    installed.environment[setting] = told.split()[-1]
    assert_silent(installed.check(production))


def module_line(check: Check) -> str:
    """The one line of it that says more than where it was."""
    [line] = [line for line in check.output.splitlines() if "haproxy_vertex" in line]
    return line


@pytest.mark.parametrize("which", ["none", "of another Lua", "of no kind"])
def test_a_module_that_cannot_be_loaded_is_one_plain_line(
    installed: Installed, production: list[str], tmp_path: Path, which: str
) -> None:
    version = lua_version(haproxy_binary())
    other = {"5.3": "5.4", "5.4": "5.3"}[version]
    so = tmp_path / "haproxy_vertex.so"
    if which == "of another Lua":
        so.write_bytes((ROOT / f"dist/lua/{other}/haproxy_vertex.so").read_bytes())
    elif which == "of no kind":
        so.write_text("no library\n")
    installed.cpath = f"{tmp_path}/?.so"

    check = installed.check(production)

    assert check.status == 1
    wanted = f"this HAProxy has Lua {version}: dist/lua/{version}/haproxy_vertex.so is wanted"
    line = module_line(check)
    if which == "none":
        assert line.endswith(f"vertex: no module; {wanted} at one of {so}"), line
    else:
        assert f"vertex: cannot load {so}: " in line and line.endswith(f"; {wanted} there"), line
    # The twin.
    installed.cpath = f"{ROOT}/dist/lua/{version}/?.so"
    assert_silent(installed.check(production))


def test_a_configuration_that_is_not_there_is_told(
    installed: Installed, production: list[str]
) -> None:
    installed.path("vertex.json").unlink()
    check = installed.check(production)
    assert check.status == 1
    assert f"{installed.path('vertex.json')}: cannot read" in check.output


@pytest.mark.parametrize(
    ("backend", "pointer"),
    [
        ("vertex_europe-west4", "/roles/0/may/locations/1"),
        ("vertex_fetch_login.corp.example", "/issuers/0"),
    ],
)
def test_a_missing_backend_is_printed_and_when_pasted_the_check_passes(
    installed: Installed, production: list[str], standin: Standin, backend: str, pointer: str
) -> None:
    text = installed.path("production.cfg").read_text()
    sections = re.split(r"\n(?=backend |#)", text)
    kept = [section for section in sections if not section.startswith(f"backend {backend} ")]
    assert len(kept) == len(sections) - 1
    installed.path("production.cfg").write_text("\n".join(kept) + "\n")

    check = installed.check(production)

    assert check.status == 1
    assert f"{installed.path('vertex.json')}: {pointer}: " in check.output, check.output
    block = re.search(rf"^backend {re.escape(backend)} from .*\n( +\S.*\n)+", check.output, re.M)
    assert block, check.output
    with installed.path("production.cfg").open("a") as file:
        file.write("\n" + block[0])
    installed.without_system_ca("production.cfg", standin.ca)
    assert_silent(installed.check(production))


@pytest.mark.parametrize("keyword", ["lua-load", "lua-load-per-thread"])
def test_one_lua_for_two_threads_is_refused_before_3_0(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    tmp_path: Path,
    keyword: str,
) -> None:
    rules = tmp_path / "vertex.cfg"
    text = CONFIGURATION.read_text()
    assert "    lua-load-per-thread " in text
    rules.write_text(text.replace("    lua-load-per-thread ", f"    {keyword} "))
    haproxy = launch(configuration(nbthread=2), start=False)
    first, _, own = haproxy.configuration.file_arguments(haproxy.folder / "test.cfg")[1::2]
    haproxy.configuration.files = [first, rules, own]

    if keyword == "lua-load-per-thread" or haproxy_version() >= (3, 0):
        haproxy.start()
        return
    with pytest.raises(NotStarted, match="write lua-load-per-thread instead of lua-load"):
        haproxy.start()
    haproxy.configuration.nbthread = 1
    haproxy.start()


def test_every_link_of_the_installed_documents_leads_to_an_installed_one(tree: Path) -> None:
    documents = sorted((tree / "usr/share/doc/haproxy-vertex").rglob("*.md"))
    links = [
        (document, target.split("#")[0])
        for document in documents
        for target in re.findall(r"\]\(([^)]+)\)", document.read_text())
        if not target.startswith(("https://", "#"))
    ]

    broken = [f"{document.name}: {to}" for document, to in links if not (document.parent / to).exists()]
    assert len(links) > 20
    assert broken == []
