"""Whom the gateway asks for another issuer's token, and what it makes of the answers: Azure's
metadata server, AWS', and the keys of HAProxy's environment. And a person's login, and what is
looked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from endpoints import Endpoints
from google.auth import aws

from support.expect.eventually import eventually
from support.log.server import LogServer
from support.wire.calls import outcome, post
from support.world.configuration import section, vertex_json
from support.world.credential_files import CredentialFiles
from support.world.haproxy import Haproxy
from support.world.standin import Standin

STS, OAUTH, IMDS = "sts.googleapis.com", "oauth2.googleapis.com", "169.254.169.254"
# Tokens of the Security Token Service may be long.
ROOM = {"VERTEX_MAXREWRITE": "16384", "VERTEX_BUFSIZE": "65536"}
FEDERATED = {"access_token": "ya29.federated", "expires_in": 3599, "token_type": "Bearer"}
AZURE = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=api://vertex"
SESSION, ZONE = "/latest/api/token", "/latest/meta-data/placement/availability-zone"
ROLES = "/latest/meta-data/iam/security-credentials"
KEYS = {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "a/secret+key", "Token": "a/session=="}
AWS = {
    "environment_id": "aws1",
    "region_url": f"http://{IMDS}{ZONE}",
    "url": f"http://{IMDS}{ROLES}",
    "regional_cred_verification_url": (
        "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    ),
    "imdsv2_session_token_url": f"http://{IMDS}{SESSION}",
}


@pytest.fixture
def files(standin: Standin, tmp_path: Path) -> CredentialFiles:
    return standin.credential_files(tmp_path)


def external(files: CredentialFiles, source: dict[str, object], kind: str = "jwt") -> str:
    kinds = {"aws": "urn:ietf:params:aws:token-type:aws4_request"}
    different = {"credential_source": source}
    if kind in kinds:
        different["subject_token_type"] = kinds[kind]
    return str(files.external_account("unused", **different))


def last_error(haproxy: Haproxy) -> str | None:
    return json.loads(haproxy.ask("vertex show credentials json"))["credentials"][0]["last_error"]


def test_azures_metadata_server_gives_the_subject_token(
    acting_as: Callable[..., Haproxy],
    files: CredentialFiles,
    endpoints: Endpoints,
    standin: Standin,
) -> None:
    standin.accept_token("ya29.federated")
    endpoints.answer(AZURE, body={"access_token": "subject.of.azure", "expires_in": "86399"})
    endpoints.answer("/v1/token", body=FEDERATED)
    source = {
        "url": f"http://{IMDS}{AZURE}",
        "headers": {"Metadata": "True"},
        "format": {"type": "json", "subject_token_field_name": "access_token"},
    }

    # The file says its type.
    haproxy = acting_as({"file": external(files, source)}, IMDS, STS, environment=ROOM)

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    subject, exchanged = endpoints.asked()
    assert (subject.method, subject.host, subject.headers["metadata"]) == ("GET", IMDS, "True")
    assert (exchanged.host, exchanged.form["subject_token"]) == (STS, "subject.of.azure")


def test_an_azure_without_identity_is_told_and_its_twin_serves(
    acting_as: Callable[..., Haproxy],
    files: CredentialFiles,
    endpoints: Endpoints,
    standin: Standin,
) -> None:
    standin.accept_token("ya29.federated")
    endpoints.answer(AZURE, status=503)
    endpoints.answer("/v1/token", body=FEDERATED)
    source = {"url": f"http://{IMDS}{AZURE}", "headers": {"Metadata": "True"}}
    haproxy = acting_as({"file": external(files, source)}, IMDS, STS, environment=ROOM)

    assert outcome(post(haproxy, standin.token())) == (503, "credential_unavailable")
    assert last_error(haproxy) == f"{IMDS}: status 503"

    endpoints.answer(AZURE, body="subject.of.azure")
    eventually(lambda: outcome(post(haproxy, standin.token())) == (200, "-"), "its twin", 15)


def signed_by_google_auth(request: dict[str, object], secret: str) -> str:
    """The signature that google-auth's own signer gives the same request at the same time."""
    headers = {header["key"]: header["value"] for header in request["headers"]}
    scope = headers["Authorization"].split("Credential=")[1].split(",")[0].split("/")
    host = headers["host"]
    names = headers["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    canonical = "".join(f"{name}:{headers[name]}\n" for name in names)
    query = aws._get_canonical_querystring(request["url"].split("?")[1])
    payload = aws.hashlib.sha256(b"").hexdigest()
    whole = "\n".join([request["method"], "/", query, canonical, ";".join(names), payload])
    to_sign = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            headers["x-amz-date"],
            "/".join(scope[1:]),
            aws.hashlib.sha256(whole.encode()).hexdigest(),
        ]
    )
    assert scope[3] == host.split(".")[0]
    key = aws._get_signing_key(secret, scope[1], scope[2], scope[3])
    return aws.hmac.new(key, to_sign.encode(), aws.hashlib.sha256).hexdigest()


def check_signed(token: str, audience: str, secret: str, session: str | None) -> None:
    request = json.loads(unquote(token))
    headers = {header["key"]: header["value"] for header in request["headers"]}
    assert request["url"].startswith("https://sts.us-east-2.amazonaws.com?Action=GetCallerIdentity")
    assert headers["x-goog-cloud-target-resource"] == audience
    assert headers.get("x-amz-security-token") == session
    signature = headers["Authorization"].rsplit("Signature=", 1)[1]
    assert signature == signed_by_google_auth(request, secret)


def test_a_role_of_aws_signs_what_is_exchanged(
    acting_as: Callable[..., Haproxy],
    files: CredentialFiles,
    endpoints: Endpoints,
    standin: Standin,
) -> None:
    standin.accept_token("ya29.federated")
    endpoints.answer(SESSION, body="imds-session")
    endpoints.answer(ZONE, body="us-east-2b")
    endpoints.answer(ROLES, body="gateway-role")
    endpoints.answer(f"{ROLES}/gateway-role", body=KEYS)
    endpoints.answer("/v1/token", body=FEDERATED)

    haproxy = acting_as({"file": external(files, AWS, "aws")}, IMDS, STS, environment=ROOM)

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    session, *machine, exchanged = endpoints.asked()
    assert (session.method, session.path) == ("PUT", SESSION)
    assert session.headers["x-aws-ec2-metadata-token-ttl-seconds"] == "300"
    assert [asked.path for asked in machine] == [ZONE, ROLES, f"{ROLES}/gateway-role"]
    assert {asked.headers["x-aws-ec2-metadata-token"] for asked in machine} == {"imds-session"}
    check_signed(
        exchanged.form["subject_token"],
        exchanged.form["audience"],
        KEYS["SecretAccessKey"],
        KEYS["Token"],
    )


def test_keys_of_aws_in_haproxys_environment_sign(
    acting_as: Callable[..., Haproxy],
    files: CredentialFiles,
    endpoints: Endpoints,
    standin: Standin,
) -> None:
    standin.accept_token("ya29.federated")
    endpoints.answer("/v1/token", body=FEDERATED)
    environment = {
        **ROOM,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "a/secret+key",
        "AWS_REGION": "us-east-2",
    }

    haproxy = acting_as({"file": external(files, AWS, "aws")}, STS, environment=environment)

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    [exchanged] = endpoints.asked()
    form = exchanged.form
    check_signed(form["subject_token"], form["audience"], "a/secret+key", None)
    assert "a/secret+key" not in haproxy.ask("vertex show credentials json")


def test_a_persons_login_is_found_and_told(
    acting_as: Callable[..., Haproxy],
    files: CredentialFiles,
    endpoints: Endpoints,
    standin: Standin,
    logs: LogServer,
) -> None:
    standin.accept_token("ya29.of-a-person")
    endpoints.answer("/token", body={**FEDERATED, "access_token": "ya29.of-a-person"})
    file = files.authorized_user("application_default_credentials.json")
    environment = {"GOOGLE_APPLICATION_CREDENTIALS": None, "CLOUDSDK_CONFIG": str(file.parent)}

    haproxy = acting_as({"type": "adc"}, OAUTH, environment=environment)

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    [asked] = endpoints.asked()
    assert asked.form["grant_type"] == "refresh_token"
    assert asked.form["refresh_token"] == standin.identity()["refresh_token"]
    for says in (
        f"credential ml-prod: adc is authorized_user: CLOUDSDK_CONFIG names {file}",
        '/credentials/0: "ml-prod" is a person\'s own login (authorized_user)',
    ):
        logs.wait_until(lambda lines, says=says: any(says in line for line in lines), says)


@pytest.fixture
def in_a_cloud(gateway: Callable[..., Haproxy], standin: Standin) -> Callable[..., Haproxy]:
    """A gateway whose machine and Security Token Service are the stand-in's, which verifies all."""

    def start(file: Path, **environment: str) -> Haproxy:
        vertex = vertex_json(standin.service_account)
        vertex["credentials"] = [{"name": "ml-prod", "file": str(file)}]
        tls = f"ssl verify required ca-file {standin.ca} sni str({STS})"
        servers = {
            IMDS: f"server machine 127.0.0.1:{standin.ports['machine_http']}",
            STS: f"server sts 127.0.0.1:{standin.ports['sts_https']} {tls}",
        }
        backends = "\n".join(
            section(f"backend vertex_fetch_{host} from vertex-fetch", [server])
            for host, server in servers.items()
        )
        return gateway(vertex=vertex, sections=backends, environment=ROOM | environment)

    return start


def test_the_stand_in_takes_a_role_of_aws_and_refuses_other_keys(
    in_a_cloud: Callable[..., Haproxy], files: CredentialFiles, standin: Standin
) -> None:
    haproxy = in_a_cloud(files.aws())

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    [verified] = standin.verified("sts")
    role = "arn:aws:sts::123456789012:assumed-role/gateway-role"
    assert verified["principal"].endswith(f"/subject/{role}")
    names = "host;x-amz-date;x-amz-security-token;x-goog-cloud-target-resource"
    assert verified["signed_headers"] == names
    [asked] = standin.requests(of="google")
    assert asked["bearer"]["kind"] == "issued"

    standin.forget_requests()
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "other"}
    stranger = in_a_cloud(files.aws(), AWS_SESSION_TOKEN="standin//session+token==", **keys)
    assert outcome(post(stranger, standin.token())) == (503, "credential_unavailable")
    told = f"{STS}: status 400: invalid_grant: The request signature we calculated does not match."
    assert last_error(stranger) == told


def test_the_stand_in_takes_a_machine_of_azure(
    in_a_cloud: Callable[..., Haproxy], files: CredentialFiles, standin: Standin
) -> None:
    haproxy = in_a_cloud(files.external_account("unused", credential_source=files.azure()))

    assert outcome(post(haproxy, standin.token())) == (200, "-")
    [verified] = standin.verified("sts")
    assert verified["principal"].endswith("/subject/6f1c3b1e-azure-machine")


# What a machine's metadata server does, what is said, and whether it is asked again soon.
FAILS = [
    ("aws", {"mode": "no_account"}, "status 404", False),
    ("aws", {"mode": "status", "status": 500}, "status 500", True),
    ("aws", {"mode": "not_json"}, "no session of IMDSv2", True),
    ("azure", {"mode": "no_account"}, "status 400: invalid_request: Identity not found", False),
    ("azure", {"mode": "broken_json"}, "no subject token: it is no JSON with a text acc", True),
    ("azure", {"mode": "not_json"}, "no subject token: it is no JSON with a text acc", True),
]


@pytest.mark.parametrize(("cloud", "mode", "says", "is_passing"), FAILS)
def test_a_machine_without_identity_is_told_and_serves_when_it_has_one(
    in_a_cloud: Callable[..., Haproxy],
    files: CredentialFiles,
    standin: Standin,
    cloud: str,
    mode: dict[str, Any],
    says: str,
    is_passing: bool,
) -> None:
    standin.misbehave("machine", **mode)
    azure = files.external_account("unused", credential_source=files.azure())
    haproxy = in_a_cloud(files.aws() if cloud == "aws" else azure)

    told = eventually(lambda: last_error(haproxy), "it failed")

    assert told.startswith(f"{IMDS}: {says}")
    assert standin.requests(of="sts") == []
    standin.misbehave("machine")
    if is_passing:
        eventually(lambda: outcome(post(haproxy, standin.token())) == (200, "-"), "served", 15)
    else:
        assert outcome(post(haproxy, standin.token())) == (503, "credential_unavailable")
