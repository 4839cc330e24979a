"""The HAProxys that are compared, and the upstream that they share."""

import base64
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.world.configuration import Configuration, Written, unread, vertex_json
from support.world.place import CONFIGURATION

from measure import Invalid
from sink import Sink

CALLER, GOOGLE = "caller", "google"

# As `vertex_json` has them.
ISSUER, AUDIENCE = "https://idp.example/corp", "vertex-gateway"

# As haproxy-conf/vertex.cfg has them, so that no difference is due to them.
_COMMON = """
global
    nbthread 1
    stats socket {folder}/stats mode 600 level admin
    tune.bufsize {bufsize}
    tune.maxrewrite {maxrewrite}
    {user}
defaults
    mode http
    option http-no-delay
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout client 60s
    timeout connect 5s
    timeout queue 10s
    timeout server 600s
    timeout tunnel 600s
"""

_PLAIN = """
frontend ai
    bind 127.0.0.1:{port}
    log {log} len 4096 local0
    option httplog
    {rules}
    default_backend upstream
backend upstream
    server upstream 127.0.0.1:{upstream}
"""

# What HAProxy's own manual and tutorials show, no more: a signature, and two claims.
_NATIVE_RULES = """
    http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')
    http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 }
    http-request deny deny_status 401 unless { http_auth_bearer,jwt_payload_query('$.aud') -m str vertex-gateway }
    http-request set-var(txn.exp) http_auth_bearer,jwt_payload_query('$.exp','int')
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 unless { var(txn.exp),sub(txn.now) -m int gt 0 }
    http-request deny deny_status 401 unless { http_auth_bearer,jwt_verify(txn.alg,"%s") -m int 1 }
"""

# Answers at once, but only to the credential that must arrive: every measured answer that is a
# 200 came with the right one.
_UPSTREAM = """
frontend {caller}
    bind 127.0.0.1:{caller_port}
    http-request deny deny_status 401 unless {{ req.hdr(authorization) -m beg "Bearer ey" }}
    http-request return status 200 content-type application/json file {answer}
frontend {google}
    bind 127.0.0.1:{google_port}
    http-request deny deny_status 401 unless {{ req.hdr(authorization) -m str "Bearer {token}" }}
    http-request return status 200 content-type application/json file {answer}
"""


@dataclass
class Compared(Written):
    """`own` behind the common part."""

    def text(self, folder: Path) -> str:
        user = "user haproxy\n    group haproxy" if os.geteuid() == 0 else ""
        sizes = {"bufsize": preset("VERTEX_BUFSIZE"), "maxrewrite": preset("VERTEX_MAXREWRITE")}
        return _COMMON.format(folder=folder, user=user, **sizes) + self.own


def preset(name: str) -> str:
    """The value that vertex.cfg gives a variable."""
    found = re.search(rf"^\s*presetenv {name} (\S+)$", CONFIGURATION.read_text(), re.M)
    if found is None:
        raise Invalid(f"vertex.cfg presets no {name}")
    return found[1]


def upstream(answer: Path, google_token: str) -> tuple[Compared, dict[str, int]]:
    """The upstream and its ports."""
    configuration = Compared()
    ports = {CALLER: configuration.port, GOOGLE: configuration.tls_port}
    configuration.own = _UPSTREAM.format(
        caller=CALLER,
        google=GOOGLE,
        caller_port=ports[CALLER],
        google_port=ports[GOOGLE],
        answer=answer,
        token=google_token,
    )
    return configuration, ports


def plain(sink: Sink, port: int, rules: str = "") -> Compared:
    configuration = Compared()
    configuration.own = _PLAIN.format(
        port=configuration.port, upstream=port, log=sink.address, rules=rules.strip()
    )
    return configuration


def native(sink: Sink, port: int, key: Path) -> Compared:
    """With HAProxy's own verification of tokens."""
    return plain(sink, port, _NATIVE_RULES % key)


@dataclass(frozen=True)
class Gateways:
    """What all gateways have in common."""

    sink: Sink
    idp_port: int
    ca: Path
    token_file: Path

    def leading_to(
        self,
        port: int,
        kind: type[Configuration] = Configuration,
        *,
        reading: bool = False,
        **more: Any,
    ) -> Configuration:
        """`reading`: its roles look into the bodies of requests."""
        vertex = self._vertex()
        return kind(
            google_http=port,
            idp_https=self.idp_port,
            ca=self.ca,
            vertex=vertex if reading else unread(vertex),
            nbthread=1,
            environment={"VERTEX_LOG": self.sink.address, "VERTEX_LOG_LENGTH": "4096"},
            **more,
        )

    def _vertex(self) -> dict[str, Any]:
        vertex = vertex_json(self.token_file)
        vertex["credentials"] = [
            {"name": "ml-prod", "type": "access_token", "file": str(self.token_file)}
        ]
        return vertex


def rsa_key_pem(jwks: str) -> str:
    """The RS256 key of a JWK set as `jwt_verify` wants it (RFC 8017 A.1.1 within RFC 5280 4.1)."""
    key = next(key for key in json.loads(jwks)["keys"] if key["alg"] == "RS256")
    numbers = b"".join(_der(0x02, b"\0" + _decoded(key[name])) for name in ("n", "e"))
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    der = _der(0x30, algorithm + _der(0x03, b"\0" + _der(0x30, numbers)))
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{text}-----END PUBLIC KEY-----\n"


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content
