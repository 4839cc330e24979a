"""A model in the path and another one in the body."""

from support.wire.calls import PROJECT

from bypass.bodies import CONTENTS, body
from bypass.pair import Kind, Pair, Request, body_arrives, dumps

MODELS = Kind("model in path and body", checks=("BodyModel",))
BESIDE = Kind("models beside it", checks=("models", "BodyModel"))

KINDS = [MODELS, BESIDE]

BAD, GOOD = "gemini-1.5-pro", "gemini-2.5-flash"


def named(model: object, **more: object) -> bytes:
    return dumps({"model": model, "contents": CONTENTS, **more})


RESOURCE = "{}/publishers/google/models/{}".format(PROJECT.removeprefix("/v1/"), "{}")
CLAUDE = f"{PROJECT}/publishers/anthropic/models/claude-sonnet-4-5:rawPredict"
CHAT = f"{PROJECT}/endpoints/openapi/chat/completions"
OWN_CHAT = f"{PROJECT}/endpoints/7712/chat/completions"
EMBED = f"{PROJECT}/publishers/google/models/text-embedding-005:batchEmbedContents"
OTHER = "model_mismatch"
body(MODELS, "publisher and name", named(f"google/{BAD}"), named(f"google/{GOOD}"), OTHER)
body(MODELS, "the name alone", named(BAD), named(GOOD), OTHER)
body(MODELS, "as models/", named(f"models/{BAD}"), named(GOOD), OTHER)
body(
    MODELS,
    "from publishers on",
    named(f"publishers/google/models/{BAD}"),
    named(f"publishers/google/models/{GOOD}"),
    OTHER,
)
body(MODELS, "in whole", named(RESOURCE.format(BAD)), named(RESOURCE.format(GOOD)), OTHER)
body(
    MODELS,
    "of another project",
    named(RESOURCE.format(GOOD).replace("acme-ml", "acme-hr")),
    named(RESOURCE.format(GOOD)),
    OTHER,
)
body(
    MODELS,
    "of another location",
    named(RESOURCE.format(GOOD).replace("us-central1", "global")),
    named(RESOURCE.format(GOOD)),
    OTHER,
)
body(MODELS, "Claude's", named("claude-opus-4-1"), named("claude-sonnet-4-5"), OTHER, CLAUDE)
body(MODELS, "behind an endpoint", named(f"google/{BAD}"), named("7712"), OTHER, OWN_CHAT)
body(
    MODELS,
    "of one request of a batch",
    dumps({"requests": [{"model": f"google/{BAD}"}]}),
    dumps({"requests": [{"model": "google/text-embedding-005"}]}),
    OTHER,
    EMBED,
)
ROUTE = '{"generationConfig":{"routingConfig":{%s}}}'
BY_NAME = ROUTE % '"manualMode":{"modelName":"gemini-2.5-flash"}'
for name, mode in {
    "routed to": '"manualMode":{"modelName":"gemini-1.5-pro"}',
    "routed to, in the other spelling": '"manual_mode":{"model_name":"gemini-1.5-pro"}',
    "that Google chooses": '"autoMode":{"modelRoutingPreference":"PRIORITIZE_QUALITY"}',
    "that Google chooses without preference": '"autoMode":{}',
}.items():
    body(MODELS, name, (ROUTE % mode).encode(), BY_NAME.encode(), OTHER)
body(
    MODELS,
    "in the body alone, of another project",
    named(RESOURCE.format(GOOD).replace("acme-ml", "acme-hr")),
    named(RESOURCE.format(GOOD)),
    OTHER,
    CHAT,
)
body(
    MODELS,
    "in the body alone, with a way out",
    named(f"google/{GOOD}/../{BAD}"),
    named(f"google/{GOOD}"),
    "model_missing",
    CHAT,
)
body(
    MODELS,
    "a list of models",
    named([f"google/{GOOD}", f"google/{BAD}"]),
    named(f"google/{GOOD}"),
    "body_not_json",
    CHAT,
)
for spelling in ("Model", "MODEL", "mo_del"):
    body(
        MODELS,
        f"spelled {spelling}",
        dumps({spelling: f"google/{GOOD}", "contents": CONTENTS}),
        named(f"google/{GOOD}"),
        "model_missing",
        CHAT,
    )
    body(
        MODELS,
        f"spelled {spelling}, beside the path's",
        dumps({spelling: f"google/{BAD}", "contents": CONTENTS}),
        named(f"google/{GOOD}"),
        OTHER,
    )
body(
    MODELS,
    "that may answer instead",
    dumps({"fallbacks": [{"model": "claude-opus-4-1"}]}),
    dumps({"fallbacks": [{"model": "claude-sonnet-4-5"}]}),
    OTHER,
    CLAUDE,
)


def ranked(model: str, ranker: str = "llmRanker", member: str = "modelName") -> bytes:
    store = {"ragRetrievalConfig": {"ranking": {ranker: {member: model}}}}
    return dumps({"contents": CONTENTS, "tools": [{"retrieval": {"vertexRagStore": store}}]})


def judged(model: str) -> bytes:
    return dumps({"contents": CONTENTS, "autoraterConfig": {"autoraterModel": model}})


def beside(name: str, attack: bytes, twin: bytes, expect: str = "body_not_allowed") -> None:
    honest = Request(body=twin, group="docs")
    sent = honest.but(body=attack)
    BESIDE.pairs.append(Pair(BESIDE.name, name, sent, honest, expect, body_arrives(attack)))


PRO = "gemini-2.5-pro"
beside("that ranks", ranked(BAD), ranked(PRO))
beside("that ranks, with its publisher", ranked(f"google/{BAD}"), ranked(f"google/{PRO}"))
beside("that ranks, in whole", ranked(RESOURCE.format(BAD)), ranked(RESOURCE.format(PRO)))
beside(
    "that ranks, in the other spelling",
    ranked(BAD, "llm_ranker", "model_name"),
    ranked(PRO, "llm_ranker", "model_name"),
)
beside("of a service that ranks", ranked("semantic-ranker", "rankService"), ranked(PRO))
beside("that judges", judged(BAD), judged(PRO))
elsewhere = RESOURCE.format(PRO).replace("acme-ml", "acme-hr")
beside("of another project", ranked(elsewhere), ranked(RESOURCE.format(PRO)), OTHER)
beside("with a way out", ranked(f"google/{PRO}/../{BAD}"), ranked(PRO), OTHER)
