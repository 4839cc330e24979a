"""Headers that change what a request means, who pays for it, or how it is read."""

import uuid

from bypass.pair import HOST, MARK, NEUTRALISED, Harm, Kind, Pair, Request, header_has, header_is_there, is_marked

HEADER_LAYERS = {"checks": ("ForbiddenHeaders",), "rules": ("headers",)}

OVERRIDE = Kind("X-HTTP-Method-Override", **HEADER_LAYERS)
FIELD_MASK = Kind("X-Goog-FieldMask", **HEADER_LAYERS)
TIER = Kind("tier headers", rules=("headers",))
PROJECT = Kind("x-goog-user-project", rules=("headers",))
CONNECTION = Kind("Connection-named headers", rules=("headers",))
ENCODING = Kind("accept-encoding", rules=("headers", "encoding"))
AGENT = Kind("forged request id", rules=("user-agent",))
CREDENTIALS = Kind("duplicate credentials", checks=("OneCredential",))
TWICE = Kind("duplicate headers", checks=("HeadersOnce", "JsonType"))
FOLDED = Kind("folded headers", checks=("ForbiddenHeaders", "JsonType"), rules=("headers",))

KINDS = [
    OVERRIDE, FIELD_MASK, TIER, PROJECT, CONNECTION, ENCODING, AGENT, CREDENTIALS, TWICE, FOLDED,
]  # fmt: skip

CLIENT = ("x-goog-api-client", "gl-python/3.12")


def header(
    kind: Kind,
    title: str,
    *pairs: tuple[str, str],
    expect: str = NEUTRALISED,
    twin: tuple[tuple[str, str], ...] = (CLIENT,),
    harm: Harm | None = None,
    **more: object,
) -> None:
    attack, honest = Request(headers=pairs), Request(headers=twin)
    harm = harm or header_is_there(pairs[0][0].lower())
    kind.pairs.append(Pair(kind.name, title, attack, honest, expect, harm, **more))  # type: ignore[arg-type]


REFUSED = "header_not_allowed"

header(OVERRIDE, "to delete", ("x-http-method-override", "DELETE"), expect=REFUSED)
header(OVERRIDE, "a shorter name", ("x-http-method", "PATCH"), expect=REFUSED)
header(OVERRIDE, "another name", ("x-method-override", "PUT"), expect=REFUSED)
header(OVERRIDE, "without a value", ("x-http-method-override", ""), expect=REFUSED)
header(OVERRIDE, "twice", *(("x-http-method-override", "GET"),) * 2, expect=REFUSED)
header(OVERRIDE, "in capitals", ("X-HTTP-METHOD-OVERRIDE", "DELETE"), expect=REFUSED, over=("1.1",))
header(OVERRIDE, "with underscores", ("x_http_method_override", "DELETE"))

header(FIELD_MASK, "all but usage", ("x-goog-fieldmask", "candidates"), expect=REFUSED)
header(FIELD_MASK, "in capitals", ("X-Goog-FieldMask", "candidates"), expect=REFUSED, over=("1.1",))
header(FIELD_MASK, "twice", ("x-goog-fieldmask", "*"), ("x-goog-fieldmask", "name"), expect=REFUSED)
header(FIELD_MASK, "with an underscore", ("x-goog_fieldmask", "candidates"))
header(FIELD_MASK, "with a hyphen", ("x-goog-field-mask", "candidates"))

header(TIER, "provisioned throughput", ("x-vertex-ai-llm-request-type", "dedicated"))
header(TIER, "past it", ("x-vertex-ai-llm-request-type", "shared"))
header(TIER, "a shared tier", ("x-vertex-ai-llm-shared-request-type", "priority"))
header(TIER, "the slow tier", ("x-vertex-ai-llm-shared-request-type", "flex"))
header(TIER, "labels of a bill", ("x-vertex-ai-labels", "eyJ0ZWFtIjoidmljdGltIn0="))

header(PROJECT, "another's", ("x-goog-user-project", "victim"))
header(PROJECT, "twice", *(("x-goog-user-project", "victim"),) * 2)
header(PROJECT, "in capitals", ("X-Goog-User-Project", "victim"), over=("1.1",))
header(PROJECT, "another's quota", ("x-goog-quota-user", "victim"))
header(PROJECT, "routing by another's", ("x-goog-request-params", "project=victim"))
header(PROJECT, "where it may run", ("x-allowed-locations", "0x0"))
header(PROJECT, "an identity of a proxy's", ("x-goog-iam-authorization-token", "x"))

# HTTP/2 has no Connection header (RFC 9113 section 8.2.2): HAProxy refuses it there.
for named in ("authorization", "content-type", "x-goog-api-client", "host, keep-alive"):
    header(
        CONNECTION, f"names {named}", ("connection", named), CLIENT,
        harm=header_has("connection", named.partition(",")[0]), over_h2=HOST,
    )  # fmt: skip
header(CONNECTION, "names what is stopped", ("connection", "x-goog-fieldmask"), ("x-goog-fieldmask", "name"), expect=REFUSED, over_h2=HOST)
header(CONNECTION, "of another proxy", ("proxy-connection", "keep-alive"), over_h2=HOST)
header(CONNECTION, "keep-alive", ("keep-alive", "timeout=5"), over_h2=HOST)

header(ENCODING, "gzip", ("accept-encoding", "gzip"), harm=header_has("accept-encoding", "gzip"))
header(ENCODING, "anything", ("accept-encoding", "*"), harm=header_has("accept-encoding", "*"))
header(ENCODING, "twice", ("accept-encoding", "identity"), ("accept-encoding", "br"), harm=header_has("accept-encoding", "br"))


def looks_ours(seen: object) -> bool:
    """A second id that Google's audit log would show as the gateway's."""
    agents = seen.all("user-agent")  # type: ignore[attr-defined]
    return len(agents) != 1 or agents[0].lower().count("haproxy-vertex") != 1


FORGED = f"haproxy-vertex/{uuid.UUID(int=7)}"
for title, agent in {
    "ours": FORGED,
    "in capitals": FORGED.upper(),
    "behind another": f"curl/8 {FORGED}",
    "two of them": f"{FORGED} {FORGED}",
    "one inside another": f"haproxy-haproxy-vertexvertex/{uuid.UUID(int=7)}",
    "in a comment": f"curl/8 ({FORGED})",
}.items():
    twin = (("user-agent", "curl/8"),)
    header(AGENT, title, ("user-agent", agent), twin=twin, harm=looks_ours)
header(AGENT, "in the last of two", ("user-agent", "curl/8"), ("user-agent", FORGED), harm=looks_ours)
header(AGENT, "in the first of two", ("user-agent", FORGED), ("user-agent", "curl/8"), harm=looks_ours)

# {token} is the caller's own; it stands in Authorization already. Google sees neither, so what
# escaped is told by a mark that passes.
DUPLICATE = "token_duplicate"
for name, value in {
    "authorization": "Bearer {token}",
    "x-goog-api-key": "{token}",
    "x-api-key": "{token}",
}.items():
    header(CREDENTIALS, f"{name} as well", (name, value), MARK, expect=DUPLICATE, harm=is_marked)
header(CREDENTIALS, "an empty one", ("x-api-key", ""), MARK, expect=DUPLICATE, harm=is_marked)
header(CREDENTIALS, "Google's own", ("x-goog-api-key", "AIzaSyA"), MARK, expect=DUPLICATE, harm=is_marked)

SMUGGLE = "application/json; charset=utf-7"


def two_types(seen: object) -> bool:
    return len(seen.all("content-type")) > 1  # type: ignore[attr-defined]


header(TWICE, "two media types", ("content-type", SMUGGLE), expect=REFUSED, harm=two_types)
header(TWICE, "the same media type", ("content-type", "application/json"), expect=REFUSED, harm=two_types)
header(TWICE, "an empty media type", ("content-type", ""), expect=REFUSED, harm=two_types)
header(TWICE, "two lengths", ("content-length", "3"), expect=HOST, harm=header_has("content-length", "3"))
header(TWICE, "two hosts", ("host", "evil.example"), expect=HOST, over_h2=NEUTRALISED, harm=header_has("host", "evil"))


def folded(title: str, lines: bytes, expect: str, harm: Harm, **more: object) -> None:
    attack = Request(raw_lines=lines, **more)  # type: ignore[arg-type]
    FOLDED.pairs.append(Pair(FOLDED.name, title, attack, Request(), expect, harm, over=("1.1",)))


folded("a method override", b"x-http-method-override:\r\n DELETE\r\n", REFUSED, header_is_there("x-http-method-override"))
folded("a field mask by tab", b"x-goog-fieldmask:\r\n\tcandidates\r\n", REFUSED, header_is_there("x-goog-fieldmask"))
folded("a project", b"x-goog-user-project:\r\n victim\r\n", NEUTRALISED, header_is_there("x-goog-user-project"))
folded("a charset", b"content-type: application/json;\r\n charset=utf-7\r\n", "body_not_json", header_has("content-type", "utf-7"), media=())
folded("a header inside a value", b"x-a: b\r\n x-goog-fieldmask: name\r\n", NEUTRALISED, header_is_there("x-a"))
folded("a blank before the colon", b"x-goog-fieldmask : name\r\n", HOST, header_is_there("x-goog-fieldmask"))
folded("a name without colon", b"x-goog-fieldmask\r\n", HOST, header_is_there("x-goog-fieldmask"))
folded("a bare line feed", b"x-a: b\nx-goog-fieldmask: name\r\n", REFUSED, header_is_there("x-goog-fieldmask"))
