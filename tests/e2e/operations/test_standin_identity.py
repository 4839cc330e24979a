"""The stand-in's identity services against google-auth: each of Google's flows ends with a token
that Vertex AI takes, and each failure is the one that was ordered."""

import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.auth import compute_engine, exceptions
from google.auth.compute_engine import _metadata
from google.auth.transport.requests import Request
from requests import RequestException
from urllib3.util import connection

from google_auth.clients import load as load_file
from support.expect.eventually import eventually
from support.world.credential_files import ACCOUNT, CredentialFiles
from support.world.standin import IDENTITY, Standin

CLOUD = "https://www.googleapis.com/auth/cloud-platform"
IAM = "https://www.googleapis.com/auth/iam"
MODEL = "/v1/projects/p/locations/us-central1/publishers/google/models/m:generateContent"
ACCOUNTS = "/computeMetadata/v1/instance/service-accounts"
FLAVOR = {"Metadata-Flavor": "Google"}
DELEGATE = "mid@standin-project.iam.gserviceaccount.com"
SUBJECT = {"sub": "alice"}


@pytest.fixture
def files(standin: Standin, tmp_path: Path) -> CredentialFiles:
    return standin.credential_files(tmp_path)


@pytest.fixture
def transport(standin: Standin, monkeypatch: pytest.MonkeyPatch) -> Request:
    """google-auth's own; where it would reach Google it reaches the stand-in."""
    names = ("oauth2", "sts", "iamcredentials")
    ports = {f"{name}.googleapis.com": standin.ports[f"{name}_https"] for name in names}
    ports["169.254.169.254"] = standin.ports["machine_http"]
    connect = connection.create_connection

    def lead(address: tuple[str, int], *more: Any, **named: Any) -> Any:
        host, port = address
        here = ("127.0.0.1", ports[host]) if host in ports else (host, port)
        return connect(here, *more, **named)

    monkeypatch.setattr(connection, "create_connection", lead)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(standin.ca))
    metadata = f"127.0.0.1:{standin.ports['metadata_http']}"
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", metadata)
    monkeypatch.setenv("GCE_METADATA_IP", metadata)
    return Request()


def ask_vertex(standin: Standin, token: str) -> int:
    url = f"http://127.0.0.1:{standin.ports['google_http']}{MODEL}"
    body = {"contents": [{"role": "user", "parts": [{"text": "ping"}]}]}
    return httpx.post(url, json=body, headers={"Authorization": f"Bearer {token}"}).status_code


def metadata(standin: Standin, path: str, headers: dict[str, str] = FLAVOR) -> httpx.Response:
    url = f"http://127.0.0.1:{standin.ports['metadata_http']}{path}"
    return httpx.get(url, headers=headers, timeout=5)


def metadata_token(standin: Standin) -> dict[str, Any]:
    return metadata(standin, f"{ACCOUNTS}/default/token").json()


def load(file: Path, scope: str = CLOUD) -> Any:
    return load_file(file, [scope])


def service_account(standin: Standin, files: CredentialFiles) -> Any:
    return load(standin.service_account)


def authorized_user(standin: Standin, files: CredentialFiles) -> Any:
    return load(files.authorized_user())


def workload(standin: Standin, files: CredentialFiles) -> Any:
    return load(files.external_account(standin.token(SUBJECT)))


def workload_json(standin: Standin, files: CredentialFiles) -> Any:
    token = standin.token(SUBJECT, issuer="partner", alg="ES256")
    return load(files.external_account(token, "partner", field="id_token"))


def workforce(standin: Standin, files: CredentialFiles) -> Any:
    audience = f"https:{files.audience(workforce=True)}"
    token = standin.token({**SUBJECT, "aud": audience})
    project = {"workforce_pool_user_project": "98765"}
    return load(files.external_account(token, workforce=True, **project))


def client(standin: Standin, files: CredentialFiles) -> Any:
    standin.pool(client_required=True)
    login = {name: standin.identity()[name] for name in ("client_id", "client_secret")}
    return load(files.external_account(standin.token(SUBJECT), **login))


def workload_as_account(standin: Standin, files: CredentialFiles) -> Any:
    return load(files.external_account(standin.token(SUBJECT), impersonate=ACCOUNT))


def user_as_account(standin: Standin, files: CredentialFiles) -> Any:
    standin.policy(delegates=[DELEGATE])
    chain = (f"projects/-/serviceAccounts/{DELEGATE}",)
    return load(files.impersonated_service_account(files.authorized_user(), delegates=chain))


def key_as_account(standin: Standin, files: CredentialFiles) -> Any:
    return load(files.impersonated_service_account(standin.service_account))


def azure(standin: Standin, files: CredentialFiles) -> Any:
    return load(files.external_account("unused", credential_source=files.azure()))


def aws_role(standin: Standin, files: CredentialFiles) -> Any:
    return load(files.aws())


def machine(standin: Standin, files: CredentialFiles) -> Any:
    return compute_engine.Credentials(scopes=[CLOUD])


PROJECT = "standin-project.iam.gserviceaccount.com"
ROLE = "arn:aws:sts::123456789012:assumed-role/gateway-role"
PERSON = "person@standin.example"
POOL = "principal://iam.googleapis.com/projects/100000000001/locations/global/workloadIdentityPools"
STAFF = "principal://iam.googleapis.com/locations/global/workforcePools/staff"

# The credential, the services that it asks, the last flow and whom its token stands for.
FLOWS = [
    (service_account, ["oauth2"], "jwt_bearer", f"vertex-gateway@{PROJECT}"),
    (authorized_user, ["oauth2"], "refresh_token", PERSON),
    (workload, ["sts"], "sts", f"{POOL}/machines/subject/alice"),
    (workload_json, ["sts"], "sts", f"{POOL}/machines/subject/alice"),
    (workforce, ["sts"], "sts", f"{STAFF}/subject/alice"),
    (client, ["sts"], "sts", f"{POOL}/machines/subject/alice"),
    (workload_as_account, ["sts", "iamcredentials"], "iamcredentials", ACCOUNT),
    (user_as_account, ["oauth2", "iamcredentials"], "iamcredentials", ACCOUNT),
    (key_as_account, ["oauth2", "iamcredentials"], "iamcredentials", ACCOUNT),
    (azure, ["sts"], "sts", f"{POOL}/machines/subject/6f1c3b1e-azure-machine"),
    (aws_role, ["sts"], "sts", f"{POOL}/machines/subject/{ROLE}"),
    (machine, ["metadata"], "metadata", f"instance@{PROJECT}"),
]


@pytest.mark.parametrize(
    ("credential", "services", "flow", "principal"), FLOWS, ids=[f[0].__name__ for f in FLOWS]
)
def test_a_flow_of_google_auth_ends_at_vertex(
    standin: Standin,
    files: CredentialFiles,
    transport: Request,
    credential: Callable[..., Any],
    services: list[str],
    flow: str,
    principal: str,
) -> None:
    made = credential(standin, files)
    before = {service: standin.tokens_given(service) for service in IDENTITY}

    made.refresh(transport)

    given = {service: standin.tokens_given(service) - before[service] for service in IDENTITY}
    assert given == {service: int(service in services) for service in IDENTITY}
    for service in services:
        found = standin.verified(service)
        assert found and all(one["valid"] for one in found), found
    assert ask_vertex(standin, made.token) == 200
    [asked] = standin.requests(of="google")
    assert asked["bearer"]["kind"] == "issued"
    claims = asked["bearer"]["claims"]
    assert (claims["by"], claims["principal"], claims["scopes"][-1]) == (flow, principal, CLOUD)
    standin.revoke(made.token)
    assert ask_vertex(standin, made.token) == 401


def test_what_was_verified_is_told(
    standin: Standin, files: CredentialFiles, transport: Request
) -> None:
    workforce(standin, files).refresh(transport)
    workload_as_account(standin, files).refresh(transport)
    first, second = standin.verified("sts")
    assert first["options"] == {"userProject": "98765"}
    assert first["subject_token_type"].endswith(":id_token")
    assert (second["scope"], second["subject"]["claims"]["sub"]) == (IAM, "alice")
    [account] = standin.verified("iamcredentials")
    assert (account["account"], account["lifetime"]) == (ACCOUNT, "3600s")
    assert account["scope"] == [CLOUD]
    assert account["caller"] == second["principal"]
    service_account(standin, files).refresh(transport)
    [assertion] = standin.verified("oauth2")
    assert assertion["assertion"]["claims"]["aud"] == "https://oauth2.googleapis.com/token"


REFUSED = [
    (workload, "sts", {"status": 400, "error": "invalid_target"}, "invalid_target"),
    (workload, "sts", {"status": 400}, "invalid_grant"),
    (service_account, "oauth2", {"status": 401}, "invalid_client"),
    (authorized_user, "oauth2", {"status": 400, "error_description": "Gone."}, "Gone."),
    (workload_as_account, "iamcredentials", {"status": 403}, "PERMISSION_DENIED"),
]


@pytest.mark.parametrize(("credential", "service", "order", "told"), REFUSED)
def test_ordered_errors_reach_google_auth(
    standin: Standin,
    files: CredentialFiles,
    transport: Request,
    credential: Callable[..., Any],
    service: str,
    order: dict[str, Any],
    told: str,
) -> None:
    made = credential(standin, files)
    standin.misbehave(service, "status", **order)
    with pytest.raises(exceptions.GoogleAuthError, match=told):
        made.refresh(transport)
    standin.misbehave(service)
    made.refresh(transport)


def test_strangers_are_refused(
    standin: Standin, files: CredentialFiles, transport: Request
) -> None:
    def refused(credential: Any, told: str) -> None:
        with pytest.raises(exceptions.GoogleAuthError, match=told):
            credential.refresh(transport)

    forged = standin.token(SUBJECT, sign_with="other")
    refused(load(files.external_account(forged)), "signature")
    refused(load(files.external_account(standin.token({"aud": "x"}))), "audience in ID Token")
    refused(load(files.external_account(standin.token(SUBJECT), "partner")), "signature")
    refused(load(files.external_account(standin.token(SUBJECT), "nobody")), "invalid_target")
    refused(load(files.authorized_user(refresh_token="1//other")), "invalid_grant")
    refused(load(files.authorized_user(client_secret="x")), "invalid_client")
    standin.policy(denied=[ACCOUNT])
    refused(workload_as_account(standin, files), "IAM_PERMISSION_DENIED")
    standin.pool(rejected_subjects=["alice"])
    refused(workload(standin, files), "attribute condition")


def test_tokens_for_iam_alone_do_not_open_vertex(
    standin: Standin, files: CredentialFiles, transport: Request
) -> None:
    narrow = load(files.external_account(standin.token(SUBJECT)), IAM)
    narrow.refresh(transport)
    assert ask_vertex(standin, narrow.token) == 401
    wide = workload(standin, files)
    wide.refresh(transport)
    assert ask_vertex(standin, wide.token) == 200


def test_lifetimes_end(standin: Standin) -> None:
    standin.misbehave("metadata", lifetime=1)
    token = metadata_token(standin)["access_token"]
    eventually(lambda: ask_vertex(standin, token) == 401, "the token has expired")
    assert standin.requests(of="google")[-1]["bearer"]["reason"] == "expired"


def test_the_metadata_server_gives_a_token_again(standin: Standin) -> None:
    first = metadata_token(standin)
    assert metadata_token(standin)["access_token"] == first["access_token"]
    assert standin.revoke(first["access_token"]) == 1
    assert metadata_token(standin)["access_token"] != first["access_token"]
    # Under 3 min 45 s are left from the start.
    standin.misbehave("metadata", lifetime=224)
    assert metadata_token(standin)["access_token"] != metadata_token(standin)["access_token"]


def test_the_metadata_server_wants_its_flavor(standin: Standin) -> None:
    token = f"{ACCOUNTS}/default/token"
    assert metadata(standin, token).status_code == 200
    assert metadata(standin, token, {}).status_code == 403
    assert metadata(standin, token, {**FLAVOR, "X-Forwarded-For": "10.0.0.1"}).status_code == 403
    ping = metadata(standin, "/", {})
    assert (ping.status_code, ping.headers["metadata-flavor"]) == (200, "Google")


def test_the_metadata_server_misbehaves(standin: Standin) -> None:
    token = f"{ACCOUNTS}/default/token"
    standin.misbehave("metadata", "no_flavor")
    assert "metadata-flavor" not in metadata(standin, token).headers
    standin.misbehave("metadata", "no_account")
    assert metadata(standin, token).status_code == 404
    assert metadata(standin, "/computeMetadata/v1/project/project-id").status_code == 200
    for status in (429, 500, 503):
        standin.misbehave("metadata", "status", status=status, endpoint="token")
        assert metadata(standin, token).status_code == status
        assert metadata(standin, "/").status_code == 200
    standin.misbehave("metadata", "huge", bytes=100_000)
    huge = metadata(standin, token)
    assert len(huge.content) == 100_000 and huge.json()["expires_in"] > 0
    standin.misbehave("metadata", "broken_json")
    with pytest.raises(json.JSONDecodeError):
        metadata_token(standin)
    for how, said in (("missing", None), ("zero", 0)):
        standin.misbehave("metadata", expires_in=how)
        assert metadata_token(standin).get("expires_in") == said
    standin.misbehave("metadata", expires_in="string")
    assert metadata_token(standin)["expires_in"].isdigit()
    standin.misbehave("metadata", token_bytes=12_288)
    assert len(metadata_token(standin)["access_token"]) == 12_288


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("oauth2", "/token"),
        ("sts", "/v1/token"),
        ("iamcredentials", f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"),
    ],
)
def test_bodies_come_with_their_length(standin: Standin, service: str, path: str) -> None:
    base = f"https://localhost:{standin.ports[f'{service}_https']}"
    trust = ssl.create_default_context(cafile=standin.ca)
    with httpx.Client(base_url=base, verify=trust, trust_env=False) as client:
        chunked = client.post(path, content=iter([b"grant_type=x"]))
        measured = client.post(path, content=b"grant_type=x")
        elsewhere = client.post(path, content=b"x", headers={"Host": "other.googleapis.com"})
        unsaid = client.build_request("POST", path)
        del unsaid.headers["content-length"]
        unsaid = client.send(unsaid)
    statuses = [answer.status_code for answer in (chunked, unsaid, elsewhere)]
    assert statuses == [411, 411, 404]
    assert measured.status_code in (400, 401)
    assert len(standin.verified(service)) == 4


def test_a_delivery_that_hangs_is_counted(
    standin: Standin, files: CredentialFiles, transport: Request
) -> None:
    for mode in ("hang", "cut"):
        standin.misbehave("sts", mode)
        before = standin.asked("sts")
        made = workload(standin, files)
        with pytest.raises((exceptions.GoogleAuthError, RequestException)):
            made.refresh(lambda *a, **k: transport(*a, **{**k, "timeout": 0.5}))
        assert standin.asked("sts") == before + 1
    assert standin.verified("sts")[-1]["valid"]
    standin.down("sts")
    with pytest.raises(exceptions.GoogleAuthError):
        workload(standin, files).refresh(transport)
    standin.down("sts", False)
    standin.misbehave("sts")
    workload(standin, files).refresh(transport)


def test_orders_without_effect_are_refused(standin: Standin) -> None:
    standin.misbehave("iamcredentials", expire_time="fractions")
    for service, order in [
        ("iamcredentials", {"expires_in": "zero"}),
        ("sts", {"mode": "no_flavor"}),
        ("oauth2", {"error": "invalid_grant"}),
    ]:
        with pytest.raises(AssertionError, match="400"):
            standin.misbehave(service, **order)
    with pytest.raises(AssertionError, match="400"):
        standin.requests(of="nobody")
