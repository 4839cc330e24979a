"""The credentials that are compared, one a row: what each client is given, and which differences
are meant."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.auth import compute_engine
from google.auth import impersonated_credentials as impersonated

from google_auth import meant
from google_auth.clients import load
from google_auth.meant import CLOUD, Meant
from support.world.credential_files import ACCOUNT, CredentialFiles
from support.world.standin import Standin

DELEGATE = "mid@standin-project.iam.gserviceaccount.com"
MACHINE_ACCOUNT = "instance@standin-project.iam.gserviceaccount.com"
DEFAULT = [CLOUD]
OPENID = [CLOUD, "openid"]
# The stand-in knows the keys of a role alone.
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "a/secret+key",
    "AWS_REGION": "us-east-2",
}
FEDERATED = {"access_token": "ya29.canned", "expires_in": 3599, "token_type": "Bearer"}


@dataclass(frozen=True)
class Given:
    """What a row makes its credential of."""

    standin: Standin
    files: CredentialFiles

    def subject(self, **claims: Any) -> str:
        return self.standin.token({"sub": "alice", **claims})

    def key_file(self, name: str = "key.json", **different: Any) -> Path:
        """The stand-in's, with other members."""
        file = self.files.folder / name
        key = json.loads(self.standin.service_account.read_text())
        file.write_text(json.dumps(key | different))
        return file


@dataclass(frozen=True)
class Both:
    """The same credential for either client."""

    ours: dict[str, Any]
    theirs: Any


def file(path: Path, scopes: list[str] | None = None, **more: Any) -> Both:
    """A file that both read; `more` is the gateway's alone."""
    scopes = scopes or DEFAULT
    kind = json.loads(path.read_text())["type"]
    return Both({"type": kind, "file": str(path), "scopes": scopes, **more}, load(path, scopes))


def as_account(path: Path, source: Any) -> Both:
    """With a source that google-auth takes, but not out of a file."""
    theirs = impersonated.Credentials(source, ACCOUNT, DEFAULT, delegates=[])
    ours = {"type": "impersonated_service_account", "file": str(path), "scopes": DEFAULT}
    return Both(ours, theirs)


def machine(given: Given) -> Both:
    ours = {"type": "metadata", "scopes": OPENID}
    return Both(ours, compute_engine.Credentials(scopes=OPENID))


def machine_by_default(given: Given) -> Both:
    return Both({"type": "metadata"}, compute_engine.Credentials())


def machines_named_account(given: Given) -> Both:
    ours = {"type": "metadata", "account": MACHINE_ACCOUNT, "scopes": DEFAULT}
    return Both(ours, compute_engine.Credentials(MACHINE_ACCOUNT, scopes=DEFAULT))


def key_exchanged(given: Given) -> Both:
    return file(given.key_file(), form="exchange")


def key_with_scopes(given: Given) -> Both:
    return file(given.key_file(), OPENID, form="exchange")


def older_key(given: Given) -> Both:
    older = {"token_uri": "https://www.googleapis.com/oauth2/v4/token"}
    return file(given.key_file(**older), form="exchange")


def account_by_key(given: Given) -> Both:
    return file(given.files.impersonated_service_account(given.standin.service_account), OPENID)


def account_by_delegates(given: Given) -> Both:
    given.standin.policy(delegates=[DELEGATE])
    chain = (f"projects/-/serviceAccounts/{DELEGATE}",)
    source = given.standin.service_account
    return file(given.files.impersonated_service_account(source, delegates=chain))


def account_by_machine(given: Given) -> Both:
    source = given.files.folder / "machine.json"
    source.write_text('{"type": "metadata"}')
    path = given.files.impersonated_service_account(source)
    # Without a universe it would ask for one, by a way of its own.
    return as_account(path, compute_engine.Credentials(universe_domain="googleapis.com"))


def account_by_workload(given: Given) -> Both:
    source = given.files.external_account(given.subject())
    path = given.files.impersonated_service_account(source)
    return as_account(path, load(source, DEFAULT))


def account_by_account(given: Given) -> Both:
    source = given.files.impersonated_service_account(
        given.standin.service_account, MACHINE_ACCOUNT, name="source.json"
    )
    path = given.files.impersonated_service_account(source)
    return as_account(path, load(source, DEFAULT))


def workload(given: Given) -> Both:
    return file(given.files.external_account(given.subject()))


def workload_with_scopes(given: Given) -> Both:
    return file(given.files.external_account(given.subject()), OPENID)


def workload_in_json(given: Given) -> Both:
    token = given.standin.token({"sub": "alice"}, issuer="partner", alg="ES256")
    return file(given.files.external_account(token, "partner", field="id_token"))


def workload_with_newline(given: Given) -> Both:
    return file(given.files.external_account("subject.of.corp\n"))


def workforce(given: Given) -> Both:
    token = given.subject(aud=f"https:{given.files.audience(workforce=True)}")
    project = {"workforce_pool_user_project": "98765"}
    return file(given.files.external_account(token, workforce=True, **project))


def workload_as_account(given: Given) -> Both:
    life = {"service_account_impersonation": {"token_lifetime_seconds": 1200}}
    return file(given.files.external_account(given.subject(), impersonate=ACCOUNT, **life), OPENID)


def workload_with_quota(given: Given) -> Both:
    quota = {"quota_project_id": "acme-quota"}
    return file(given.files.external_account(given.subject(), impersonate=ACCOUNT, **quota))


def person(given: Given) -> Both:
    return file(given.files.authorized_user(), OPENID)


def person_by_default(given: Given) -> Both:
    path = given.files.authorized_user()
    return Both({"type": "authorized_user", "file": str(path)}, load(path, None))


def person_with_quota(given: Given) -> Both:
    return file(given.files.authorized_user(quota_project_id="acme-quota"))


def account_by_person(given: Given) -> Both:
    return file(given.files.impersonated_service_account(given.files.authorized_user()))


def account_by_person_with_quota(given: Given) -> Both:
    source = given.files.authorized_user(quota_project_id="acme-quota")
    return file(given.files.impersonated_service_account(source))


def machine_of_azure(given: Given) -> Both:
    return file(given.files.external_account("unused", credential_source=given.files.azure()))


def role_of_aws(given: Given) -> Both:
    return file(given.files.aws())


def keys_of_aws(given: Given) -> Both:
    return file(given.files.aws())


@dataclass(frozen=True)
class Row:
    credential: Callable[[Given], Both]
    meant: tuple[Meant, ...] = ()
    # Of paths that the stand-in does not serve, or not to both.
    answers: dict[str, Any] = field(default_factory=dict)
    # Variables of both clients.
    environment: dict[str, str] = field(default_factory=dict)


ROWS = [
    Row(machine, (meant.account_is_looked_up(),)),
    Row(
        machine_by_default,
        (meant.account_is_looked_up(), meant.scopes_of_the_machine(CLOUD)),
    ),
    Row(
        machines_named_account,
        (
            meant.account_is_looked_up(MACHINE_ACCOUNT),
            *meant.named_account(MACHINE_ACCOUNT),
        ),
    ),
    Row(key_exchanged),
    Row(key_with_scopes),
    Row(older_key, (meant.AUDIENCE,), {"/oauth2/v4/token": FEDERATED}),
    Row(account_by_key, (meant.SOURCE_BY_KEY,)),
    Row(account_by_delegates, (meant.SOURCE_BY_KEY,)),
    Row(account_by_machine, (meant.account_is_looked_up(), meant.SOURCE_BY_MACHINE)),
    Row(account_by_workload, (meant.SOURCE_BY_EXCHANGE,)),
    Row(account_by_account, (meant.SOURCE_BY_KEY, meant.SOURCE_BY_IMPERSONATION)),
    Row(workload),
    Row(workload_with_scopes),
    Row(workload_in_json),
    Row(workload_with_newline, (meant.NEWLINE,), {"/v1/token": FEDERATED}),
    Row(workforce, (meant.OPTIONS,)),
    Row(workload_as_account, (meant.SOURCE_BY_EXCHANGE, meant.NULL_DELEGATES)),
    Row(
        workload_with_quota,
        (
            meant.SOURCE_BY_EXCHANGE,
            meant.NULL_DELEGATES,
            meant.QUOTA_AT_IAM,
            meant.QUOTA_AT_VERTEX,
        ),
    ),
    Row(person),
    Row(person_by_default),
    Row(person_with_quota, (meant.QUOTA_AT_VERTEX,)),
    Row(account_by_person),
    Row(account_by_person_with_quota, (meant.QUOTA_AT_IAM,)),
    Row(machine_of_azure),
    Row(
        role_of_aws,
        (
            meant.SESSION,
            meant.target_is_signed("host", "x-amz-date", "x-amz-security-token"),
        ),
    ),
    Row(
        keys_of_aws,
        (meant.target_is_signed("host", "x-amz-date"),),
        {"/v1/token": FEDERATED},
        KEYS,
    ),
]
