"""Answers of Google's without a token, in the form that each service has, and some that are not
Google's; and where the gateway's judgement differs from google-auth's, each with the reason."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from google_auth.behind import IAM, METADATA, OAUTH, STS


class Again(Enum):
    TAKEN = "there is a token"
    THEIRS = "google-auth tries again within the same call, or calls the error retryable"
    REFUSED = "google-auth gives up"
    SOON = "the gateway asks again after 1, 2, 4, then every 5 seconds"
    HALF_A_MINUTE = "the gateway asks again after half a minute"
    A_MINUTE = "the gateway asks again after a minute"


AGREE = {
    Again.TAKEN: {Again.TAKEN},
    Again.THEIRS: {Again.SOON, Again.HALF_A_MINUTE},
    Again.REFUSED: {Again.A_MINUTE},
}


@dataclass(frozen=True, eq=False)
class Case:
    name: str
    host: str
    status: int
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)
    # Of the answer; both clients tell them.
    words: tuple[str, ...] = ()
    hangs: bool = False


HTML = "<!DOCTYPE html><html lang=en><title>Error (Server Error)!!1</title></html>"
PORTAL = "<html>Sign in to this network</html>"
JSON = {"Content-Type": "application/json"}
FLAVOR = {"Metadata-Flavor": "Google"}
# What google-auth looks up of an account, and a token.
MACHINE = {"email": "x@y", "scopes": [], "access_token": "ya29.machine", "expires_in": 3599}


def oauth(error: str, description: str) -> dict[str, Any]:
    """RFC 6749 section 5.2."""
    return {
        "body": {"error": error, "error_description": description},
        "words": (error, description),
    }


def rpc(code: int, status: str, message: str) -> dict[str, Any]:
    """google.rpc.Status, as Google's APIs write it."""
    error = {"code": code, "message": message, "status": status}
    return {"body": {"error": error}, "words": (status, message)}


DENIED = (
    "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
)
CREDENTIALS = "Request had invalid authentication credentials."
UNUSED = "Security Token Service API has not been used in project 1 before or it is disabled."

CASES = [
    Case("signature", OAUTH, 400, **oauth("invalid_grant", "Invalid JWT Signature.")),
    Case("account gone", OAUTH, 400, **oauth("invalid_grant", "Invalid grant: account not found")),
    Case("scope", OAUTH, 400, **oauth("invalid_scope", "Invalid OAuth scope.")),
    Case("client", OAUTH, 401, **oauth("invalid_client", "The OAuth client was not found.")),
    Case("unauthorized", OAUTH, 401, **oauth("unauthorized_client", "Client is unauthorized.")),
    Case("account closed", OAUTH, 403, **oauth("access_denied", "Account restricted")),
    Case("no such page", OAUTH, 404, HTML),
    Case("refused without words", OAUTH, 400),
    Case("too slow", OAUTH, 408, HTML),
    Case("too many", OAUTH, 429, **oauth("rate_limit_exceeded", "Rate limit exceeded.")),
    Case("too many, with a time", OAUTH, 429, "{}", headers={"Retry-After": "7"}),
    Case("internal", OAUTH, 500, **oauth("internal_failure", "Backend Error")),
    Case("bad gateway", OAUTH, 502, HTML),
    Case("unavailable", OAUTH, 503, HTML),
    Case("unavailable without words", OAUTH, 503),
    Case("gateway timeout", OAUTH, 504, HTML),
    Case("internal by its name", OAUTH, 400, **oauth("internal_failure", "Try again.")),
    Case("server by its name", OAUTH, 400, **oauth("server_error", "Try again.")),
    Case("passing by its name", OAUTH, 403, **oauth("temporarily_unavailable", "Try again.")),
    Case("portal", OAUTH, 200, PORTAL),
    Case("nothing", OAUTH, 200),
    Case("no token", OAUTH, 200, {"token_type": "Bearer"}),
    Case("hangs", OAUTH, 200, hangs=True),
    #
    Case("audience", STS, 400, **oauth("invalid_grant", "The audience does not match.")),
    Case("provider", STS, 400, **oauth("invalid_target", "The target service is invalid.")),
    Case("request", STS, 400, **oauth("invalid_request", "Invalid value for audience.")),
    Case("client", STS, 401, **oauth("invalid_client", "The OAuth client was not found.")),
    Case("condition", STS, 403, **oauth("unauthorized_client", "Rejected by the condition.")),
    Case("not enabled", STS, 403, **rpc(403, "PERMISSION_DENIED", UNUSED)),
    Case("no such page", STS, 404, HTML),
    Case("too many", STS, 429, **rpc(429, "RESOURCE_EXHAUSTED", "Quota exceeded.")),
    Case("internal", STS, 500, **rpc(500, "INTERNAL", "Internal error encountered.")),
    Case("unavailable", STS, 503, HTML),
    Case("unavailable by its name", STS, 400, **oauth("temporarily_unavailable", "Try again.")),
    Case("portal", STS, 200, PORTAL),
    Case("nothing", STS, 200),
    Case("hangs", STS, 200, hangs=True),
    #
    Case("argument", IAM, 400, **rpc(400, "INVALID_ARGUMENT", "Invalid lifetime.")),
    Case("credentials", IAM, 401, **rpc(401, "UNAUTHENTICATED", CREDENTIALS)),
    Case("no binding", IAM, 403, **rpc(403, "PERMISSION_DENIED", DENIED)),
    Case("no account", IAM, 404, **rpc(404, "NOT_FOUND", "Not found; Gaia id not found.")),
    Case("too many", IAM, 429, **rpc(429, "RESOURCE_EXHAUSTED", "Quota exceeded.")),
    Case("internal", IAM, 500, **rpc(500, "INTERNAL", "Internal error encountered.")),
    Case("bad gateway", IAM, 502, HTML),
    Case("unavailable", IAM, 503, **rpc(503, "UNAVAILABLE", "The service is unavailable.")),
    Case("portal", IAM, 200, PORTAL),
    Case("fractions", IAM, 200, {"accessToken": "ya29.f", "expireTime": "2030-01-01T00:00:00.5Z"}),
    Case("hangs", IAM, 200, hangs=True),
    #
    Case("no account", METADATA, 404, HTML, headers=FLAVOR),
    Case("forbidden", METADATA, 403, HTML, headers=FLAVOR),
    Case("too many", METADATA, 429, "{}", headers=FLAVOR),
    Case("internal", METADATA, 500, HTML, headers=FLAVOR),
    Case("bad gateway", METADATA, 502, HTML, headers=FLAVOR),
    Case("unavailable", METADATA, 503, headers=FLAVOR),
    Case("portal", METADATA, 200, PORTAL, headers=FLAVOR),
    Case("a proxy's refusal", METADATA, 403, HTML),
    Case("a proxy's token", METADATA, 200, MACHINE, headers=JSON),
    Case("twin of the latter", METADATA, 200, MACHINE, headers=JSON | FLAVOR),
    Case("hangs", METADATA, 200, hangs=True),
]


@dataclass(frozen=True)
class Meant:
    """A difference, and its reason."""

    theirs: Again
    ours: Again
    why: str


# google-auth tries STS and IAM once, and of the silent ones only the metadata server again.
CALLER = "google-auth leaves the next try to its caller; the gateway has none, and asks by itself"
BY_ITSELF = Meant(Again.REFUSED, Again.SOON, CALLER)
BY_ITSELF_LATER = Meant(Again.REFUSED, Again.HALF_A_MINUTE, CALLER)
BAD_GATEWAY = Meant(
    Again.REFUSED, Again.SOON, "a front end's 502 passes as its 503 does; google-auth knows no 502"
)
NO_TOKEN_IN_IT = Meant(
    Again.REFUSED, Again.SOON, "a 200 without a token refuses nothing; google-auth stumbles over it"
)
NO_GOOGLE = Meant(
    Again.REFUSED, Again.SOON, "a proxy's answer says nothing of the account; it may be gone soon"
)
NO_FLAVOR = Meant(
    Again.TAKEN,
    Again.SOON,
    "google-auth looks for the flavor once, at its start; a token of anybody else is none",
)
FRACTIONS = Meant(
    Again.REFUSED, Again.TAKEN, "RFC 3339 has fractions of a second; google-auth wants none"
)

# By host and name of the case. Nothing else may differ, and each of these does.
MEANT = {
    (OAUTH, "bad gateway"): BAD_GATEWAY,
    (OAUTH, "portal"): NO_TOKEN_IN_IT,
    (OAUTH, "nothing"): NO_TOKEN_IN_IT,
    (OAUTH, "no token"): NO_TOKEN_IN_IT,
    (OAUTH, "hangs"): BY_ITSELF,
    (STS, "too many"): BY_ITSELF_LATER,
    (STS, "internal"): BY_ITSELF,
    (STS, "unavailable"): BY_ITSELF,
    (STS, "unavailable by its name"): BY_ITSELF,
    (STS, "portal"): NO_TOKEN_IN_IT,
    (STS, "nothing"): NO_TOKEN_IN_IT,
    (STS, "hangs"): BY_ITSELF,
    (IAM, "too many"): BY_ITSELF_LATER,
    (IAM, "internal"): BY_ITSELF,
    (IAM, "bad gateway"): BAD_GATEWAY,
    (IAM, "unavailable"): BY_ITSELF,
    (IAM, "portal"): NO_TOKEN_IN_IT,
    (IAM, "fractions"): FRACTIONS,
    (IAM, "hangs"): BY_ITSELF,
    (METADATA, "bad gateway"): BAD_GATEWAY,
    (METADATA, "portal"): NO_TOKEN_IN_IT,
    (METADATA, "a proxy's refusal"): NO_GOOGLE,
    (METADATA, "a proxy's token"): NO_FLAVOR,
}
