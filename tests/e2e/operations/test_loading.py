"""What in HAProxy's own files would let calls through undecided, uncounted or to the wrong host does
not load, and is told with its place; what resembles it does."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support.log.server import LogServer
from support.world.bare import bare
from support.world.configuration import Configuration, vertex_json
from support.world.haproxy import Haproxy
from support.world.place import free_port, haproxy_version
from support.world.ruleset import elsewhere
from support.world.standin import Standin

ACCOUNT = (
    "%[str(-),concat(,txn.vertex.verdict),concat(^,txn.vertex.revoked),concat(^,txn.vertex.upstream),"
    "concat(^,txn.vertex.sent_status),concat(^,txn.vertex.uploaded),lua.vertex_log_fields]"
)


@pytest.fixture
def refused(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> Callable[..., str]:
    """What `haproxy -c` says of a configuration that it must refuse."""

    def one(**different: object) -> str:
        check = launch(configuration(**different), start=False).check()
        assert check.status == 1, check.output
        assert "test.cfg:" in check.output, check.output
        return check.output

    return one


@pytest.fixture
def taken(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> Callable[..., None]:
    def one(**different: object) -> None:
        check = launch(configuration(**different), start=False).check()
        assert check.status == 0, check.output

    return one


EARLY = ["%ci %ST", "%tsc", "%r", "%%B", "%[res.hdr(x)]"]
LATE = ["%B", "%Ta", "%Tt", "%ts", "%{+Q}U", "%ID"]


@pytest.mark.parametrize("fields", EARLY)
def test_a_log_format_that_is_written_at_the_answers_head_is_refused(
    refused: Callable[..., str], fields: str
) -> None:
    output = refused(frontend_lines=f'log-format "{fields} {ACCOUNT}"')
    assert "has no field that waits for the end of the answer" in output
    assert "write %B, %Ta, %Tt or %ts into it" in output


@pytest.mark.parametrize("fields", LATE)
def test_a_log_format_that_is_written_at_the_answers_end_is_taken(
    taken: Callable[..., None], fields: str
) -> None:
    taken(frontend_lines=f'log-format "{fields} {ACCOUNT}"')


def test_the_same_holds_for_rules_of_ones_own(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> None:
    def check(lines: str) -> tuple[int, str]:
        rules = bare(configuration(), defaults_lines=lines)
        done = launch(rules, start=False).check()
        return done.status, done.output

    assert check(f'log-format "%B {ACCOUNT}"')[0] == 0
    status, output = check(f'log-format "%ci {ACCOUNT}"')
    assert status == 1 and "waits for the end of the answer" in output
    status, output = check(f'log-format "%B {ACCOUNT}"\noption "logasap"')
    assert status == 1 and "has `option \"logasap\"`" in output
    assert check(f'log-format "%B {ACCOUNT}"\noption logasap\nno option logasap')[0] == 0


WRITTEN = [
    ('option "logasap"', "no option 'logasap'"),
    ("option log\\x61sap", "option log-separate-errors"),
    ("'option' dontlog-normal", "option dontlognull"),
    ('http-request "set-log-level" \'silent\'', 'http-request "set-log-level" \'info\''),
]


@pytest.mark.parametrize(("wrong", "right"), WRITTEN)
def test_quotes_and_escapes_hide_nothing(
    refused: Callable[..., str], taken: Callable[..., None], wrong: str, right: str
) -> None:
    assert "lua.vertex_log_fields" in refused(frontend_lines=wrong)
    taken(frontend_lines=right)
    taken(frontend_lines=f"# {wrong}")
    taken(frontend_lines=f".if streq(a,b)\n{wrong}\n.endif")
    refused(frontend_lines=f".if streq(a,a)\n{wrong}\n.endif")


@pytest.mark.skipif(haproxy_version() < (3, 1), reason="HAProxy has it since 3.1")
@pytest.mark.parametrize("line", ["http-request do-log", "log-steps request,close"])
def test_a_line_that_is_written_before_the_end_is_refused(
    refused: Callable[..., str], taken: Callable[..., None], line: str
) -> None:
    assert f"has `{line}`" in refused(frontend_lines=line)
    taken(frontend_lines="log-steps close")


@pytest.mark.skipif(haproxy_version() < (3, 1), reason="HAProxy has profiles since 3.1")
def test_a_profile_ends_no_call(refused: Callable[..., str], taken: Callable[..., None]) -> None:
    profile = 'log-profile p\n    on close format "%B {}"\n'
    use = "log 127.0.0.1:9 profile p local0"
    assert "calls lua.vertex_log_fields" in refused(sections=profile.format(ACCOUNT), frontend_lines=use)
    taken(sections=profile.format("%ci"), frontend_lines=use)


# Where frontends lead.

OTHER = "frontend other{}\n    mode http\n    timeout client 5s\n    bind 127.0.0.1:{}\n    {}\n"


def other(way: str, parent: str = "") -> str:
    return OTHER.format(parent, free_port(), way)


@pytest.mark.parametrize(
    "way",
    [
        "use_backend vertex_us-central1 if { path / }",
        'default_backend "vertex_global"',
        "use_backend vertex_%[var(txn.vertex.location)]",
    ],
)
def test_a_frontend_without_our_rules_that_leads_to_google_is_refused(
    refused: Callable[..., str], taken: Callable[..., None], standin: Standin, way: str
) -> None:
    output = refused(sections=other(way))
    assert "without our rules" in output and "write `frontend other from vertex`" in output
    taken(sections=other(way, " from vertex"))
    taken(sections=other("default_backend elsewhere") + elsewhere(standin))


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ("", "leads to no vertex_… backend"),
        ("default_backend elsewhere", "leads to no vertex_… backend"),
        ("use_backend vertex_%[var(txn.vertex.locaton)]", "txn.vertex.locaton is no location"),
        ("use_backend vertex_%[var(txn.mine)]", "nothing sets txn.mine"),
        ("use_backend vertx_%[var(txn.vertex.location)]", "begins with vertx_"),
    ],
)
def test_a_frontend_with_our_rules_that_leads_nowhere_is_refused(
    refused: Callable[..., str],
    taken: Callable[..., None],
    standin: Standin,
    way: str,
    says: str,
) -> None:
    output = refused(use_backend=way, sections=elsewhere(standin))
    assert says in output and "write `use_backend vertex_%[var(txn.vertex.location)]`" in output
    taken(use_backend=f"{way}\nuse_backend vertex_us-central1", sections=elsewhere(standin))


@pytest.mark.parametrize(
    "way",
    [
        "use_backend vertex_us-central1",
        "default_backend vertex_global",
        "http-request set-var(txn.mine) str(global)\nuse_backend vertex_%[var(txn.mine)]",
    ],
)
def test_a_frontend_with_our_rules_that_leads_to_a_location_is_taken(
    taken: Callable[..., None], way: str
) -> None:
    taken(use_backend=way)


# Who answers.

BACKENDS = [
    ("mode http", "has no server"),
    ("server s 192.0.2.1:80", "without ssl"),
    ("server s 192.0.2.1:443 ssl verify none sni str(x)", "with verify none"),
    ("default-server ssl verify none sni str(x)\n    server s 192.0.2.1:443", "with verify none"),
    ("server s 192.0.2.1:443 ssl verify required ca-file {ca}", "without sni"),
]


@pytest.mark.parametrize(("lines", "says"), BACKENDS)
@pytest.mark.parametrize(
    "head",
    [
        "backend vertex_asia-east1 from vertex-upstream\n    filter lua.vertex-meter",
        "backend vertex_fetch_other.example from vertex-fetch",
    ],
)
def test_a_server_that_proves_nothing_is_refused(
    refused: Callable[..., str],
    taken: Callable[..., None],
    standin: Standin,
    head: str,
    lines: str,
    says: str,
) -> None:
    lines = lines.format(ca=standin.ca)
    output = refused(sections=f"{head}\n    {lines}\n")
    assert says in output and "ssl verify required ca-file @system-ca sni str(" in output
    verified = f"ssl verify required ca-file {standin.ca} sni str(x)"
    for right in (f"192.0.2.1:443 {verified}", "127.0.0.1:80", "unix@/x.sock", "169.254.169.254:80"):
        taken(sections=f"{head}\n    server s {right}\n")


def test_a_server_without_a_word_on_verify_follows_the_global_one(
    refused: Callable[..., str], taken: Callable[..., None], standin: Standin
) -> None:
    head = "backend vertex_fetch_other.example from vertex-fetch"
    server = f"server s 192.0.2.1:443 ssl ca-file {standin.ca} sni str(x)"
    lax = "ssl-server-verify none"
    assert "with verify none" in refused(global_lines=lax, sections=f"{head}\n    {server}\n")
    taken(global_lines=lax, sections=f"{head}\n    {server} verify required\n")
    taken(sections=f"{head}\n    {server}\n")


# Where the worker runs.


# RFC 7517 appendix A.1.
KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "kid": "1",
}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_chroot_without_the_socket_is_refused(
    refused: Callable[..., str], taken: Callable[..., None], standin: Standin, tmp_path: Path
) -> None:
    jwks = tmp_path / "keys.json"
    jwks.write_text(json.dumps({"keys": [KEY]}))
    output = refused(environment={"VERTEX_FETCH_DST": "/elsewhere.sock"})
    assert "set VERTEX_FETCH_BIND=" in output and "/chroot/elsewhere.sock" in output
    taken()
    # Who fetches no keys has no use for it.
    vertex = vertex_json(standin.service_account)
    vertex["issuers"][0]["jwks_file"] = str(jwks)
    taken(vertex=vertex, environment={"VERTEX_FETCH_DST": "/elsewhere.sock"})


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_socket_that_the_worker_cannot_open_is_refused(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> None:
    def check(owner: str) -> tuple[int, str]:
        made = launch(configuration(environment={"VERTEX_USER": owner}), start=False)
        done = made.check()
        return done.status, done.output

    status, output = check("nobody")
    assert status == 1 and "set VERTEX_USER=haproxy" in output, output
    assert check("haproxy")[0] == 0


@dataclasses.dataclass
class Chrooted(Configuration):
    """In a chroot of this name."""

    chroot: str = ""

    def _global(self, folder: object) -> str:
        text = super()._global(folder)  # type: ignore[arg-type]
        return text.replace(f"chroot {folder}/chroot", f"chroot {self.chroot}")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_chroot_of_haproxy_s_own_is_refused(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> None:
    """HAProxy 3.4 has `chroot auto`; to older ones it is a folder's name."""
    made = Chrooted(**vars(configuration()), chroot="auto")
    check = launch(made, start=False).check()
    assert check.status == 1
    assert "name a folder, as in `chroot /var/lib/haproxy`" in check.output


def test_scripts_of_two_kinds_are_refused_before_3_0(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy], tmp_path: Path
) -> None:
    script = tmp_path / "other.lua"
    script.write_text("-- nothing\n")

    def check(keyword: str) -> tuple[int, str]:
        done = launch(configuration(global_lines=f"{keyword} {script}"), start=False).check()
        return done.status, done.output

    assert check("lua-load-per-thread")[0] == 0
    status, output = check("lua-load")
    if haproxy_version() >= (3, 0):
        assert status == 0, output
    else:
        assert status == 1 and "write lua-load-per-thread for both" in output


def test_every_fault_is_told_at_once(refused: Callable[..., str]) -> None:
    output = refused(
        frontend_lines='option "logasap"',
        use_backend="",
        sections=other("use_backend vertex_global"),
    )
    for part in ("leads to no vertex_… backend", "without our rules", 'has `option "logasap"`'):
        assert part in output


# Claims.


@pytest.mark.parametrize("place", ["who", "groups", "display"])
def test_a_claim_with_dots_for_slashes_is_refused(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    place: str,
) -> None:
    def check(name: str) -> tuple[int, str]:
        vertex = vertex_json(standin.service_account)
        if place == "who":
            vertex["roles"][0]["who"]["claims"] = {name: {"equals": "ml"}}
        else:
            vertex["issuers"][0]["claims"][place] = name
        done = launch(configuration(vertex=vertex), start=False).check()
        return done.status, done.output

    status, output = check("realm_access.roles")
    assert status == 1 and "the JSON pointer /realm_access/roles is wanted" in output
    for name in ("/realm_access/roles", "/realm_access.roles", "https://x.example/roles", "roles"):
        status, output = check(name)
        assert status == 0, output


def test_what_is_hardly_meant_is_a_warning_in_the_log(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    vertex = vertex_json(standin.service_account)
    vertex["roles"][0]["may"]["models"] += ["mistral/*"]
    gateway(vertex=vertex)
    doubt = "/roles/0/may/models/1: no publisher of Google's is known here as mistral"
    lines = logs.wait_until(lambda lines: any(doubt in line for line in lines), "a warning")
    assert sum("/may/models/" in line for line in lines) == 1
