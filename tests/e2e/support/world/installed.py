"""The shipped configurations, as an operator would install them: copies in a folder of a test.

Only what depends on the machine is written anew: key files, certificates, paths of sockets.
"""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from support.world.certificate import self_signed
from support.world.haproxy import Check
from support.world.place import ROOT, haproxy_binary, haproxy_version, lua_cpath, lua_version
from support.world.systemd import knows_systemd

SHIPPED = ROOT / "haproxy-conf"
MASTER_WORKER = "-Ws" if knows_systemd(haproxy_binary()) else "-W"


@dataclass
class Installed:
    folder: Path
    conf: Path = SHIPPED  # where vertex.cfg and its companions come from
    share: Path = ROOT / "lua"
    cpath: str = f"{ROOT}/dist/lua/{lua_version(haproxy_binary())}/?.so;;"
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "vertex").mkdir(parents=True)
        (self.folder / "certs").mkdir()
        (self.folder / "run").mkdir()
        for file in self.conf.iterdir():
            shutil.copy(file, self.folder / file.name)

    def path(self, name: str) -> Path:
        return self.folder / name

    def edit(self, name: str, *changes: tuple[str, str]) -> None:
        """Each change must find its text."""
        text = self.path(name).read_text()
        for old, new in changes:
            if old not in text:
                raise AssertionError(f"{name} has no {old!r}")
            text = text.replace(old, new)
        self.path(name).write_text(text)

    def production(self, service_account: Path, ca: Path) -> list[str]:
        """vertex.cfg and production.cfg, ready to check."""
        shutil.copy(service_account, self.path("vertex/ml-prod.json"))
        self_signed(self.path("certs"), "gateway.example")
        for leftover in ("bind.crt", "bind.key"):
            self.path(f"certs/{leftover}").unlink()
        self.edit(
            "production.cfg",
            ("/etc/haproxy/certs/", f"{self.folder}/certs/"),
            ("/run/haproxy/", f"{self.folder}/run/"),
            ("chroot /var/lib/haproxy", f"chroot {self.folder}/run"),
        )
        self.environment["VERTEX_FETCH_DST"] = "/fetch.sock"
        self.without_system_ca("production.cfg", ca)
        self.environment["VERTEX_CONFIG"] = str(self.path("vertex.json"))
        return ["vertex.cfg", "production.cfg"]

    def quickstart(self, ca: Path) -> list[str]:
        self.path("access-token").write_text("ya29.throw-away\n")
        self.without_system_ca("quickstart.cfg", ca)
        self.environment["VERTEX_CONFIG"] = str(self.path("quickstart.json"))
        return ["vertex.cfg", "quickstart.cfg"]

    def without_system_ca(self, name: str, ca: Path) -> None:
        if haproxy_version() == (2, 8):  # that build knows no folder of the system's
            self.edit(name, ("@system-ca", str(ca)))

    def environ(self) -> dict[str, str]:
        user = {} if os.geteuid() == 0 else {"VERTEX_USER": os.environ.get("USER", "nobody")}
        return {
            **os.environ,
            **user,
            "VERTEX_SHARE": str(self.share),
            "VERTEX_FETCH_BIND": str(self.path("run/fetch.sock")),
            "VERTEX_FETCH_DST": str(self.path("run/fetch.sock")),
            **lua_cpath(self.cpath),
            **self.environment,
        }

    def run(self, *arguments: str, timeout: float = 30) -> Check:
        """HAProxy with these arguments, until it ends; what it wrote on either stream."""
        done = subprocess.run(
            [haproxy_binary(), *arguments],
            cwd=self.folder,
            env=self.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
        return Check(done.returncode, done.stdout.decode("utf-8", "replace"))

    def check(self, files: list[str]) -> Check:
        return self.run("-c", *(part for file in files for part in ("-f", str(self.path(file)))))

    def change_json(self, name: str, change: object) -> None:
        """`change` is called with the parsed file, or is the text to write."""
        if isinstance(change, str):
            self.path(name).write_text(change)
            return
        content = json.loads(self.path(name).read_text())
        change(content)  # type: ignore[operator]
        self.path(name).write_text(json.dumps(content))
