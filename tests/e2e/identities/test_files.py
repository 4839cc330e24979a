"""The files that Google's tools write: whom each has the gateway ask, and what it sends there."""

import base64
import http.client
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from endpoints import Endpoints

from support.expect.eventually import eventually
from support.wire.calls import outcome, post
from support.world.haproxy import Haproxy
from support.world.standin import Standin

OAUTH, STS = "oauth2.googleapis.com", "sts.googleapis.com"
IAM, METADATA = "iamcredentials.googleapis.com", "metadata.google.internal"
ACCOUNT = "gw@acme-ml.iam.gserviceaccount.com"
GENERATE = f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
MACHINE = "/computeMetadata/v1/instance/service-accounts/default/token"
CLOUD = "https://www.googleapis.com/auth/cloud-platform"


@pytest.fixture
def writes(tmp_path: Path) -> Callable[..., str]:
    def write(name: str, content: object) -> str:
        file = tmp_path / name
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(file)

    return write


def key_file(standin: Standin) -> dict[str, object]:
    key = json.loads(standin.service_account.read_text())
    return {**key, "token_uri": f"https://{OAUTH}/token"}


def token(text: str) -> dict[str, object]:
    return {"access_token": text, "expires_in": 3599, "token_type": "Bearer"}


def generated(text: str) -> dict[str, str]:
    expires = datetime.now(timezone.utc) + timedelta(hours=1)
    return {"accessToken": text, "expireTime": expires.isoformat().replace("+00:00", "Z")}


def impersonating(source: dict[str, object]) -> dict[str, object]:
    return {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": f"https://{IAM}{GENERATE}",
        "delegates": [],
        "source_credentials": source,
    }


def exchanging(subject: str) -> dict[str, object]:
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/pool/providers/corp",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"https://{STS}/v1/token",
        "credential_source": {"file": subject},
    }


def test_an_assertion_is_exchanged_for_a_token(
    acting_as: Callable[..., Haproxy],
    writes: Callable[..., str],
    endpoints: Endpoints,
    standin: Standin,
) -> None:
    standin.accept_token("ya29.exchanged")
    endpoints.answer("/token", body=token("ya29.exchanged"))
    file = writes("key.json", key_file(standin))

    haproxy = acting_as({"type": "service_account", "file": file, "form": "exchange"}, OAUTH)

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    [asked] = endpoints.asked()
    assert (asked.method, asked.host, asked.path) == ("POST", OAUTH, "/token")
    assert asked.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = asked.form["assertion"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (claims["aud"], claims["scope"]) == (f"https://{OAUTH}/token", CLOUD)


def test_a_refused_assertion_is_told_at_once_and_not_sent_again_soon(
    acting_as: Callable[..., Haproxy],
    writes: Callable[..., str],
    endpoints: Endpoints,
    standin: Standin,
) -> None:
    refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    endpoints.answer("/token", status=400, body=refusal)
    file = writes("key.json", key_file(standin))
    haproxy = acting_as({"type": "service_account", "file": file, "form": "exchange"}, OAUTH)

    assert outcome(post(haproxy, standin.token())) == (503, "credential_unavailable")
    shown = json.loads(haproxy.ask("vertex show credentials json"))["credentials"][0]
    assert shown["last_error"] == "status 400: invalid_grant: Invalid JWT Signature."
    assert len(endpoints.asked()) == 1


@pytest.mark.parametrize("source", ["key", "machine"])
def test_a_service_account_is_impersonated(
    acting_as: Callable[..., Haproxy],
    writes: Callable[..., str],
    endpoints: Endpoints,
    standin: Standin,
    source: str,
) -> None:
    standin.accept_token("ya29.target")
    endpoints.answer("/token", body=token("ya29.source"))
    endpoints.answer(MACHINE, body=token("ya29.source"), headers={"Metadata-Flavor": "Google"})
    endpoints.answer(GENERATE, body=generated("ya29.target"))
    of = {"key": key_file(standin), "machine": {"type": "metadata"}}[source]
    file = writes("impersonated.json", impersonating(of))

    haproxy = acting_as(
        {"type": "impersonated_service_account", "file": file}, OAUTH, METADATA, IAM
    )

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    [_, asked] = endpoints.asked()
    assert (asked.method, asked.host, asked.path) == ("POST", IAM, GENERATE)
    assert asked.headers["authorization"] == "Bearer ya29.source"
    assert json.loads(asked.body) == {"delegates": [], "scope": [CLOUD], "lifetime": "3600s"}


@pytest.mark.parametrize("impersonates", [False, True])
def test_another_issuers_token_is_exchanged(
    acting_as: Callable[..., Haproxy],
    writes: Callable[..., str],
    endpoints: Endpoints,
    standin: Standin,
    impersonates: bool,
) -> None:
    last = "ya29.target" if impersonates else "ya29.federated"
    standin.accept_token(last)
    endpoints.answer("/v1/token", body=token("ya29.federated"))
    endpoints.answer(GENERATE, body=generated("ya29.target"))
    external = exchanging(writes("subject", "subject.of.corp\n"))
    if impersonates:
        external["service_account_impersonation_url"] = f"https://{IAM}{GENERATE}"
    file = writes("external.json", external)
    # Tokens of the Security Token Service may be long.
    room = {"VERTEX_MAXREWRITE": "16384", "VERTEX_BUFSIZE": "65536"}

    haproxy = acting_as({"type": "external_account", "file": file}, STS, IAM, environment=room)

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    exchanged, *rest = endpoints.asked()
    assert (exchanged.host, exchanged.form["subject_token"]) == (STS, "subject.of.corp")
    assert [asked.headers["authorization"] for asked in rest] == (
        ["Bearer ya29.federated"] if impersonates else []
    )


def test_an_endpoint_that_hangs_gets_one_post(
    acting_as: Callable[..., Haproxy],
    writes: Callable[..., str],
    endpoints: Endpoints,
    standin: Standin,
) -> None:
    endpoints.answer("/token", body=token("ya29.late"), after=30)
    file = writes("key.json", key_file(standin))
    haproxy = acting_as({"type": "service_account", "file": file, "form": "exchange"}, OAUTH)

    def last_error() -> str | None:
        shown = json.loads(haproxy.ask("vertex show credentials json"))["credentials"][0]
        return shown["last_error"]

    told = eventually(last_error, "it was given up", within=15)
    assert told.startswith(f"server one of backend vertex_fetch_{OAUTH} sent no answer within 5")
    assert len(endpoints.asked()) == 1


def test_the_endpoints_of_these_tests_refuse_bodies_in_chunks(endpoints: Endpoints) -> None:
    endpoints.answer("/token", body=token("x"))
    statuses = []
    for headers, body in (({}, b"a=b"), ({"Transfer-Encoding": "chunked"}, iter([b"a=b"]))):
        connection = http.client.HTTPConnection("127.0.0.1", endpoints.port, timeout=5)
        connection.request("POST", "/token", body, headers, encode_chunked=bool(headers))
        statuses.append(connection.getresponse().status)
        connection.close()
    assert statuses == [200, 411]
