"""Issuers other than the one of `vertex_json`: many, misbehaving, or behind other backends."""

from pathlib import Path
from typing import Any

from support.world.configuration import section, vertex_json
from support.world.standin import Standin

# What a provider does with one of its two documents.
_DOCUMENTS = ("discovery", "jwks")
_WITH_EITHER = ("refuse", "hang", "status", "drip", "endless", "not_json", "redirect")
_WITH_DISCOVERY = ("http_jwks_uri", "foreign_jwks_uri", "wrong_issuer")

# The names of issuers, and what each does with which document.
MISBEHAVING = {
    **{f"{mode}-{which}": (mode, which) for mode in _WITH_EITHER for which in _DOCUMENTS},
    **{mode: (mode, "discovery") for mode in _WITH_DISCOVERY},
}


def misbehave(standin: Standin) -> None:
    for name, (mode, document) in MISBEHAVING.items():
        standin.idp(mode, issuer=name, endpoint=document)


def asked_for(standin: Standin) -> set[tuple[str, str]]:
    """The issuers and documents that were asked for so far, as in `MISBEHAVING`."""
    paths = [request["target"].split("/", 2) for request in standin.requests(of="idp")]
    return {(name, "jwks" if rest == "jwks" else "discovery") for _, name, rest in paths}


def trusting(service_account: Path, *names: str) -> dict[str, Any]:
    """`vertex_json` for these issuers of the stand-in, with one role each."""
    vertex = vertex_json(service_account)
    [issuer], [role] = vertex["issuers"], vertex["roles"]
    vertex["issuers"] = [
        {**issuer, "name": name, "issuer": f"https://idp.example/{name}"} for name in names
    ]
    vertex["roles"] = [
        {**role, "name": f"{name}-team", "who": {**role["who"], "issuer": name}} for name in names
    ]
    return vertex


def fetch_backend(
    standin: Standin, ca: Path | None = None, sni: str = "idp.example", host: str = "idp.example"
) -> str:
    """The backend for `host` leads to the stand-in, and expects `sni` and a certificate of `ca`."""
    server = (
        f"server idp 127.0.0.1:{standin.ports['idp_https']}"
        f" ssl verify required ca-file {ca or standin.ca} sni str({sni})"
    )
    return section(f"backend vertex_fetch_{host} from vertex-fetch", [server])
