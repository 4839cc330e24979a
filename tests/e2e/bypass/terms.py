"""What a body makes Google do with the gateway's rights, for callers whose role does not list it."""

from bypass.bodies import CHAT, CLAUDE, CONTENTS, GOOD, RESOURCE, TOO_LARGE
from bypass.pair import Kind, Pair, Request, body_arrives, dumps, is_marked, mark
from support.calls import BODY, GENERATE, PROJECT

TOOLS = Kind("tools", checks=("tools",))
FILES = Kind("file addresses", checks=("file_uris",))
STATE = Kind("stored state", checks=("stored_state",))
OUTPUT = Kind("output addresses", checks=("output_uris",))
ARMOR = Kind("Model Armor templates", checks=("model_armor_templates",))
TOKENS = Kind("limit on output tokens", checks=("max_output_tokens",))
BYTES = Kind("limit on bytes", checks=("max_request_bytes",))

KINDS = [TOOLS, FILES, STATE, OUTPUT, ARMOR, TOKENS, BYTES]

REFUSED = "body_not_allowed"
IMAGEN = f"{PROJECT}/publishers/google/models/gemini-2.5-image:predict"


def term(
    kind: Kind,
    name: str,
    attack: object,
    twin: object = None,
    target: str = GENERATE,
    group: str = "docs",
    expect: str = REFUSED,
) -> None:
    """Members of a body beside its contents, as objects or as they are written."""
    sent, honest = _body(attack), BODY if twin is None else _body(twin)
    request = Request(target=target, group=group)
    kind.pairs.append(
        Pair(kind.name, name, request.but(body=sent), request.but(body=honest), expect, body_arrives(sent))
    )


def _body(members: object) -> bytes:
    if isinstance(members, bytes):
        return members
    return dumps({"contents": CONTENTS, **members})  # type: ignore[dict-item]


def tool(*tools: object, name: str = "tools") -> dict[str, object]:
    return {name: list(tools)}


SEARCH = tool({"googleSearch": {}})
OWN = tool({"functionDeclarations": [{"name": "googleSearch", "parameters": {"url": "x"}}]})
term(TOOLS, "search, for who may use none", SEARCH, OWN, group="ml")
term(TOOLS, "another one than listed", tool({"urlContext": {}}), SEARCH)
term(TOOLS, "in the other spelling", tool({"url_context": {}}), tool({"google_search": {}}))
term(TOOLS, "beside functions", tool({"functionDeclarations": [], "codeExecution": {}}), OWN)
term(TOOLS, "behind a listed one", tool({"googleSearch": {}}, {"enterpriseWebSearch": {}}), SEARCH)
term(TOOLS, "in capitals", tool({"CODEEXECUTION": {}}), SEARCH)
term(TOOLS, "escaped", b'{"t\\u006fols":[{"\\u0063odeExecution":{}}]}', SEARCH)
term(TOOLS, "of no list", {"tools": {"codeExecution": {}}}, {"tools": {"googleSearch": {}}})
term(TOOLS, "Claude's", tool({"type": "code_execution_20250825", "name": "f"}), tool({"type": "web_search_20250305", "name": "f"}), CLAUDE)
term(TOOLS, "Claude's servers", {"mcp_servers": [{"type": "url", "url": "https://evil.example"}]}, tool({"name": "f", "input_schema": {}}), CLAUDE)
term(TOOLS, "of OpenAI's shape", {"model": f"google/{GOOD}", "web_search_options": {}}, {"model": f"google/{GOOD}"}, CHAT)
term(TOOLS, "a job's account", {"serviceAccount": "admin@acme.iam.gserviceaccount.com"})


def file(uri: str, name: str = "fileUri") -> dict[str, object]:
    part = {"fileData": {name: uri, "mimeType": "text/plain"}}
    return {"contents": [{"role": "user", "parts": [part]}]}


INSIDE = file("gs://acme-docs/in/a.txt")
term(FILES, "for who may name none", INSIDE, file("data:text/plain,a"), group="ml")
term(FILES, "another bucket", file("gs://acme-hr/salaries.csv"), INSIDE)
term(FILES, "the web", file("https://evil.example/a"), INSIDE)
term(FILES, "another folder", file("gs://acme-docs/inside/a.txt"), INSIDE)
term(FILES, "a way out", file("gs://acme-docs/in/../hr/a.txt"), INSIDE)
term(FILES, "a way out, encoded", file("gs://acme-docs/in/%2e%2e/hr/a.txt"), INSIDE)
term(FILES, "in the other spelling", file("gs://acme-hr/a", "file_uri"), file("gs://acme-docs/in/a", "file_uri"))
term(FILES, "in a system instruction", {"systemInstruction": file("gs://acme-hr/a")}, {"systemInstruction": INSIDE})
term(FILES, "in a function's answer", {"contents": [{"parts": [{"functionResponse": {"name": "f", "parts": [{"fileData": {"fileUri": "gs://acme-hr/a"}}]}}]}]}, {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {"fileUri": "gs://acme-hr/a"}}}]}]})
term(FILES, "Claude's", {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://evil.example/a"}}]}]}, {"messages": []}, CLAUDE)
term(FILES, "of OpenAI's shape", {"model": f"google/{GOOD}", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "gs://acme-hr/a"}}]}]}, {"model": f"google/{GOOD}"}, CHAT)
term(FILES, "among settings of a prediction", {"instances": [{"image": {"gcsUri": "gs://acme-hr/a"}}]}, {"instances": [{"image": {"gcsUri": "gs://acme-docs/in/a"}}]}, IMAGEN)

CACHE = "projects/acme-docs/locations/us-central1/cachedContents/7"
DOCS = GENERATE.replace("acme-ml", "acme-docs")
named = {"cachedContent": CACHE}
term(STATE, "a cache, for who may name none", named, group="ml")
term(STATE, "a cache of another project", {"cachedContent": CACHE.replace("acme-docs", "acme-hr")}, named, DOCS)
term(STATE, "a cache of another location", {"cachedContent": CACHE.replace("us-central1", "global")}, named, DOCS)
term(STATE, "in the other spelling", {"cached_content": CACHE.replace("acme-docs", "acme-hr")}, {"cached_content": CACHE}, DOCS)
term(STATE, "a full name with a host", {"cachedContent": f"//aiplatform.googleapis.com/{CACHE}"}, named, DOCS)
term(STATE, "below extra_body", {"model": f"google/{GOOD}", "extra_body": {"google": {"cached_content": CACHE.replace("acme-docs", "acme-hr")}}}, {"model": f"google/{GOOD}"}, CHAT)
term(STATE, "a file of Claude's", {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "file_other"}}]}]}, {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "file_own1"}}]}]}, CLAUDE)
term(STATE, "a container", {"container": "container_other"}, {"messages": []}, CLAUDE)
term(STATE, "a former answer to go on with", {"continuationToken": "b3RoZXI="})
term(STATE, "a stored voice", {"generationConfig": {"speechConfig": {"voiceConfig": {"voice": "voice_other"}}}}, {"generationConfig": {"speechConfig": {"voiceConfig": {"voice": "Kore"}}}})
term(STATE, "below an output", {"model": f"google/{GOOD}", "input": [{"type": "function_call_output", "output": [{"type": "input_file", "file_id": "file_other"}]}]}, {"model": f"google/{GOOD}", "input": [{"type": "function_call_output", "output": "text"}]}, CHAT)

INTO = "gs://acme-docs/out/"
term(OUTPUT, "for who may write nowhere", {"parameters": {"storageUri": INTO}}, {"parameters": {}}, IMAGEN, "ml")
term(OUTPUT, "another bucket", {"parameters": {"storageUri": "gs://acme-hr/"}}, {"parameters": {"storageUri": INTO}}, IMAGEN)
term(OUTPUT, "in the other spelling", {"parameters": {"storage_uri": "gs://acme-hr/"}}, {"parameters": {"storage_uri": INTO}}, IMAGEN)
term(OUTPUT, "a way out", {"parameters": {"storageUri": f"{INTO}../in/"}}, {"parameters": {"storageUri": f"{INTO}b/"}}, IMAGEN)
term(OUTPUT, "below a destination", {"outputConfig": {"gcsDestination": {"outputUriPrefix": "gs://acme-hr/"}}}, {"outputConfig": {"gcsDestination": {"outputUriPrefix": INTO}}}, IMAGEN)
video = '{"generationConfig":{"responseFormat":[{"video":{"delivery":"URI","gcsUri":"%s"}}]}}'
term(OUTPUT, "of a video", (video % "gs://acme-hr/").encode(), (video % INTO).encode())
term(OUTPUT, "of a video, where one may only read", (video % "gs://acme-docs/in/").encode(), (video % INTO).encode())
term(OUTPUT, "of a pipeline", {"pipelineRootDirectory": "gs://acme-hr/"}, {"pipelineRootDirectory": INTO})
term(OUTPUT, "to read what one may only write", {"image": {"gcsUri": f"{INTO}a"}}, {"parameters": {"outputGcsUri": f"{INTO}a"}}, IMAGEN)

STRICT = "projects/acme-docs/locations/us-central1/templates/strict"


def armor(prompt: str, name: str = "modelArmorConfig") -> dict[str, object]:
    return {name: {"promptTemplateName": prompt, "responseTemplateName": STRICT}}


LAX = STRICT.replace("strict", "lax")
term(ARMOR, "for who may name none", armor(STRICT), group="ml")
term(ARMOR, "a laxer one", armor(LAX), armor(STRICT))
term(ARMOR, "of another project", armor(STRICT.replace("acme-docs", "evil")), armor(STRICT))
term(ARMOR, "in the other spelling", armor(LAX, "model_armor_config"), armor(STRICT, "model_armor_config"))
term(ARMOR, "in capitals", armor(LAX, "MODELARMORCONFIG"), armor(STRICT))


def limit(tokens: object, name: str = "maxOutputTokens", of: str = "generationConfig") -> dict[str, object]:
    return {of: {name: tokens}}


LIMITED = limit(1000)
short = {"group": "short"}
term(TOKENS, "none", {}, LIMITED, **short)
term(TOKENS, "a higher one", limit(1001), LIMITED, **short)
term(TOKENS, "a higher one as a text", limit("1001"), limit("1000"), **short)
term(TOKENS, "a higher one with an exponent", b'{"generationConfig":{"maxOutputTokens":1e9}}', b'{"generationConfig":{"maxOutputTokens":1e3}}', **short)
term(TOKENS, "in the other spelling", limit(9999, "max_output_tokens", "generation_config"), limit(9, "max_output_tokens", "generation_config"), **short)
term(TOKENS, "a negative one", limit(-1), LIMITED, **short)
term(TOKENS, "nothing as one", limit(None), LIMITED, **short)
term(TOKENS, "elsewhere", {"contents": CONTENTS, "labels": {"maxOutputTokens": "9"}}, LIMITED, **short)
chat = {"model": f"google/{GOOD}"}
term(TOKENS, "of OpenAI's shape", {**chat, "max_tokens": 9, "max_completion_tokens": 9999}, {**chat, "max_tokens": 9}, CHAT, **short)
term(TOKENS, "where OpenAI's shape has none", {**chat, **limit(9)}, {**chat, "max_completion_tokens": 9}, CHAT, **short)
term(TOKENS, "where Claude has none", {**limit(9, of="parameters")}, {"max_tokens": 9}, CLAUDE, **short)
term(TOKENS, "where Gemini has none", {"max_tokens": 9}, LIMITED, **short)

LONG = {"contents": [{"role": "user", "parts": [{"text": "x" * 600}]}]}
small = {"group": "small"}
term(BYTES, "longer", LONG, **small)
term(BYTES, "longer by blanks", b" " * 600 + BODY, **small)
for name, change in {
    "in chunks": {"chunked": True},
    "in chunks and longer": {"chunked": True, "body": dumps(LONG)},
}.items():
    honest = Request(group="small")
    attack = mark(honest.but(**change))
    BYTES.pairs.append(Pair(BYTES.name, name, attack, honest, REFUSED, is_marked))
