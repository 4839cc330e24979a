"""For each reason a request that is refused for it, and its twin, which differs in that alone."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from support.wire.calls import BODY, GENERATE, MODEL, OTHER_MODEL, PROJECT, STREAM, headers
from support.world.standin import Standin

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Call:
    method: str
    target: str
    pairs: Pairs
    body: bytes = BODY


@dataclass(frozen=True)
class Case:
    reason: str
    refused: Callable[[Standin], Call]
    twin: Callable[[Standin], Call]


def good(standin: Standin, claims: dict[str, Any] | None = None, **more: Any) -> str:
    return standin.token({"groups": ["ml"]} | (claims or {}), **more)


def with_headers(*pairs: tuple[str, str], method: str = "POST", target: str = GENERATE) -> Call:
    return Call(method, target, [("Content-Type", "application/json"), *pairs])


def bearer(token: str, target: str = GENERATE, method: str = "POST", **more: str) -> Call:
    return Call(method, target, list(headers(token, **more).items()))


def _token(**claims: Any) -> Callable[[Standin], Call]:
    return lambda standin: bearer(good(standin, claims))


def _minted(**more: Any) -> Callable[[Standin], Call]:
    return lambda standin: bearer(good(standin, **more))


def _good(target: str = GENERATE, method: str = "POST", **more: str) -> Callable[[Standin], Call]:
    return lambda standin: bearer(good(standin), target, method, **more)


def _raw(token: str) -> Callable[[Standin], Call]:
    return lambda _: bearer(token)


def _scheme(scheme: str) -> Callable[[Standin], Call]:
    return lambda standin: with_headers(("Authorization", scheme + good(standin)))


def _edited(change: Callable[[str], str]) -> Callable[[Standin], Call]:
    return lambda standin: bearer(change(good(standin)))


def _embedded(standin: Standin) -> Call:
    jwk = {"kty": "oct", "k": base64.urlsafe_b64encode(b"k" * 32).decode()}
    return bearer(good(standin, header={"jwk": jwk, "crit": ["exp"]}))


def _body(body: bytes | str, **more: str) -> Callable[[Standin], Call]:
    data = body.encode() if isinstance(body, str) else body
    return lambda standin: replace(bearer(good(standin), **more), body=data)


FINE = _good()
PROMPT = '"contents":[{"role":"user","parts":[{"text":"hello"}]}]'
ELSEWHERE = PROJECT.replace("us-central1", "asia-east1") + GENERATE.removeprefix(PROJECT)

CASES = {
    "no token": Case("token_missing", lambda _: Call("POST", GENERATE, []), FINE),
    "a token under another scheme": Case("token_malformed", _scheme("Basic "), _scheme("bEaReR ")),
    "a token without a scheme": Case("token_malformed", _scheme(""), _scheme("Bearer ")),
    "no JWT": Case("token_malformed", _raw("not-a-jwt"), FINE),
    "a JWT of four parts": Case("token_malformed", _edited(lambda t: t + ".x"), FINE),
    "a padded JWT": Case("token_malformed", _edited(lambda t: t + "="), FINE),
    "a subject that is a number": Case("token_malformed", _token(sub=7), _token(sub="7")),
    "an access token of Google's": Case("google_token_not_accepted", _raw("ya29.a0AfB"), FINE),
    "an API key of Google's": Case("google_token_not_accepted", _raw("AIzaSyA"), FINE),
    "17 KB": Case("token_too_long", _token(pad="x" * 13_000), _token(pad="x" * 11_000)),
    "HS256": Case("alg_not_allowed", _minted(header={"alg": "HS256"}), FINE),
    "none": Case("alg_not_allowed", _minted(header={"alg": "none"}, sign_with="none"), FINE),
    "an unknown key": Case("key_unknown", _minted(header={"kid": "nobody-s"}), FINE),
    "no signature": Case("bad_signature", _minted(sign_with="none"), FINE),
    "another's signature": Case("bad_signature", _minted(sign_with="other"), FINE),
    "another issuer": Case(
        "issuer_unknown", _token(iss="https://idp.example/partner"),
        _token(iss="https://idp.example/corp"),
    ),
    "another audience": Case(
        "audience_wrong", _token(aud=["x", "y"]), _token(aud=["x", "vertex-gateway"])
    ),
    "an expired token": Case(
        "token_expired", _minted(iat_offset=-120, lifetime=60),
        _minted(iat_offset=-120, lifetime=100),  # 20 s ago: within the leeway
    ),
    "a token of the future": Case(
        "token_not_yet_valid", _minted(iat_offset=60), _minted(iat_offset=20)
    ),
    "a token for 25 hours": Case(
        "lifetime_too_long", _minted(lifetime=25 * 3600), _minted(lifetime=24 * 3600)
    ),
    "no subject": Case("claim_missing", _token(sub=None), FINE),
    "no expiry": Case("claim_missing", _token(exp=None), FINE),
    "no audience": Case("claim_missing", _token(aud=None), FINE),
    "two slashes": Case("url_not_canonical", _good(GENERATE.replace("/models", "//models")), FINE),
    "an encoded letter": Case("url_not_canonical", _good(GENERATE.replace("gem", "g%65m")), FINE),
    "a dot segment": Case("url_not_canonical", _good("/v1/." + GENERATE[3:]), FINE),
    "another method of Google's": Case("route_unknown", _good(f"{MODEL}:speak"), FINE),
    "another version": Case(
        "route_unknown", _good("/v2" + GENERATE[3:]), _good("/v1beta1" + GENERATE[3:])
    ),
    "another path": Case("route_unknown", _good("/healthz"), FINE),
    "a key in the query": Case(
        "query_not_allowed", _good(f"{STREAM}&key=x"), _good(STREAM)
    ),
    "alt=sse on a unary method": Case(
        "query_not_allowed", _good(f"{GENERATE}?alt=sse"), _good(f"{GENERATE}?alt=json")
    ),
    "a compressed body": Case(
        "header_not_allowed", _good(Content_Encoding="gzip"), _good(Accept_Encoding="gzip")
    ),
    "a method override": Case(
        "header_not_allowed", _good(X_HTTP_Method_Override="DELETE"), _good(X_HTTP_Version="1")
    ),
    "another model": Case("role_none", _good(OTHER_MODEL), FINE),
    "another project": Case("role_none", _good(GENERATE.replace("acme-ml", "acme-hr")), FINE),
    "another group": Case("role_none", _token(groups=["hr"]), _token(groups=["hr", "ml"])),
    "a body that is no JSON": Case("body_not_json", _body("{'a':1}"), _body(f"{{{PROMPT}}}")),
    "a name twice": Case(
        "body_not_json", _body(f'{{{PROMPT},"a":1,"\\u0061":1}}'), _body(f'{{{PROMPT},"a":1,"b":1}}')
    ),
    "another charset": Case(
        "body_not_json", _good(Content_Type="application/json; charset=utf-16"),
        _good(Content_Type="application/json; charset=utf-8"),
    ),
    "a name of more than 8 KB": Case(
        "body_too_complex", _body(f'{{{PROMPT},"{"x" * 8_193}":1}}'), _body(f'{{{PROMPT},"{"x" * 8_192}":1}}')
    ),
    "a tool behind what fits the buffer": Case(
        "body_not_allowed", _body(f'{{{PROMPT},"x":"{"x" * 32_000}","tools":[{{"googleSearch":{{}}}}]}}'),
        _body(f'{{{PROMPT},"x":"{"x" * 32_000}","tools":[{{"functionDeclarations":[{{"name":"f"}}]}}]}}'),
    ),
    "another model in the body": Case(
        "model_mismatch", _body(f'{{{PROMPT},"model":"gemini-2.5-pro"}}'),
        _body(f'{{{PROMPT},"model":"gemini-2.5-flash"}}'),
    ),
    "a tool of Google's": Case(
        "body_not_allowed", _body(f'{{{PROMPT},"tools":[{{"googleSearch":{{}}}}]}}'),
        _body(f'{{{PROMPT},"tools":[{{"functionDeclarations":[{{"name":"googleSearch"}}]}}]}}'),
    ),
    "a tier": Case(
        "tier_not_allowed", _good(X_Vertex_AI_LLM_Request_Type="dedicated"),
        _good(X_Vertex_AI_LLM_Request="dedicated"),
    ),
    "a location without a backend": Case("location_without_backend", _good(ELSEWHERE), FINE),
}  # fmt: skip
