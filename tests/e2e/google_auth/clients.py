"""The two clients: google-auth, and the gateway on a real HAProxy."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from google.auth import aws, identity_pool
from google.auth import impersonated_credentials as impersonated
from google.auth.transport.requests import Request
from google.oauth2 import credentials as user
from google.oauth2 import service_account as key_file

from support.world.configuration import section, vertex_json
from support.world.standin import Standin

_LOADERS = {
    "service_account": key_file.Credentials.from_service_account_info,
    "authorized_user": user.Credentials.from_authorized_user_info,
    "impersonated_service_account": (
        impersonated.Credentials.from_impersonated_service_account_info
    ),
}


def load(file: Path, scopes: list[str] | None) -> Any:
    """google-auth's credentials of a file. Its general loader would ask for a project first."""
    content = json.loads(file.read_text())
    if content["type"] == "external_account":
        of_aws = "environment_id" in content["credential_source"]
        return (aws if of_aws else identity_pool).Credentials.from_info(content, scopes=scopes)
    return _LOADERS[content["type"]](content, scopes=scopes)


class _ToRecorder(requests.adapters.HTTPAdapter):
    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def send(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        request.headers["Host"] = urlsplit(request.url).netloc
        request.url = f"http://127.0.0.1:{self._port}{request.path_url}"
        return super().send(request, **more)


def transport(port: int) -> Request:
    """google-auth's own; whomever it would reach, it reaches the recorder."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, _ToRecorder(port))
    return Request(session)


def gateway_settings(
    standin: Standin, port: int, credentials: list[dict[str, Any]], hosts: set[str]
) -> dict[str, Any]:
    """For a gateway with these credentials; where it would ask `hosts` it asks the recorder."""
    vertex = vertex_json(standin.service_account)
    vertex["credentials"] = credentials
    server = f"server recorder 127.0.0.1:{port}"
    heads = [f"backend vertex_fetch_{host} from vertex-fetch" for host in hosts]
    sections = [section(head, [server]) for head in heads]
    # The Security Token Service's tokens may be long.
    room = {"VERTEX_MAXREWRITE": "16384", "VERTEX_BUFSIZE": "65536"}
    return {"vertex": vertex, "sections": "\n".join(sections), "environment": room}
