"""Where the gateway's calls differ from google-auth's, each with the reason. Nothing else may."""

from dataclasses import dataclass

from google_auth.behind import IAM, MACHINE, METADATA, OAUTH, STS
from google_auth.calls import Difference

CLOUD = "https://www.googleapis.com/auth/cloud-platform"
IAM_SCOPE = "https://www.googleapis.com/auth/iam"
VERTEX = "vertex"


@dataclass(frozen=True)
class Meant:
    difference: Difference
    why: str


def _meant(host: str, field: str, theirs: str | None, ours: str | None, why: str) -> Meant:
    return Meant(Difference(host, field, theirs, ours), why)


def _machine(account: str, what: str) -> str:
    return f"GET {METADATA}/computeMetadata/v1/instance/service-accounts/{account}/{what}"


def account_is_looked_up(account: str = "default") -> Meant:
    why = "google-auth wants the address and the scopes; the gateway needs neither for a token"
    return _meant(METADATA, "call", _machine(account, ""), None, why)


def named_account(account: str) -> tuple[Meant, Meant]:
    why = "google-auth looks the named account up, then takes the token of the default one"
    return (
        _meant(METADATA, "call", _machine("default", "token"), None, why),
        _meant(METADATA, "call", None, _machine(account, "token"), why),
    )


def scopes_of_the_machine(scopes: str) -> Meant:
    why = "google-auth repeats the machine's own scopes; without any, the server gives the same"
    return _meant(METADATA, "query.scopes", scopes, None, why)


def target_is_signed(*names: str) -> Meant:
    why = "google-auth adds the provider's name unsigned; Google's pages advise to sign it"
    theirs = ";".join(names)
    ours = f"{theirs};x-goog-cloud-target-resource"
    return _meant(STS, "form.subject_token.signed", theirs, ours, why)


SOURCES_SCOPE = "Google's Go client wants cloud-platform of a source as well, and both scopes serve"
SOURCE_BY_KEY = _meant(OAUTH, "form.assertion.claims.scope", IAM_SCOPE, CLOUD, SOURCES_SCOPE)
SOURCE_BY_EXCHANGE = _meant(STS, "form.scope", IAM_SCOPE, CLOUD, SOURCES_SCOPE)
SOURCE_BY_MACHINE = _meant(
    METADATA,
    "query.scopes",
    IAM_SCOPE,
    None,
    "the machine's own scopes serve; on GCE the server ignores those that are asked for",
)
SOURCE_BY_IMPERSONATION = _meant(
    IAM, "json.scope", f'["{IAM_SCOPE}"]', f'["{CLOUD}"]', SOURCES_SCOPE
)
NULL_DELEGATES = _meant(
    IAM, "json.delegates", None, "[]", "null and an empty list are the same (proto3 JSON)"
)
OPTIONS = _meant(
    STS,
    "form.options",
    "%7B%22userProject%22%3A%20%2298765%22%7D",
    "%7B%22userProject%22%3A%2298765%22%7D",
    "google-auth writes a blank that JSON does not need",
)
NEWLINE = _meant(
    STS,
    "form.subject_token",
    "subject.of.corp\n",
    "subject.of.corp",
    "google-auth sends the file as it is; a newline at its end is no part of a token",
)
AUDIENCE = _meant(
    "www.googleapis.com",
    "form.assertion.claims.aud",
    f"https://{OAUTH}/token",
    "https://www.googleapis.com/oauth2/v4/token",
    "the audience is whom an assertion is sent to (RFC 7523); google-auth always names one",
)
SESSION = _meant(
    MACHINE,
    "call",
    f"PUT {MACHINE}/latest/api/token",
    None,
    "google-auth begins a session for the region and one for the keys; one serves for both",
)
QUOTA = "a file's quota_project_id is not read: whom Google bills is the identity's own project"
QUOTA_AT_IAM = _meant(IAM, "header.x-goog-user-project", "acme-quota", None, QUOTA)
QUOTA_AT_VERTEX = _meant(VERTEX, "header.x-goog-user-project", "acme-quota", None, QUOTA)
