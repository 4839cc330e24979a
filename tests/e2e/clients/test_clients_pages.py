"""What docs/callers.md and docs/issuers.md tell callers and operators is run as it stands there."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from urllib.request import urlopen

import pytest

from support.clients.callers import Callers
from support.clients.snippets import run, snippets
from support.world.configuration import Configuration
from support.world.haproxy import Haproxy
from support.world.standin import Standin


class TokenEndpoint:
    """Gives the token that it is told to, as OAuth's endpoints and Google's do."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {}
        self.forms: list[dict[str, list[str]]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                endpoint.forms.append(parse_qs(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(endpoint.answer).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    server = TokenEndpoint()
    yield server
    server.stop()


def passes(callers: Callers, fresh_token: Callable[[], str]) -> bool:
    client = run("openai", callers.url, fresh_token=fresh_token)["client"]
    with client:
        answer = client.embeddings.create(model="google/gemini-embedding-001", input="hello")
    return len(answer.data) == 1


def test_a_token_from_a_file(callers: Callers, tmp_path: Path) -> None:
    file = tmp_path / "token"
    names = run("From a file", callers.url)
    names["Path"] = lambda name: file if name.startswith("/var/run/secrets") else None
    file.write_text(callers.token() + "\n")
    assert passes(callers, names["fresh_token"])


def test_client_credentials(callers: Callers, endpoint: TokenEndpoint) -> None:
    names = run("By client credentials", callers.url)
    documented = names["fresh_token"]
    assert documented.form["audience"] == "vertex-gateway"
    form = {name: documented.form[name] for name in ("client_id", "client_secret", "audience")}
    fresh_token = names["ClientCredentials"](endpoint.url, **form)

    endpoint.answer = {"access_token": callers.token(), "expires_in": 3600}
    assert passes(callers, fresh_token) and passes(callers, fresh_token)
    assert len(endpoint.forms) == 1  # one token for both
    assert endpoint.forms[0]["grant_type"] == ["client_credentials"]

    fresh_token.until = 0.0
    assert passes(callers, fresh_token)
    assert len(endpoint.forms) == 2


def test_a_service_account_s_identity_token(
    callers: Callers,
    endpoint: TokenEndpoint,
    standin: Standin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = json.loads(standin.service_account.read_text()) | {"token_uri": endpoint.url}
    file = tmp_path / "key.json"
    file.write_text(json.dumps(key))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    endpoint.answer = {"id_token": callers.token()}

    assert passes(callers, run("From Google", callers.url)["fresh_token"])
    assert "assertion" in endpoint.forms[0]


def blocks(beginning: str) -> list[str]:
    found = [text for texts in snippets("docs/issuers.md").values() for _, text in texts]
    return [text for text in found if text.startswith(beginning)]


def issuers() -> list[dict[str, Any]]:
    return [json.loads(text) for text in blocks("{")]


def who(name: str) -> dict[str, Any]:
    """Whom the page lets in of an issuer, where it says so."""
    written = [json.loads(f"{{{text}}}")["who"] for text in blocks('"who":')]
    others = {"issuer": name, "subjects": ["somebody"]}
    return next((one for one in written if one["issuer"] == name), others)


@pytest.fixture
def documented(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
) -> Callable[[list[dict[str, Any]]], Haproxy]:
    """A gateway, not started, with these issuers."""

    def one(issuers: list[dict[str, Any]]) -> Haproxy:
        prepared = configuration()
        role = prepared.vertex["roles"][0]
        prepared.vertex |= {
            "issuers": issuers,
            "roles": [
                role | {"name": name, "who": who(name)}
                for name in (issuer["name"] for issuer in issuers)
            ],
        }
        hosts = {issuer["issuer"].split("/")[2] for issuer in issuers if "jwks_file" not in issuer}
        hosts |= {host for issuer in issuers for host in issuer.get("jwks_hosts", [])}
        prepared.fetch_hosts = tuple(sorted(hosts))
        haproxy = launch(prepared, start=False)
        trust = ssl.create_default_context(cafile=standin.ca)
        keys = urlopen(f"https://127.0.0.1:{standin.ports['idp_https']}/corp/jwks", context=trust)
        with keys:
            (haproxy.folder / "cluster-keys.json").write_bytes(keys.read())
        return haproxy

    return one


def test_every_issuer_s_block_is_taken(
    documented: Callable[[list[dict[str, Any]]], Haproxy],
) -> None:
    assert (len(issuers()), len(blocks('"who":'))) == (11, 5)
    checked = documented(issuers()).check()
    assert checked.status == 0, checked.output


@pytest.mark.parametrize("issuer", issuers(), ids=lambda issuer: issuer["name"])
def test_a_block_with_a_mistake_is_not(
    documented: Callable[[list[dict[str, Any]]], Haproxy], issuer: dict[str, Any]
) -> None:
    """The twin: the check does look at each of them."""
    checked = documented([issuer | {"audiences": []}]).check()
    assert checked.status != 0 and "audiences" in checked.output
