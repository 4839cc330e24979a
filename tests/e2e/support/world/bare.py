"""An HAProxy without the packaged rule set: the module's actions in rules of one's own."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from support.wire.http1 import Response
from support.world.configuration import Configuration, section

VERIFY = "http-request lua.vertex-verify"
AUTHORIZE = "http-request lua.vertex-authorize"
SIGN = "http-request lua.vertex-sign role"
ALL = "http-request lua.vertex"

BOOLEANS = ("verified", "allowed", "signed")
CALLER = ("issuer", "subject", "principal")
GRANT = ("role", "credential", "google_identity")
TARGET = ("project", "location", "publisher", "model", "method")
REFUSAL = ("status", "message", "error")
NAMES = (*BOOLEANS, *CALLER, *GRANT, *TARGET, *REFUSAL, "decision", "reason", "id", "audit")

# What the packaged rule set says, said by rules of one's own.
_STATUSES = (400, 401, 403, 404, 413, 503)
ANSWERS = "\n".join(
    f"http-request return status {status} content-type application/json"
    f' lf-string "%[var(txn.vertex.error)]" if {{ var(txn.vertex.status) -m str {status} }}'
    for status in _STATUSES
)

# Every answer, whoever gives it, tells what the variables held.
SHOW = "\n".join(
    f'http-after-response set-header x-{name} "%[var(txn.vertex.{name})]"' for name in NAMES
)

# What a log-format of one's own has to ask, and what reads an answer.
COUNTING = (
    '[str(-),concat(,txn.vertex.verdict),concat(^,txn.vertex.revoked),concat(^,txn.vertex.upstream),'
    'concat(^,txn.vertex.sent_status),concat(^,txn.vertex.uploaded),lua.vertex_log_fields]'
)
LOGGED = f"""log-format "%ci:%cp [%tr] %ft %b/%s %Ta %ST %B %{COUNTING}}}"
http-after-response set-var(txn.vertex.sent_status) status
http-after-response set-var(txn.vertex.sent_status) status,neg unless {{ srv_id gt 0 }}
"""
READ = "filter lua.vertex-meter\nhttp-response set-var(txn.vertex.upstream) status\nhttp-response lua.vertex-meter"


# The status of `unless`, which is nobody else's.
GATE = 410


def unless(name: str, status: int = GATE) -> str:
    """The gate that belongs behind an action."""
    return f"http-request deny deny_status {status} unless {{ var(txn.vertex.{name}) -m bool }}"


STEPS = "\n".join(
    [VERIFY, unless("verified"), AUTHORIZE, unless("allowed"), SIGN, unless("signed")]
)


def shown(response: Response) -> dict[str, str]:
    """The variables that were set."""
    values = {name: response.header(f"x-{name}") for name in NAMES}
    return {name: value for name, value in values.items() if value}


@dataclass
class Bare(Configuration):
    """`rules` are the frontend's; what passes them goes on to the stand-in."""

    rules: str = "\n".join([ALL, unless("signed")])
    before_backend: str = ""
    defaults_lines: str = ""
    load: str = "lua-load-per-thread"
    environment: dict[str, str | None] = dataclasses.field(
        default_factory=lambda: {"VERTEX_RULES": None}
    )

    def file_arguments(self, own: Path) -> list[str]:
        first = own.with_name("first.cfg")
        first.write_text(section("global", [f"nbthread {self.nbthread}"]))
        return ["-f", str(first), "-f", str(own)]

    def text(self, folder: Path) -> str:
        loading = [
            "tune.bufsize 36864",
            "tune.maxrewrite 8192",
            ".if version_atleast(3.1)",
            "tune.lua.bool-sample-conversion normal",
            ".endif",
            'lua-prepend-path "${VERTEX_SHARE}/?.lua"',
            f'{self.load} "${{VERTEX_SHARE}}/vertex.lua"',
        ]
        defaults = ["mode http", "timeout client 30s", "timeout connect 5s", "timeout server 30s"]
        binds = self._binds()
        google = f"server google 127.0.0.1:{self.google_http}"
        fetch = [
            'bind "unix@${VERTEX_FETCH_BIND}" mode 600 user "${VERTEX_USER}"',
            "filter lua.vertex-fetch-length",
            "use_backend vertex_fetch_%[req.hdr(host),lower]",
            "http-after-response set-header x-vertex-fetch-error no-backend"
            " if { be_name vertex_fetch }",
        ]
        idp = (
            f"server idp 127.0.0.1:{self.idp_https}"
            f" ssl verify required ca-file {self.ca} sni str(idp.example)"
        )
        whole = [
            "retries 0",
            "http-response wait-for-body time 5s",
            "http-response set-var(res.vertex.length) res.body_len",
            "http-response set-var(res.vertex.size) res.body_size",
            'http-response return status 502 content-type text/plain string "too large" '
            'hdr x-vertex-fetch-error "too-large %[var(res.vertex.size)] 26000" '
            "if { var(res.vertex.size) -m int gt 26000 }",
            "http-response return status 502 unless { var(res.vertex.size),sub(res.vertex.length) eq 0 }",
            "http-response set-header x-vertex-fetched yes",
        ]
        return "\n".join(
            [
                self._global(folder),
                section("global", loading, self.global_lines),
                section("defaults", defaults, self.defaults_lines),
                section(
                    "frontend ai",
                    [*binds, "default_backend google"],
                    self.rules,
                    self.frontend_lines,
                    SHOW,
                ),
                section("backend google", [], self.before_backend, google, self.upstream_lines),
                section("frontend vertex_fetch", fetch),
                section("backend vertex_fetch_idp.example", [idp, *whole]),
                self.sections,
                "",
            ]
        )


def bare(configuration: Configuration, **different: object) -> Bare:
    """The same gateway without the packaged rule set."""
    fields = {
        field.name: getattr(configuration, field.name)
        for field in dataclasses.fields(Configuration)
        if field.name not in ("environment", "port", "tls_port")
    }
    return Bare(**{**fields, **different})
