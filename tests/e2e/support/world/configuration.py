"""The configuration of one test: defaults that work, every piece of it replaceable."""

import json
import os
import pwd
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.world.place import CONFIGURATION, ROOT, SHARE, free_port, lua_cpath, lua_version

LOCATIONS = ("us-central1", "global", "europe-west4")


def google_host(location: str) -> str:
    prefix = "" if location == "global" else f"{location}-"
    return f"{prefix}aiplatform.googleapis.com"


def vertex_json(service_account: Path) -> dict[str, Any]:
    """One issuer, one credential, one role. A fresh copy each time: change it at will."""
    return {
        "issuers": [
            {
                "name": "corp",
                "issuer": "https://idp.example/corp",
                "audiences": ["vertex-gateway"],
                "claims": {"groups": "groups", "display": "email"},
            }
        ],
        "credentials": [
            {"name": "ml-prod", "type": "service_account", "file": str(service_account)}
        ],
        "roles": [
            {
                "name": "ml-team",
                "who": {"issuer": "corp", "groups": ["ml"]},
                "may": {
                    "projects": ["acme-ml"],
                    "locations": ["us-central1", "global"],
                    "models": ["google/gemini-2.5-*"],
                    "methods": ["generateContent", "streamGenerateContent", "countTokens"],
                },
                "as": "ml-prod",
            }
        ],
    }


@dataclass
class Configuration:
    """What a test may vary. `google`, `idp` and `ca` come from the stand-in.

    The text pieces are lines of HAProxy's language, added where their name says;
    `files` replaces the whole list of configuration files.
    """

    google_http: int | None = None
    google_https: int | None = None
    idp_https: int | None = None
    ca: Path | None = None
    log_port: int | None = None

    vertex: dict[str, Any] | str | None = None
    locations: tuple[str, ...] = LOCATIONS
    upstream_tls: bool = False
    tls_certificate: Path | None = None
    nbthread: int = 2
    log_length: int = 4096
    fetch_hosts: tuple[str, ...] = ("idp.example",)

    global_lines: str = ""
    frontend_lines: str = ""
    meter: str = "filter lua.vertex-meter"
    use_backend: str = "use_backend vertex_%[var(txn.vertex.location)]"
    upstream_lines: str = ""
    sections: str = ""

    files: list[Path | str] | None = None
    share: Path = SHARE
    environment: dict[str, str | None] = field(default_factory=dict)

    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)

    def file_arguments(self, own: Path) -> list[str]:
        # HAProxy takes nbthread only before the first section that is not a global one.
        first = own.with_name("first.cfg")
        first.write_text(section("global", [f"nbthread {self.nbthread}"]))
        chosen = self.files if self.files is not None else [first, CONFIGURATION, own]
        return [part for file in chosen for part in ("-f", str(file))]

    def text(self, folder: Path) -> str:
        """test.cfg, for an HAProxy whose sockets and chroot are in `folder`."""
        return "\n".join(
            [self._global(folder), self._frontend(), self._backends(), self.sections, ""]
        )

    def _global(self, folder: Path) -> str:
        lines = [
            f"stats socket {folder}/stats mode 600 level admin",
        ]
        if self.log_port is not None:
            lines.append(f"log 127.0.0.1:{self.log_port} len {self.log_length} local0")
        if os.geteuid() == 0:
            lines += ["user haproxy", "group haproxy", f"chroot {folder}/chroot"]
        return section("global", lines, self.global_lines)

    def _frontend(self) -> str:
        head = "frontend ai from vertex"
        return section(head, self._binds(), self.frontend_lines, self.use_backend)

    def _binds(self) -> list[str]:
        lines = [f"bind 127.0.0.1:{self.port}"]
        if self.tls_certificate is not None:
            lines.append(
                f"bind 127.0.0.1:{self.tls_port} ssl crt {self.tls_certificate}"
                " alpn h2,http/1.1"
            )
        return lines

    def _backends(self) -> str:
        sections = []
        for location in self.locations:
            host = google_host(location)
            server = f"server google 127.0.0.1:{self.google_http}"
            if self.upstream_tls:
                server = (
                    f"server google 127.0.0.1:{self.google_https}"
                    f" ssl verify required ca-file {self.ca} sni str({host})"
                )
            name = f"backend vertex_{location} from vertex-upstream"
            sections.append(section(name, [self.meter, server], self.upstream_lines))
        for host in self.fetch_hosts:
            server = (
                f"server idp 127.0.0.1:{self.idp_https}"
                f" ssl verify required ca-file {self.ca} sni str({host})"
            )
            sections.append(section(f"backend vertex_fetch_{host} from vertex-fetch", [server]))
        return "\n".join(sections)

    def environ(self, folder: Path, binary: str) -> dict[str, str]:
        root = os.geteuid() == 0
        bind = folder / "chroot" / "vertex-fetch.sock"
        ours = {
            "VERTEX_CONFIG": str(folder / "vertex.json"),
            "VERTEX_SHARE": str(self.share),
            "VERTEX_FETCH_BIND": str(bind),
            "VERTEX_FETCH_DST": "/vertex-fetch.sock" if root else str(bind),
            "VERTEX_USER": "haproxy" if root else _user_name(),
            **lua_cpath(f"{ROOT}/dist/lua/{lua_version(binary)}/?.so;;", binary),
        }
        if self.log_port is not None:
            ours["VERTEX_LOG"] = f"127.0.0.1:{self.log_port}"
            ours["VERTEX_LOG_LENGTH"] = str(self.log_length)
        merged = {**os.environ, **ours, **self.environment}
        return {name: value for name, value in merged.items() if value is not None}

    def vertex_text(self) -> str | None:
        """A string is written as it is, so that a test can write broken JSON."""
        if self.vertex is None or isinstance(self.vertex, str):
            return self.vertex
        return json.dumps(self.vertex, indent=2)


@dataclass
class Written(Configuration):
    """An HAProxy without the gateway: what stands in `own`, behind a statistics socket."""

    own: str = ""

    def file_arguments(self, own: Path) -> list[str]:
        return ["-f", str(own)]

    def text(self, folder: Path) -> str:
        return self._global(folder) + self.own


def unread(vertex: dict[str, Any]) -> dict[str, Any]:
    """The same with roles whose bodies may be anything."""
    for role in vertex["roles"]:
        role["body"] = "unread"
    return vertex


def section(head: str, lines: list[str], *more: str) -> str:
    body = lines + [line.strip() for text in more for line in text.splitlines()]
    return "\n".join([head, *(f"    {line}" for line in body if line), ""])


def _user_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
