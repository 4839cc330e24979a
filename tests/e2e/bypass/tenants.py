"""What Google keeps for one tenant, asked for with another one's token. Google itself sees the same
identity behind both."""

from bypass.bodies import CONTENTS
from bypass.pair import JSON, Kind, Pair, Request, body_arrives, dumps, is_marked, mark, target_has

PATHS = Kind("another tenant's state in the path", checks=("Project",))
BODIES = Kind("another tenant's state in the body", checks=("stored_state", "BodyModel"))
OPERATIONS = Kind("another tenant's operation", checks=("Operation",))
EMPTY = Kind("a body where none belongs", checks=("BodyTaken",))

KINDS = [PATHS, BODIES, OPERATIONS, EMPTY]

OWN = "/v1/projects/tenant-blue/locations/us-central1"


def others(text: str) -> str:
    return text.replace("tenant-blue", "tenant-red")


def path(title: str, tail: str, method: str = "GET", body: bytes | None = None) -> None:
    media = (("content-type", "application/json"),) if body is not None else ()
    honest = Request(f"{OWN}/{tail}", method, body=body, media=media, group="blue")
    attack = honest.but(target=others(honest.target))
    PATHS.pairs.append(
        Pair(PATHS.name, title, attack, honest, "role_none", target_has("tenant-red"), desk="tenants")
    )


path("a cache", "cachedContents/7")
path("all caches", "cachedContents")
path("the end of a cache", "cachedContents/7", "DELETE")
path("a cache's life", "cachedContents/7?updateMask=ttl", "PATCH", b'{"ttl":"9s"}')
path("a job", "batchPredictionJobs/7")
path("the end of a job", "batchPredictionJobs/7:cancel", "POST", b"{}")
path("a file", "publishers/anthropic/files/file_7")
path("a file's content", "publishers/anthropic/files/file_7/content")
path("an answer", "endpoints/openapi/responses/resp_7")
path("an interaction", "interactions/7")
path("an operation", "operations/7")
path("an endpoint's operation", "endpoints/7/operations/8")
path("a session", "reasoningEngines/7/sessions/8")
path("memories", "reasoningEngines/7/memories")
path("a tuned model", "models/7")
path("a prediction with it", "endpoints/7:predict", "POST", b'{"instances":[]}')

GENERATE = f"{OWN}/publishers/google/models/gemini-2.5-flash:generateContent"
CACHE = f"{OWN}/cachedContents/7".removeprefix("/v1/")
JOBS = f"{OWN}/batchPredictionJobs"
MODEL = f"{OWN}/models/7".removeprefix("/v1/")


def body(title: str, attack: object, twin: object, expect: str = "body_not_allowed", target: str = GENERATE, kind: Kind = BODIES) -> None:
    honest = Request(target, body=dumps(twin), group="blue")
    sent = honest.but(body=dumps(attack))
    kind.pairs.append(Pair(kind.name, title, sent, honest, expect, body_arrives(sent.body), desk="tenants"))


def cached(name: str, member: str = "cachedContent") -> dict[str, object]:
    return {"contents": CONTENTS, member: name}


body("a cache", cached(others(CACHE)), cached(CACHE))
body("a cache in the other spelling", cached(others(CACHE), "cached_content"), cached(CACHE, "cached_content"))
body("a cache with a host", cached(f"//aiplatform.googleapis.com/{others(CACHE)}"), cached(CACHE))
body("a cache of another location", cached(CACHE.replace("us-central1", "global")), cached(CACHE))
body("a cache with a slash in front", cached(f"/{others(CACHE)}"), cached(f"/{CACHE}"))
body("a cache below a short name", cached(f"cachedContents/../../{others(CACHE)}"), cached("cachedContents/7"))
body("a session", {"session": f"{others(OWN)[4:]}/reasoningEngines/7/sessions/8", "contents": CONTENTS}, {"contents": CONTENTS})
dataset = "projects/{}/locations/us-central1/datasets/7"


def job(project: str) -> dict[str, object]:
    source = {"vertexMultimodalDatasetSource": {"datasetName": dataset.format(project)}}
    return {"model": "google/gemini-2.5-flash", "inputConfig": source}


body("a dataset", job("tenant-red"), job("tenant-blue"), target=JOBS)
body("a tuned model", {"model": others(MODEL)}, {"model": MODEL}, "model_mismatch", JOBS)
body("a job's model beside the path", {"model": f"{others(OWN)[4:]}/publishers/google/models/gemini-2.5-flash", "contents": CONTENTS}, {"contents": CONTENTS}, "model_mismatch")

VEO = f"{OWN}/publishers/google/models/veo-3"
FETCH = f"{VEO}:fetchPredictOperation"


def operation(title: str, attack: str, member: str = "operationName") -> None:
    own = f"{VEO}/operations/7".removeprefix("/v1/")
    body(title, {member: attack}, {member: own}, "model_mismatch", FETCH, OPERATIONS)


operation("of the same model", f"{others(VEO)}/operations/7".removeprefix("/v1/"))
operation("in the other spelling", f"{others(VEO)}/operations/7".removeprefix("/v1/"), "operation_name")
operation("of no model", f"{others(OWN)}/operations/7".removeprefix("/v1/"))
operation("of another location", f"{VEO}/operations/7".removeprefix("/v1/").replace("us-central1", "global"))
operation("of another model", f"{VEO}/operations/7".removeprefix("/v1/").replace("veo-3", "veo-2"))
operation("with a way out", f"{VEO}/operations/7/../../{others(OWN)[4:]}/operations/7".removeprefix("/v1/"))


def empty(title: str, method: str, **more: object) -> None:
    honest = Request(f"{OWN}/cachedContents/7", method, body=None, media=(), group="blue")
    attack = mark(honest.but(body=b"{}", media=JSON, **more))
    EMPTY.pairs.append(
        Pair(EMPTY.name, title, attack, honest, "body_not_allowed", is_marked, desk="tenants")
    )


empty("of GET", "GET")
empty("of DELETE", "DELETE")
empty("of GET, in chunks", "GET", chunked=True)
empty("of DELETE, in chunks", "DELETE", chunked=True)
