"""Paths that mean something else to one reader than to another."""

from support.wire.calls import GENERATE, MODEL, PROJECT

from bypass.pair import (
    HOST,
    Harm,
    Kind,
    Pair,
    Request,
    Seen,
    dumps,
    is_marked,
    mark,
    target_has,
)

GOOGLE = f"{PROJECT}/publishers/google/models"
CLAUDE = f"{PROJECT}/publishers/anthropic/models/claude-sonnet-4-5"
PREDICT = f"{MODEL}:predict"

PATH_CHECKS = ("Spelling", "Names")

PERCENT = Kind("percent-encoding", checks=PATH_CHECKS)
SLASHES = Kind("double slash", checks=PATH_CHECKS)
DOTS = Kind("dot segments", checks=PATH_CHECKS)
SEMICOLON = Kind("semicolon", checks=(*PATH_CHECKS, "QueryList"), rules=("uri",))
CASE = Kind("case", checks=PATH_CHECKS)
AT = Kind("@ and %40", checks=PATH_CHECKS)
VERBS = Kind("two verbs", checks=PATH_CHECKS)
FORM = Kind("absolute and authority form", checks=("OriginForm",), rules=("uri",))

KINDS = [PERCENT, SLASHES, DOTS, SEMICOLON, CASE, AT, VERBS, FORM]


def path(
    kind: Kind,
    name: str,
    attack: str,
    twin: str = GENERATE,
    expect: str = "url_not_canonical",
    group: str = "ml",
    harm: Harm | None = None,
) -> Pair:
    sent = Request(target=attack, group=group)
    return Pair(
        kind.name, name, sent, Request(target=twin, group=group), expect, harm or target_has(attack)
    )


def model(kind: Kind, name: str, attack: str, **more: str) -> Pair:
    return path(kind, name, f"{GOOGLE}/{attack}:generateContent", **more)


PERCENT.pairs += [
    model(PERCENT, "an encoded slash out of the model", "gemini-2.5-flash%2F..%2Fgemini-1.5-pro"),
    model(PERCENT, "an encoded slash in lower case", "gemini-2.5-flash%2f..%2fgemini-1.5-pro"),
    model(PERCENT, "an encoded colon before another verb", "gemini-2.5-flash%3ApredictLongRunning"),
    model(PERCENT, "an encoded letter", "gemini-2.5-%66lash"),
    model(PERCENT, "an encoded question mark", "gemini-2.5-flash%3Fkey"),
    model(PERCENT, "an encoded NUL", "gemini-2.5-flash%00"),
    model(PERCENT, "an encoded line end", "gemini-2.5-flash%0d%0ax-goog-user-project:%20victim"),
    model(PERCENT, "encoded twice", "gemini-2.5-flash%252F..%252Fgemini-1.5-pro"),
    model(PERCENT, "an overlong slash", "gemini-2.5-flash%c0%afgemini-1.5-pro"),
    model(PERCENT, "half an escape", "gemini-2.5-flash%2"),
    path(PERCENT, "an encoded publisher", GENERATE.replace("google", "%67oogle"), group="platform"),
    path(PERCENT, "an encoded verb", f"{MODEL}%3AgenerateContent"),
]

SLASHES.pairs += [
    path(SLASHES, "behind the version", GENERATE.replace("/v1/", "/v1//")),
    path(SLASHES, "before the version", f"/{GENERATE}"),
    path(SLASHES, "no project", GENERATE.replace("acme-ml", ""), group="platform"),
    path(SLASHES, "no publisher", GENERATE.replace("google", ""), group="platform"),
    path(SLASHES, "before the model", f"{GOOGLE}//gemini-2.5-flash:generateContent"),
    path(SLASHES, "at the end", f"{GENERATE}/"),
]

DOTS.pairs += [
    path(DOTS, "to another project", GENERATE.replace("acme-ml", "acme-ml/../acme-hr")),
    path(DOTS, "instead of a project", GENERATE.replace("acme-ml", ".."), group="platform"),
    path(DOTS, "instead of a publisher", GENERATE.replace("google", ".."), group="platform"),
    path(DOTS, "instead of a location", GENERATE.replace("us-central1", ".."), group="platform"),
    path(DOTS, "one dot for a project", GENERATE.replace("acme-ml", "."), group="platform"),
    model(DOTS, "instead of a model", "..", group="platform"),
    model(DOTS, "to another model", "gemini-2.5-flash/../gemini-1.5-pro"),
    path(DOTS, "out of the version", GENERATE.replace("/v1/", "/v1/../v1beta1/")),
]

SEMICOLON.pairs += [
    model(SEMICOLON, "a parameter of the model", "gemini-2.5-flash;v=1"),
    model(SEMICOLON, "a way out behind it", "gemini-2.5-flash;/../gemini-1.5-pro"),
    path(
        SEMICOLON,
        "a parameter of the publisher",
        GENERATE.replace("google", "google;x"),
        group="platform",
    ),
    path(SEMICOLON, "a parameter of the version", GENERATE.replace("/v1/", "/v1;x=y/")),
    path(SEMICOLON, "a parameter of the verb", f"{GENERATE};x=y"),
    path(
        SEMICOLON,
        "two parameters in one",
        f"{GENERATE}?alt=json;key=AIza",
        twin=f"{GENERATE}?alt=json",
        expect="query_not_allowed",
        harm=target_has(";key"),
    ),
]

CASE.pairs += [
    path(CASE, "the version", GENERATE.replace("/v1/", "/V1/"), expect="route_unknown"),
    path(CASE, "the collection", GENERATE.replace("projects", "Projects"), expect="route_unknown"),
    path(CASE, "the verb", f"{MODEL}:GenerateContent", expect="route_unknown"),
    path(CASE, "the project", GENERATE.replace("acme-ml", "ACME-ml"), group="platform"),
    path(CASE, "the publisher", GENERATE.replace("google", "Google"), group="platform"),
    path(CASE, "the location", GENERATE.replace("us-central1", "US-Central1"), group="platform"),
    model(CASE, "the model", "Gemini-2.5-flash", expect="role_none"),
    Pair(
        CASE.name, "the method", Request(method="post"), Request(), "route_unknown",
        lambda seen: seen.record["method"] == "post",
    ),
]  # fmt: skip

AT.pairs += [
    path(
        AT, "encoded twice", f"{CLAUDE}%254020250929:rawPredict", f"{CLAUDE}%4020250929:rawPredict"
    ),
    path(
        AT,
        "beside another escape",
        f"{CLAUDE}%40%32%30250929:rawPredict",
        f"{CLAUDE}@20250929:rawPredict",
    ),
    path(AT, "in a project", GENERATE.replace("acme-ml", "acme-ml@acme-hr"), group="platform"),
    path(
        AT,
        "in a project, encoded",
        GENERATE.replace("acme-ml", "a%40acme-hr"),
        group="platform",
        harm=target_has("a@acme-hr"),
    ),
    path(AT, "in a publisher", GENERATE.replace("google", "google@evil"), group="platform"),
    path(
        AT, "in a location", GENERATE.replace("us-central1", "us-central1@evil"), group="platform"
    ),
]

VERBS.pairs += [
    model(
        VERBS,
        "the granted one first",
        "gemini-2.5-flash:generateContent",
        twin=f"{MODEL}:countTokens",
    ),
    path(VERBS, "another granted one last", f"{GENERATE}:predict", twin=PREDICT),
    path(VERBS, "the granted one last", f"{MODEL}:predictLongRunning:generateContent"),
    path(VERBS, "an empty one between", f"{MODEL}::generateContent"),
    path(VERBS, "an empty one behind", f"{GENERATE}:", expect="route_unknown"),
    path(VERBS, "in the project", GENERATE.replace("acme-ml", "acme-ml:predict"), group="platform"),
    path(VERBS, "a verb and a way on", f"{GENERATE}/../gemini-1.5-pro:predict"),
]

CHAT = f"{PROJECT}/endpoints/openapi/chat/completions"
NAMED = dumps({"model": "google/gemini-2.5-flash", "messages": []})
KEPT = "/v1/projects/tenant-red/locations/us-central1/cachedContents"


def without_verb(name: str, honest: Request, ending: str = ":", desk: str = "shared") -> Pair:
    """A route that has no verb, with an empty one: a rule on the path's end would miss it."""
    attack = mark(honest.but(target=f"{honest.target}{ending}"))
    return Pair(VERBS.name, name, attack, honest, "route_unknown", is_marked, desk=desk)


VERBS.pairs += [
    without_verb("an empty one of a chat", Request(target=CHAT, body=NAMED)),
    without_verb("two empty ones of a chat", Request(target=CHAT, body=NAMED), "::"),
    without_verb(
        "an empty one of a list", Request(KEPT, "GET", body=None, media=(), group="red"), desk="tenants"
    ),
    without_verb(
        "an empty one of what is kept",
        Request(f"{KEPT}/7", "GET", body=None, media=(), group="red"),
        desk="tenants",
    ),
]


def is_absolute(seen: Seen) -> bool:
    return not seen.target.startswith("/")


def form(name: str, target: str, expect: str, **more: str) -> Pair:
    twin = Request()
    attack = twin.but(target=target, **more)
    # Only some HAProxys know an authority where none belongs.
    other = ("url_not_canonical",) if expect == HOST else ()
    return Pair(
        FORM.name, name, attack, twin, expect, is_absolute, over=("1.1",), other_haproxies=other
    )


FORM.pairs += [
    form("absolute", f"http://gateway.example{GENERATE}", "url_not_canonical"),
    form("absolute over TLS", f"https://gateway.example{GENERATE}", "url_not_canonical"),
    form(
        "absolute, Google's host",
        f"http://evil.example{GENERATE}",
        "url_not_canonical",
        authority="evil.example",
    ),
    form("absolute, another host than Host", f"http://evil.example{GENERATE}", HOST),
    form("absolute with a user", f"http://a@gateway.example{GENERATE}", "url_not_canonical"),
    form("absolute without a path", "http://gateway.example", "url_not_canonical"),
    form(
        "authority of CONNECT",
        "gateway.example:443",
        "url_not_canonical",
        method="CONNECT",
        authority="gateway.example:443",
        body=None,
        media=(),
    ),
    form("authority of POST", "gateway.example:443", HOST),
    form("asterisk", "*", "url_not_canonical", method="OPTIONS", body=None, media=()),
]
