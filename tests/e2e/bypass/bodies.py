"""Bodies that one reader reads otherwise than another."""

import gzip
import zlib

from support.wire.calls import BODY, GENERATE, PROJECT

from bypass.pair import (
    Harm,
    Kind,
    Pair,
    Pairs,
    Request,
    body_arrives,
    dumps,
    header_is_there,
)

# Four layers: the header is refused, it would not be passed on, such a body does not seem as long
# as it says, and it is no JSON.
GZIP = Kind(
    "gzip bodies",
    checks=("ForbiddenHeaders", "WholeBody", "JsonType", "StrictJson"),
    rules=("headers",),
)
NAMES = Kind("duplicate JSON names", checks=("NamesOnce",))
BOM = Kind("BOM", checks=("StrictJson",))
CHARSET = Kind("charset", checks=("JsonType",))
TRAILING = Kind("trailing bytes", checks=("StrictJson",))
SPELLINGS = Kind("camelCase and snake_case", checks=("NamesOnce", "SnakeCase"))

KINDS = [GZIP, NAMES, BOM, CHARSET, TRAILING, SPELLINGS]

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
NO_JSON = "body_not_json"
NOT_ALLOWED = "body_not_allowed"
ZIPPED, DEFLATED = gzip.compress(TOOLS, mtime=0), zlib.compress(TOOLS)
for name, value in {
    "gzip": "gzip", "with another coding": "identity, gzip", "in capitals": "GZIP", "br": "br",
}.items():  # fmt: skip
    body(GZIP, name, ZIPPED, expect=REFUSED, headers=(("content-encoding", value),))
body(GZIP, "deflate", DEFLATED, expect=REFUSED, headers=(("content-encoding", "deflate"),))
body(
    GZIP,
    "declared, but plain",
    BODY,
    expect=REFUSED,
    headers=(("content-encoding", "gzip"),),
    harm=header_is_there("content-encoding"),
)
# HAProxy hands a body over up to its first NUL, and says how long the whole is.
body(GZIP, "not declared", ZIPPED, expect=NO_JSON)
body(
    GZIP,
    "declared as a media type",
    ZIPPED,
    expect=NO_JSON,
    media=(("content-type", "application/gzip"),),
)


CHAT = f"{PROJECT}/endpoints/openapi/chat/completions"


def named(model: object) -> bytes:
    return dumps({"model": model, "contents": CONTENTS})


TWICE = '{"model":"google/%s","model":"google/%s"}'
body(
    NAMES,
    "the model, the bad one first",
    (TWICE % (BAD, GOOD)).encode(),
    named(f"google/{GOOD}"),
    target=CHAT,
)
body(
    NAMES,
    "the model, escaped",
    (TWICE % (BAD, GOOD)).replace('"model"', '"\\u006dodel"', 1).encode(),
    named(f"google/{GOOD}"),
    target=CHAT,
)
body(NAMES, "the model beside the path's", (TWICE % (BAD, GOOD)).encode(), named(f"google/{GOOD}"))
body(
    NAMES,
    "a setting",
    b'{"generationConfig":{"maxOutputTokens":9,"maxOutputTokens":99999}}',
    b'{"generationConfig":{"maxOutputTokens":9}}',
)
body(
    NAMES,
    "a setting, escaped",
    b'{"generationConfig":{"topK":1,"top\\u004b":2}}',
    b'{"generationConfig":{"topK":1}}',
)
body(NAMES, "the contents", b'{"contents":[],"contents":[]}')
many = ",".join(f'"a{n}":1' for n in range(20))
body(
    NAMES,
    "the last of many",
    f'{{"labels":{{{many},"a19":2}}}}'.encode(),
    f'{{"labels":{{{many}}}}}'.encode(),
)

MARK = b"\xef\xbb\xbf"
body(BOM, "before an honest body", MARK + BODY)
body(BOM, "before a tool", MARK + TOOLS)
body(BOM, "twice", MARK * 2 + TOOLS)
body(BOM, "of UTF-16", TOOLS.decode().encode("utf-16"), expect=NO_JSON)
body(BOM, "of UTF-32", TOOLS.decode().encode("utf-32"), expect=NO_JSON)
body(BOM, "behind a blank", b" " + MARK + TOOLS)

# In UTF-7, "+ACI-" is a quotation mark: a tool hides in a text.
HIDDEN = (
    b'{"contents":[],"x":"+ACI-,+ACI-tools+ACI-:+AFsAew-+ACI-googleSearch+ACI-:+AHsAfQB9AF0-'
    b',+ACI-y+ACI-:+ACI-"}'
)
for name, media in {
    "UTF-7": "application/json; charset=utf-7",
    "UTF-7 in quotes": 'application/json; charset="UTF-7"',
    "UTF-16": "application/json; charset=utf-16",
    "two of them": "application/json; charset=utf-8; charset=utf-7",
    "another parameter": "application/json; version=2",
    "text": "text/plain",
    "protobuf": "application/x-protobuf",
    "a form": "application/x-www-form-urlencoded",
    "gRPC": "application/grpc",
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
body(
    SPELLINGS,
    "settings",
    b'{"generationConfig":{"maxOutputTokens":9},"generation_config":{"maxOutputTokens":99999}}',
    b'{"generation_config":{"max_output_tokens":9}}',
)
body(
    SPELLINGS,
    "a limit",
    b'{"generationConfig":{"maxOutputTokens":9,"max_output_tokens":99999}}',
    b'{"generationConfig":{"max_output_tokens":9}}',
)
body(SPELLINGS, "tools", b'{"tools":[],"Tools":[]}', b'{"tools":[]}')
body(
    SPELLINGS,
    "the model",
    f'{{"model":"google/{GOOD}","Model":"google/{BAD}"}}'.encode(),
    named(f"google/{GOOD}"),
)
body(SPELLINGS, "the base model", b'{"baseModel":"a","base_model":"b"}', b'{"base_model":"a"}')
body(
    SPELLINGS, "Model Armor", b'{"modelArmorConfig":{},"model_armor_config":{}}', b'{"contents":[]}'
)
for name, members in {
    "a cache": {"cached_content": "cachedContents/7"},
    "a search": {"web_search_options": {}},
    "servers": {"mcp_servers": [{"name": "x"}]},
    "an answer before": {"previous_response_id": "resp_7"},
}.items():
    body(
        SPELLINGS, f"{name}, in the one that is not looked for", dumps(members), expect=NOT_ALLOWED
    )
