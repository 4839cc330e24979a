"""What a refusal looks like on the wire: Google's error JSON and the headers of its status."""

import json
import re
from typing import Any, Protocol

from support.world.place import ROOT

# Each reason's HTTP status and Google's name for it: a public interface, so written here again.
STATUS = {
    **dict.fromkeys(
        (
            "token_missing", "token_duplicate", "token_malformed", "token_too_long",
            "google_token_not_accepted", "alg_not_allowed", "key_unknown", "bad_signature",
            "issuer_unknown", "audience_wrong", "token_expired", "token_not_yet_valid",
            "lifetime_too_long", "claim_missing",
        ),
        (401, "UNAUTHENTICATED"),
    ),
    **dict.fromkeys(
        (
            "url_not_canonical", "query_not_allowed", "header_not_allowed", "undecided",
            "body_not_json", "body_too_complex", "model_missing", "model_mismatch",
        ),
        (400, "INVALID_ARGUMENT"),
    ),
    "route_unknown": (404, "NOT_FOUND"),
    **dict.fromkeys(
        (
            "role_none", "location_without_backend", "body_not_allowed", "tier_not_allowed",
            "google_exchange_refused",
        ),
        (403, "PERMISSION_DENIED"),
    ),
    **dict.fromkeys(
        (
            "keys_unavailable", "busy", "credential_unavailable", "internal",
            "google_credential_refused",
        ),
        (503, "UNAVAILABLE"),
    ),
    **dict.fromkeys(
        ("limit_requests", "limit_tokens", "limit_parallel"), (429, "RESOURCE_EXHAUSTED")
    ),
    "google_denied": (502, "PERMISSION_DENIED"),
    "request_incomplete": (408, "DEADLINE_EXCEEDED"),
    "body_timeout": (408, "DEADLINE_EXCEEDED"),
    "unrouted": (503, "UNAVAILABLE"),
    "upstream_unavailable": (503, "UNAVAILABLE"),
    "upstream_closed": (502, "UNAVAILABLE"),
    "upstream_timeout": (504, "DEADLINE_EXCEEDED"),
    "answered_by_rule": (403, "PERMISSION_DENIED"),
    "body_too_large_to_check": (413, "INVALID_ARGUMENT"),
}  # fmt: skip

BEARER_ERROR = {"token_missing": None, "token_duplicate": "invalid_request"}

# RFC 9110 section 11.6.1 as RFC 6750 section 3 uses it: no quote and no backslash inside.
_CHALLENGE = re.compile(r'Bearer realm="[^"\\]+"(, [a-z_]+="[^"\\]*")*')


class Answered(Protocol):
    status: int
    body: bytes

    def header(self, name: str) -> str | None: ...


def reasons_of_the_product() -> set[str]:
    return set(re.findall(r'^    [A-Z]\w+ "([a-z_]+)" \d+ ', ERRORS.read_text(), re.M))


def text(reason: str) -> str:
    """What callers are told where nothing more is known."""
    [text] = re.findall(rf'^    [A-Z]\w+ "{reason}" \d+ .*\n +"(.*)";$', ERRORS.read_text(), re.M)
    return text


ERRORS = ROOT / "src" / "error.rs"


def message(answer: Answered) -> str:
    return error(answer)["message"]


def error(answer: Answered) -> dict[str, Any]:
    return json.loads(answer.body)["error"]


def assert_refused(answer: Answered, reason: str, what: str = "") -> None:
    status, name = STATUS[reason]
    assert answer.status == status, (what, reason, answer.status, answer.body)
    assert answer.header("content-type") == "application/json", what
    assert answer.header("content-length") == str(len(answer.body)), what
    said = json.loads(answer.body)
    text = said["error"].pop("message")
    assert_has_id(answer, said["error"]["details"].pop(1), what)
    assert said == {
        "error": {
            "code": status,
            "status": name,
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": reason,
                    "domain": "haproxy-vertex",
                }
            ],
        }
    }, what
    assert re.fullmatch(r"[^\n]{10,400}", text), what
    _assert_headers(answer, reason, status)


def assert_has_id(answer: Answered, info: dict[str, str], what: str = "") -> None:
    """The request's id, in the body (google.rpc.RequestInfo) and in the headers."""
    assert info["@type"] == "type.googleapis.com/google.rpc.RequestInfo", what
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", info["requestId"]), what
    assert answer.header("x-request-id") == info["requestId"] == answer.header("request-id"), what


def _assert_headers(answer: Answered, reason: str, status: int) -> None:
    challenge = answer.header("www-authenticate")
    assert (challenge is not None) == (status == 401)
    if challenge is not None:
        assert _CHALLENGE.fullmatch(challenge), challenge
        told = re.search(r'error="([^"]*)"', challenge)
        assert (told and told[1]) == BEARER_ERROR.get(reason, "invalid_token")
    retry = answer.header("retry-after")
    useless = answer.header("x-should-retry") == "false"
    may_pass = status in (408, 500, 502, 503) and not reason.startswith("google_")
    # Whether a fresh token is on its way then, its own tests say.
    assert reason == "google_credential_refused" or useless == (not may_pass)
    assert (retry is not None) == (status == 503 and not useless)
    assert retry is None or 1 <= int(retry) <= 60
