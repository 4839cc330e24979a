"""Headers that change what a request means, who pays for it, or how it is read."""

import uuid

from bypass.pair import (
    HOST,
    NEUTRALISED,
    Harm,
    Kind,
    Pair,
    Request,
    Seen,
    header_has,
    header_is_there,
)

HEADER_LAYERS = {"checks": ("ForbiddenHeaders",), "rules": ("headers",)}

OVERRIDE = Kind("X-HTTP-Method-Override", **HEADER_LAYERS)
FIELD_MASK = Kind("X-Goog-FieldMask", **HEADER_LAYERS)
TIER = Kind("tier headers", checks=("tiers",))
PROJECT = Kind("x-goog-user-project", rules=("headers",))
CONNECTION = Kind("Connection-named headers", rules=("headers",))
ENCODING = Kind("accept-encoding", rules=("headers", "encoding"))
AGENT = Kind("forged request id", rules=("user-agent",))

KINDS = [OVERRIDE, FIELD_MASK, TIER, PROJECT, CONNECTION, ENCODING, AGENT]

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
    pair = Pair(kind.name, title, attack, honest, expect, harm, **more)  # type: ignore[arg-type]
    kind.pairs.append(pair)


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

TYPE, SHARED_TYPE = "x-vertex-ai-llm-request-type", "x-vertex-ai-llm-shared-request-type"
NO_TIER = "tier_not_allowed"
header(TIER, "provisioned throughput", (TYPE, "dedicated"), expect=NO_TIER)
header(TIER, "past it", (TYPE, "shared"), expect=NO_TIER)
header(TIER, "a shared tier", (SHARED_TYPE, "priority"), expect=NO_TIER)
header(TIER, "the slow tier", (SHARED_TYPE, "flex"), expect=NO_TIER)
header(TIER, "both", (TYPE, "shared"), (SHARED_TYPE, "priority"), expect=NO_TIER)
header(TIER, "twice", *((TYPE, "shared"),) * 2, expect=NO_TIER)
header(TIER, "a list", (TYPE, "shared, dedicated"), expect=NO_TIER)
header(TIER, "in capitals", (TYPE.upper(), "DEDICATED"), expect=NO_TIER, over=("1.1",))
header(TIER, "without a value", (TYPE, ""), expect=NO_TIER)
header(TIER, "with underscores", (TYPE.replace("-", "_"), "dedicated"))

header(PROJECT, "another's", ("x-goog-user-project", "victim"))
header(PROJECT, "twice", *(("x-goog-user-project", "victim"),) * 2)
header(PROJECT, "in capitals", ("X-Goog-User-Project", "victim"), over=("1.1",))
header(PROJECT, "another's quota", ("x-goog-quota-user", "victim"))
header(PROJECT, "routing by another's", ("x-goog-request-params", "project=victim"))
header(PROJECT, "labels of a bill", ("x-vertex-ai-labels", "eyJ0ZWFtIjoidmljdGltIn0="))
header(PROJECT, "where it may run", ("x-allowed-locations", "0x0"))
header(PROJECT, "an identity of a proxy's", ("x-goog-iam-authorization-token", "x"))

# HTTP/2 has no Connection header (RFC 9113 section 8.2.2): HAProxy refuses it there.
for named in ("authorization", "content-type", "x-goog-api-client", "host, keep-alive"):
    header(
        CONNECTION, f"names {named}", ("connection", named), CLIENT,
        harm=header_has("connection", named.partition(",")[0]), over_h2=HOST,
    )  # fmt: skip
header(
    CONNECTION,
    "names what is stopped",
    ("connection", "x-goog-fieldmask"),
    ("x-goog-fieldmask", "name"),
    expect=REFUSED,
    over_h2=HOST,
)
header(CONNECTION, "of another proxy", ("proxy-connection", "keep-alive"), over_h2=HOST)
header(CONNECTION, "keep-alive", ("keep-alive", "timeout=5"), over_h2=HOST)

header(ENCODING, "gzip", ("accept-encoding", "gzip"), harm=header_has("accept-encoding", "gzip"))
header(ENCODING, "anything", ("accept-encoding", "*"), harm=header_has("accept-encoding", "*"))
header(
    ENCODING,
    "twice",
    ("accept-encoding", "identity"),
    ("accept-encoding", "br"),
    harm=header_has("accept-encoding", "br"),
)


def looks_ours(seen: Seen) -> bool:
    """A second id that Google's audit log would show as the gateway's."""
    agents = seen.all("user-agent")
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
header(
    AGENT, "in the last of two", ("user-agent", "curl/8"), ("user-agent", FORGED), harm=looks_ours
)
header(
    AGENT, "in the first of two", ("user-agent", FORGED), ("user-agent", "curl/8"), harm=looks_ours
)
