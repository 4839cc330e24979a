"""Bodies that one reader reads otherwise than another."""

import gzip
import zlib

from bypass.pair import HOST, Harm, Kind, Pair, Pairs, Request, body_arrives, dumps, header_has, header_is_there
from support.calls import BODY, GENERATE, MODEL, PROJECT

# Four layers: the header is refused, it would not be passed on, such a body does not seem as long
# as it says, and it is no JSON.
GZIP = Kind(
    "gzip bodies",
    checks=("ForbiddenHeaders", "DeclaredLength", "JsonType", "StrictJson"),
    rules=("headers",),
)
MODELS = Kind("model in path and body", checks=("BodyModel",))
NAMES = Kind("duplicate JSON names", checks=("NamesOnce",))
BOM = Kind("BOM", checks=("StrictJson",))
CHARSET = Kind("charset", checks=("JsonType",))
TRAILING = Kind("trailing bytes", checks=("StrictJson",))
SPELLINGS = Kind("camelCase and snake_case", checks=("NamesOnce", "SnakeCase"))
TRAILERS = Kind("trailers", checks=("DeclaredLength",), rules=("trailers",))
BEYOND = Kind("beyond the buffer", checks=("DeclaredLength",))

KINDS = [GZIP, MODELS, NAMES, BOM, CHARSET, TRAILING, SPELLINGS, TRAILERS, BEYOND]

CONTENTS = [{"role": "user", "parts": [{"text": "hello"}]}]
TOOLS = dumps({"contents": CONTENTS, "tools": [{"googleSearch": {}}]})
TEXT = BODY.decode()
BAD, GOOD = "gemini-1.5-pro", "gemini-2.5-flash"


def body(
    kind: Kind,
    name: str,
    attack: bytes,
    twin: bytes = BODY,
    expect: str = "body_not_json",
    target: str = GENERATE,
    media: Pairs | None = None,
    headers: Pairs = (),
    harm: Harm | None = None,
) -> None:
    honest = Request(target=target, body=twin)
    sent = honest.but(body=attack, headers=headers)
    sent = sent if media is None else sent.but(media=media)
    kind.pairs.append(Pair(kind.name, name, sent, honest, expect, harm or body_arrives(attack)))


REFUSED = "header_not_allowed"
TOO_LARGE = "body_too_large_to_check"
ZIPPED, DEFLATED = gzip.compress(TOOLS, mtime=0), zlib.compress(TOOLS)
for name, value in {
    "gzip": "gzip", "with another coding": "identity, gzip", "in capitals": "GZIP", "br": "br",
}.items():  # fmt: skip
    body(GZIP, name, ZIPPED, expect=REFUSED, headers=(("content-encoding", value),))
body(GZIP, "deflate", DEFLATED, expect=REFUSED, headers=(("content-encoding", "deflate"),))
body(GZIP, "declared, but plain", BODY, expect=REFUSED, headers=(("content-encoding", "gzip"),), harm=header_is_there("content-encoding"))
# HAProxy hands a body over up to its first NUL: such a one is not as long as it says.
body(GZIP, "not declared", ZIPPED, expect=TOO_LARGE)
body(GZIP, "declared as a media type", ZIPPED, expect=TOO_LARGE, media=(("content-type", "application/gzip"),))


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
body(MODELS, "from publishers on", named(f"publishers/google/models/{BAD}"), named(f"publishers/google/models/{GOOD}"), OTHER)
body(MODELS, "in whole", named(RESOURCE.format(BAD)), named(RESOURCE.format(GOOD)), OTHER)
body(MODELS, "of another project", named(RESOURCE.format(GOOD).replace("acme-ml", "acme-hr")), named(RESOURCE.format(GOOD)), OTHER)
body(MODELS, "of another location", named(RESOURCE.format(GOOD).replace("us-central1", "global")), named(RESOURCE.format(GOOD)), OTHER)
body(MODELS, "Claude's", named("claude-opus-4-1"), named("claude-sonnet-4-5"), OTHER, CLAUDE)
body(MODELS, "behind an endpoint", named(f"google/{BAD}"), named("7712"), OTHER, OWN_CHAT)
body(MODELS, "of one request of a batch", dumps({"requests": [{"model": f"google/{BAD}"}]}), dumps({"requests": [{"model": "google/text-embedding-005"}]}), OTHER, EMBED)
ROUTE = '{"generationConfig":{"routingConfig":{%s}}}'
BY_NAME = ROUTE % '"manualMode":{"modelName":"gemini-2.5-flash"}'
for name, mode in {
    "routed to": '"manualMode":{"modelName":"gemini-1.5-pro"}',
    "routed to, in the other spelling": '"manual_mode":{"model_name":"gemini-1.5-pro"}',
    "that Google chooses": '"autoMode":{"modelRoutingPreference":"PRIORITIZE_QUALITY"}',
    "that Google chooses without preference": '"autoMode":{}',
}.items():
    body(MODELS, name, (ROUTE % mode).encode(), BY_NAME.encode(), OTHER)
body(MODELS, "in the body alone, of another project", named(RESOURCE.format(GOOD).replace("acme-ml", "acme-hr")), named(RESOURCE.format(GOOD)), OTHER, CHAT)
body(MODELS, "in the body alone, with a way out", named(f"google/{GOOD}/../{BAD}"), named(f"google/{GOOD}"), "model_missing", CHAT)
body(MODELS, "a list of models", named([f"google/{GOOD}", f"google/{BAD}"]), named(f"google/{GOOD}"), "body_not_json", CHAT)

TWICE = '{"model":"google/%s","model":"google/%s"}'
body(NAMES, "the model, the bad one first", (TWICE % (BAD, GOOD)).encode(), named(f"google/{GOOD}"), target=CHAT)
body(NAMES, "the model, escaped", (TWICE % (BAD, GOOD)).replace('"model"', '"\\u006dodel"', 1).encode(), named(f"google/{GOOD}"), target=CHAT)
body(NAMES, "the model beside the path's", (TWICE % (BAD, GOOD)).encode(), named(f"google/{GOOD}"))
body(NAMES, "a setting", b'{"generationConfig":{"maxOutputTokens":9,"maxOutputTokens":99999}}', b'{"generationConfig":{"maxOutputTokens":9}}')
body(NAMES, "a setting, escaped", b'{"generationConfig":{"topK":1,"top\\u004b":2}}', b'{"generationConfig":{"topK":1}}')
body(NAMES, "the contents", b'{"contents":[],"contents":[]}')
many = ",".join(f'"a{n}":1' for n in range(20))
body(NAMES, "the last of many", f'{{"labels":{{{many},"a19":2}}}}'.encode(), f'{{"labels":{{{many}}}}}'.encode())

MARK = b"\xef\xbb\xbf"
body(BOM, "before an honest body", MARK + BODY)
body(BOM, "before a tool", MARK + TOOLS)
body(BOM, "twice", MARK * 2 + TOOLS)
body(BOM, "of UTF-16", TOOLS.decode().encode("utf-16"), expect=TOO_LARGE)
body(BOM, "of UTF-32", TOOLS.decode().encode("utf-32"), expect=TOO_LARGE)
body(BOM, "behind a blank", b" " + MARK + TOOLS)

HIDDEN = b'{"contents":[],"x":"+ACI-,+ACI-tools+ACI-:+AFsAew-+ACI-googleSearch+ACI-:+AHsAfQB9AF0-,+ACI-y+ACI-:+ACI-"}'
for name, media in {
    "UTF-7": "application/json; charset=utf-7",
    "UTF-7 in quotes": 'application/json; charset="UTF-7"',
    "UTF-16": "application/json; charset=utf-16",
    "two of them": "application/json; charset=utf-8; charset=utf-7",
    "another parameter": "application/json; version=2",
    "text": "text/plain",
    "protobuf": "application/x-protobuf",
    "a form": "application/x-www-form-urlencoded",
    "two media types": "application/json, application/x-protobuf",
}.items():
    body(CHARSET, name, HIDDEN, media=(("content-type", media),))
body(CHARSET, "no media type", HIDDEN, media=())

body(TRAILING, "a second value", BODY + TOOLS)
body(TRAILING, "a second value on a line of its own", BODY + b"\n" + TOOLS)
body(TRAILING, "a control character", BODY + b"\x0b")
body(TRAILING, "a comment", BODY + b"/* " + TOOLS + b" */")
body(TRAILING, "a comma", BODY[:-1] + b",}")
body(TRAILING, "in front, as against scripts", b")]}'\n" + TOOLS)
body(TRAILING, "a list around it", b"[" + TOOLS + b"]")
body(TRAILING, "quotes of another kind", TOOLS.replace(b'"', b"'"))

FILE = b'{"contents":[{"parts":[{"fileData":{"%s":"gs://a/b","%s":"gs://c/d"}}]}]}'
body(SPELLINGS, "settings", b'{"generationConfig":{"maxOutputTokens":9},"generation_config":{"maxOutputTokens":99999}}', b'{"generation_config":{"max_output_tokens":9}}')
body(SPELLINGS, "a limit", b'{"generationConfig":{"maxOutputTokens":9,"max_output_tokens":99999}}', b'{"generationConfig":{"max_output_tokens":9}}')
body(SPELLINGS, "tools", b'{"tools":[],"Tools":[]}', b'{"tools":[]}')
body(SPELLINGS, "the model", f'{{"model":"google/{GOOD}","Model":"google/{BAD}"}}'.encode(), named(f"google/{GOOD}"))
body(SPELLINGS, "the base model", b'{"baseModel":"a","base_model":"b"}', b'{"base_model":"a"}')
body(SPELLINGS, "Model Armor", b'{"modelArmorConfig":{},"model_armor_config":{}}', b'{"contents":[]}')


def has_trailers(seen: object) -> bool:
    return bool(seen.record["trailers"])  # type: ignore[attr-defined]


for name, trailers in {
    "another project": (("x-goog-user-project", "victim"),),
    "another credential": (("authorization", "Bearer evil"),),
    "a method override": (("x-http-method-override", "DELETE"),),
    "several": (("x-a", "b"), ("x-goog-fieldmask", "name")),
}.items():
    sent = Request(trailers=trailers)
    TRAILERS.pairs.append(Pair(TRAILERS.name, name, sent, Request(), TOO_LARGE, has_trailers))

# HAProxy's buffer holds 24,576 bytes of a request: what stands behind them would not be read.
FILL = dumps({"contents": [{"role": "user", "parts": [{"text": "x" * 40_000}]}]})
LONG = FILL[:-1] + b',"tools":[{"googleSearch":{}}]}'
body(BEYOND, "a tool behind 40 KB", LONG, expect=TOO_LARGE)
body(BEYOND, "a NUL at the end", BODY + b"\0", expect=TOO_LARGE)
body(BEYOND, "a tool behind a NUL", BODY + b"\0" + TOOLS, expect=TOO_LARGE)
for name, chunks in {"in chunks": TOOLS, "in chunks, behind 40 KB": LONG, "nothing in chunks": b""}.items():
    sent = Request(body=chunks, chunked=True)
    BEYOND.pairs.append(Pair(BEYOND.name, name, sent, Request(), TOO_LARGE, body_arrives(chunks)))
