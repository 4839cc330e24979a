"""The program `standin`: identity providers and Google in one process, and its control API."""

import http.client
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from support.expect.eventually import eventually
from support.world.credential_files import CredentialFiles
from support.world.place import standin_binary

# Google's identity services, each on a port of its own.
IDENTITY = ("metadata", "oauth2", "sts", "iamcredentials", "machine")


class Standin:
    def __init__(self, issuers: tuple[str, ...] = ("corp", "partner")) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hv-standin-"))
        self._output = open(self.folder / "output", "wb")
        self._process = subprocess.Popen(
            [standin_binary(), "--dir", self.folder, "--issuers", ",".join(issuers)],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )
        try:
            self.ports: dict[str, Any] = eventually(self._read_ports, "the stand-in's ports", 60)
            eventually(lambda: self.counters() is not None, "the stand-in answers")
        except BaseException:
            self.stop()
            raise

    def _read_ports(self) -> dict[str, Any] | None:
        if self._process.poll() is not None:
            raise RuntimeError(f"the stand-in ended:\n{self.output}")
        try:
            return json.loads((self.folder / "ports.json").read_text())
        except json.JSONDecodeError:
            return None  # still being written

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text("utf-8", "replace")

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def service_account(self) -> Path:
        return self.folder / "service-account.json"

    def issuer(self, name: str) -> str:
        return self.ports["issuers"][name]

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._output.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # The control API.
    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["control"], timeout=30)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status >= 300:
            raise AssertionError(f"stand-in: {method} {path} {body}: {response.status} {text}")
        return json.loads(text) if text.strip() else {}

    def token(self, claims: dict[str, Any] | None = None, issuer: str = "corp", **more: Any) -> str:
        """A caller's token. A claim given as None is left out; `more`: alg, kid,
        header, lifetime, iat_offset, sign_with ("own", "other", "none"), sign_as."""
        return self.call("POST", "/tokens", _given(issuer=issuer, claims=claims, **more))["token"]

    def tokens(
        self, count: int, claims: dict[str, Any] | None = None, issuer: str = "corp", **more: Any
    ) -> list[str]:
        answer = self.call(
            "POST", "/tokens", _given(issuer=issuer, claims=claims, count=count, **more)
        )
        return answer["tokens"] if count != 1 else [answer["token"]]

    def rotate_keys(self, issuer: str = "corp", alg: str = "RS256", keep_old: bool = True) -> str:
        """The new key's kid."""
        wanted = {"issuer": issuer, "alg": alg, "keep_old": keep_old}
        return self.call("POST", "/keys/rotate", wanted)["kid"]

    def remove_key(self, kid: str, issuer: str = "corp") -> None:
        self.call("POST", "/keys/remove", {"issuer": issuer, "kid": kid})

    def idp(self, mode: str = "normal", **more: Any) -> None:
        """normal, refuse, hang, status, drip, endless, not_json, http_jwks_uri,
        foreign_jwks_uri, wrong_issuer or redirect; `more`: status, delay_ms,
        max_age, jwks_bytes, header_bytes, chunked, issuer, endpoint, location. Without `issuer`
        it replaces all."""
        self.call("POST", "/idp/behaviour", {"mode": mode, **more})

    def google(self, **behaviour: Any) -> None:
        """status, delay_ms, chunks, interval_ms, gate, hangup_after_chunks,
        mid_stream_error, record, canned (content_type, pieces); what is not given is normal."""
        self.call("POST", "/google/behaviour", behaviour)

    def release(self, all: bool = False) -> int:
        """Lets one gated chunk out of each stream, or every one from here on;
        returns how many streams were waiting."""
        return self.call("POST", "/google/release", {"all": all})["streams"]

    def access_token(self, folder: Path, token: str = "ya29.of-a-test") -> list[dict[str, str]]:
        """The `credentials` of a vertex.json with this one, which Google takes and which has no
        times. Its file is in `folder`."""
        file = folder / "access-token"
        file.write_text(token + "\n")
        self.accept_token(token)
        return [{"name": "ml-prod", "type": "access_token", "file": str(file)}]

    def accept_token(self, token: str) -> None:
        self.call("POST", "/google/access-tokens", {"token": token})

    def refuse_token(self, token: str) -> None:
        self.call("DELETE", "/google/access-tokens", {"token": token})

    def accept_api_key(self, key: str) -> None:
        """Google's express mode takes it."""
        self.call("POST", "/google/api-keys", {"key": key})

    def refuse_api_key(self, key: str) -> None:
        self.call("DELETE", "/google/api-keys", {"key": key})

    # Google's identity services. Each method replaces what its former call has set.
    def misbehave(self, service: str, mode: str = "normal", **more: Any) -> None:
        """`service`: one of IDENTITY. normal, status, hang, cut, huge, broken_json or not_json,
        of the metadata server also no_flavor and no_account, which that of other clouds has too; `more`: status, error,
        error_description and retry_after (with mode status), delay_ms, bytes (of huge), lifetime,
        token_bytes, expires_in (number, missing, string, zero, negative, huge), expire_time
        (seconds, fractions, missing, past, not_a_time), endpoint (ping, token, account,
        project)."""
        self.call("POST", f"/{service}/behaviour", {"mode": mode, **more})

    def pool(self, **setup: Any) -> None:
        """allowed_audiences (besides the provider's own name), rejected_subjects,
        client_required."""
        self.call("POST", "/sts/pool", setup)

    def policy(self, **setup: Any) -> None:
        """Of IAM credentials: denied (accounts), delegates (the emails that must be named)."""
        self.call("POST", "/iamcredentials/policy", setup)

    def identity(self) -> dict[str, str]:
        """service_account, metadata_account, project_id, project_number, client_id,
        client_secret, refresh_token."""
        return self.call("GET", "/identity")

    def revoke(self, token: str | None = None) -> int:
        """One of the tokens that were given out, or all; how many."""
        return self.call("DELETE", "/identity/tokens", _given(token=token))["revoked"]

    def new_key(self) -> dict[str, str]:
        """The file of another key of the service account, which Google knows."""
        return self.call("POST", "/identity/keys")

    def delete_keys(self, *key_ids: str) -> None:
        """Google knows these keys of the service account no more, and all others again."""
        self.call("DELETE", "/identity/keys", {"key_ids": list(key_ids)})

    def asked(self, service: str) -> int:
        """How many requests were delivered there since the stand-in started."""
        return self.counters()[f"{service}_requests"]

    def tokens_given(self, service: str) -> int:
        return self.counters()[f"{service}_tokens"]

    def verified(self, service: str) -> list[dict[str, Any]]:
        """What the service found of each of its requests: valid, reason, error, principal, grants
        (the flow), and what it read of the request."""
        return [request["verified"] for request in self.requests(of=service)]

    def credential_files(self, folder: Path) -> CredentialFiles:
        """In `folder`; they name Google's hosts. The key file is `service_account`."""
        return CredentialFiles(folder, self.identity())

    def down(self, what: str, down: bool = True) -> None:
        """Closes the listeners of "idp", "google" or one of IDENTITY, or opens them again."""
        self.call("POST", "/down", {"what": what, "down": down})

    def requests(self, of: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """What reached the stand-in; `of`: only its side "google", "idp" or one of
        IDENTITY. Of each: method, target, headers as pairs, bearer {valid, kind, reason, claims},
        verified, body_length, body_sha256, body_text, trailers, status, chunks_sent, client_gone,
        port."""
        side = "" if of is None else f"&of={of}"
        return self.call("GET", f"/requests?since={since}{side}")["requests"]

    def forget_requests(self) -> None:
        self.call("DELETE", "/requests")

    def counters(self) -> dict[str, Any]:
        return self.call("GET", "/counters")

    def reset(self) -> None:
        """As at the start, but for keys and access tokens."""
        for what in ("idp", "google", *IDENTITY):
            self.down(what, False)
        self.idp()
        self.google()
        for service in IDENTITY:
            self.misbehave(service)
        self.pool()
        self.policy()
        self.revoke()
        self.delete_keys()
        self.forget_requests()


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
