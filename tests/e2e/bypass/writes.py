"""What Google keeps and where it writes, for callers whose role does not list it."""

from support.wire.calls import GENERATE

from bypass.bodies import CHAT
from bypass.models import CLAUDE, GOOD
from bypass.pair import Kind
from bypass.terms import IMAGEN, term

STATE = Kind("stored state", checks=("stored_state",))
OUTPUT = Kind("output addresses", checks=("output_uris",))
ARMOR = Kind("Model Armor templates", checks=("model_armor_templates",))
SECRETS = Kind("secrets", checks=("secrets",))

KINDS = [STATE, OUTPUT, ARMOR, SECRETS]

CACHE = "projects/acme-docs/locations/us-central1/cachedContents/7"
DOCS = GENERATE.replace("acme-ml", "acme-docs")
named = {"cachedContent": CACHE}
term(STATE, "a cache, for who may name none", named, group="ml")
term(
    STATE,
    "a cache of another project",
    {"cachedContent": CACHE.replace("acme-docs", "acme-hr")},
    named,
    DOCS,
)
term(
    STATE,
    "a cache of another location",
    {"cachedContent": CACHE.replace("us-central1", "global")},
    named,
    DOCS,
)
term(
    STATE,
    "in the other spelling",
    {"cached_content": CACHE.replace("acme-docs", "acme-hr")},
    {"cached_content": CACHE},
    DOCS,
)
term(
    STATE,
    "a full name with a host",
    {"cachedContent": f"//aiplatform.googleapis.com/{CACHE}"},
    named,
    DOCS,
)
term(
    STATE,
    "below extra_body",
    {
        "model": f"google/{GOOD}",
        "extra_body": {"google": {"cached_content": CACHE.replace("acme-docs", "acme-hr")}},
    },
    {"model": f"google/{GOOD}"},
    CHAT,
)
term(
    STATE,
    "a file of Claude's",
    {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "document", "source": {"type": "file", "file_id": "file_other"}}
                ],
            }
        ]
    },
    {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "document", "source": {"type": "file", "file_id": "file_own1"}}
                ],
            }
        ]
    },
    CLAUDE,
)
term(STATE, "a container", {"container": "container_other"}, {"messages": []}, CLAUDE)
term(STATE, "a former answer to go on with", {"continuationToken": "b3RoZXI="})
term(
    STATE,
    "a stored voice",
    {"generationConfig": {"speechConfig": {"voiceConfig": {"voice": "voice_other"}}}},
    {"generationConfig": {"speechConfig": {"voiceConfig": {"voice": "Kore"}}}},
)
term(
    STATE,
    "below an output",
    {
        "model": f"google/{GOOD}",
        "input": [
            {
                "type": "function_call_output",
                "output": [{"type": "input_file", "file_id": "file_other"}],
            }
        ],
    },
    {"model": f"google/{GOOD}", "input": [{"type": "function_call_output", "output": "text"}]},
    CHAT,
)


def retrieval(settings: object) -> dict[str, object]:
    return {"tools": [{"retrieval": settings}]}


def engine(name: str, member: str = "engine") -> dict[str, object]:
    return retrieval({"vertexAiSearch": {member: name}})


def corpora(name: str, member: str = "ragCorpora") -> dict[str, object]:
    return retrieval({"vertexRagStore": {member: [name]}})


ENGINE = "projects/acme-docs/locations/global/collections/c/engines/7"
CORPUS = "projects/acme-docs/locations/us-central1/ragCorpora/7"
for name, of in {"an engine": engine, "corpora": corpora}.items():
    own = ENGINE if of is engine else CORPUS
    term(STATE, f"{name} below a listed tool", of(own.replace("acme-docs", "acme-hr")), of(own), DOCS)
term(
    STATE,
    "corpora in the other spelling",
    corpora(CORPUS.replace("acme-docs", "acme-hr"), "rag_corpora"),
    corpora(CORPUS, "rag_corpora"),
    DOCS,
)
term(
    STATE,
    "an engine in capitals",
    engine(ENGINE.replace("acme-docs", "acme-hr"), "ENGINE"),
    engine(ENGINE),
    DOCS,
)


def item(**members: object) -> dict[str, object]:
    return {"model": f"google/{GOOD}", "input": [members]}


ITEM = item(type="item_reference", id="msg_own1")
SAID = item(type="message", id="msg_other", role="user", content="a")
term(STATE, "an item", item(type="item_reference", id="msg_other"), ITEM, CHAT)
term(STATE, "an item, its id first", item(id="msg_other", type="item_reference"), ITEM, CHAT)
term(STATE, "an item without a type", item(id="msg_other"), SAID, CHAT)
term(STATE, "an item whose type is null", item(type=None, id="msg_other"), SAID, CHAT)
term(STATE, "an item with a role alone", item(id="msg_other", role="user"), SAID, CHAT)

SECRET = "projects/acme-docs/secrets/search/versions/1"


def secret(name: str, member: str = "apiKeySecret") -> dict[str, object]:
    return retrieval({"externalApi": {"authConfig": {"apiKeyConfig": {member: name}}}})


OWN_SECRET = secret(SECRET)
term(SECRETS, "another one", secret(SECRET.replace("search", "pay")), OWN_SECRET, DOCS)
term(SECRETS, "of another project", secret(SECRET.replace("acme-docs", "acme-hr")), OWN_SECRET, DOCS)
term(
    SECRETS,
    "in the other spelling",
    secret(SECRET.replace("search", "pay"), "api_key_secret"),
    secret(SECRET, "api_key_secret"),
    DOCS,
)
term(
    SECRETS,
    "the former member",
    secret(SECRET.replace("search", "pay"), "apiKeySecretVersion"),
    secret(SECRET, "apiKeySecretVersion"),
    DOCS,
)
term(
    SECRETS,
    "credentials",
    secret(SECRET.replace("search", "pay"), "credentialSecret"),
    secret(SECRET, "credentialSecret"),
    DOCS,
)

INTO = "gs://acme-docs/out/"
term(
    OUTPUT,
    "for who may write nowhere",
    {"parameters": {"storageUri": INTO}},
    {"parameters": {}},
    IMAGEN,
    "ml",
)
term(
    OUTPUT,
    "another bucket",
    {"parameters": {"storageUri": "gs://acme-hr/"}},
    {"parameters": {"storageUri": INTO}},
    IMAGEN,
)
term(
    OUTPUT,
    "in the other spelling",
    {"parameters": {"storage_uri": "gs://acme-hr/"}},
    {"parameters": {"storage_uri": INTO}},
    IMAGEN,
)
term(
    OUTPUT,
    "a way out",
    {"parameters": {"storageUri": f"{INTO}../in/"}},
    {"parameters": {"storageUri": f"{INTO}b/"}},
    IMAGEN,
)
term(
    OUTPUT,
    "below a destination",
    {"outputConfig": {"gcsDestination": {"outputUriPrefix": "gs://acme-hr/"}}},
    {"outputConfig": {"gcsDestination": {"outputUriPrefix": INTO}}},
    IMAGEN,
)
video = '{"generationConfig":{"responseFormat":[{"video":{"delivery":"URI","gcsUri":"%s"}}]}}'
term(OUTPUT, "of a video", (video % "gs://acme-hr/").encode(), (video % INTO).encode())
term(
    OUTPUT,
    "of a video, where one may only read",
    (video % "gs://acme-docs/in/").encode(),
    (video % INTO).encode(),
)
term(
    OUTPUT,
    "of a pipeline",
    {"pipelineRootDirectory": "gs://acme-hr/"},
    {"pipelineRootDirectory": INTO},
)
term(
    OUTPUT,
    "to read what one may only write",
    {"image": {"gcsUri": f"{INTO}a"}},
    {"parameters": {"outputGcsUri": f"{INTO}a"}},
    IMAGEN,
)

STRICT = "projects/acme-docs/locations/us-central1/templates/strict"


def armor(prompt: str, name: str = "modelArmorConfig") -> dict[str, object]:
    return {name: {"promptTemplateName": prompt, "responseTemplateName": STRICT}}


LAX = STRICT.replace("strict", "lax")
term(ARMOR, "for who may name none", armor(STRICT), group="ml")
term(ARMOR, "a laxer one", armor(LAX), armor(STRICT))
term(ARMOR, "of another project", armor(STRICT.replace("acme-docs", "evil")), armor(STRICT))
term(
    ARMOR,
    "in the other spelling",
    armor(LAX, "model_armor_config"),
    armor(STRICT, "model_armor_config"),
)
term(ARMOR, "in capitals", armor(LAX, "MODELARMORCONFIG"), armor(STRICT))
