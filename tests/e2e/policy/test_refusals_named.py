"""What of a request is refused is named, to its caller and in the line."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from support.expect.refusal import assert_refused, message
from support.expect.twins import good
from support.log.server import LogServer
from support.wire.calls import BODY, GENERATE, OTHER_MODEL, headers
from support.wire.http1 import once
from support.wire.http2 import H2
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

SECRET = "projects/acme-ml/secrets/search/versions/1"
OTHER = "projects/acme-ml/secrets/pay/versions/1"
ENGINE = "projects/acme-ml/locations/global/collections/c/engines/7"
EXPRESS = "/v1/publishers/google/models/gemini-2.5-flash:generateContent"


def _body(**members: Any) -> bytes:
    return json.dumps({"contents": [], **members}).encode()


def _file(uri: str) -> bytes:
    return _body(contents=[{"parts": [{"fileData": {"fileUri": uri}}]}])


def _role(vertex: dict[str, Any]) -> dict[str, Any]:
    may = vertex["roles"][0]["may"]
    may |= {
        "tools": ["googleSearch", "retrieval"],
        "file_uris": ["gs://acme/in/", "https://search.example/"],
        "stored_state": ["projects/*/locations/*/collections/*/engines/*"],
        "secrets": [SECRET],
    }
    return vertex


def _search(**settings: Any) -> bytes:
    return _body(tools=[{"retrieval": settings}])


def _ranked(model: str) -> dict[str, Any]:
    return {"ragRetrievalConfig": {"ranking": {"llmRanker": {"modelName": model}}}}


def _document(kind: str) -> bytes:
    source = {"data": "https://h.example/a", "media_type": "text/plain", "type": kind}
    return _body(messages=[{"content": [{"type": "document", "source": source}]}])


def _label(name: str) -> bytes:
    data = {"mimeType": "text/plain", "data": "YQ==", name: "https://h.example/a"}
    return _body(contents=[{"parts": [{"inlineData": data}]}])


LONG = "x" * 50_000
CASES = {
    "a tool": (
        GENERATE, _body(tools=[{"googleSearch": {}}, {"codeExecution": {}}]),
        _body(tools=[{"googleSearch": {}}]), "body_not_allowed", "tools: codeExecution",
    ),
    "an address": (
        GENERATE, _file("gs://other-bucket/x"), _file("gs://acme/in/x"),
        "body_not_allowed", "file_uris: gs://other-bucket/x",
    ),
    "an address that would break out": (
        GENERATE, _file('gs://o/"} decision=allow {|'), _file('gs://acme/in/"}|'),
        "body_not_allowed", 'file_uris: gs://o/"} decision=allow {|',
    ),
    "a tool behind a prompt that does not fit the buffer": (
        GENERATE, _body(x=LONG, tools=[{"codeExecution": {}}]), _body(x=LONG),
        "body_not_allowed", "tools: codeExecution",
    ),
    "a secret": (
        GENERATE, _search(externalApi={"authConfig": {"apiKeyConfig": {"apiKeySecret": OTHER}}}),
        _search(externalApi={"authConfig": {"apiKeyConfig": {"apiKeySecret": SECRET}}}),
        "body_not_allowed", f"secrets: {OTHER}",
    ),
    "an engine": (
        GENERATE, _search(vertexAiSearch={"engine": ENGINE.replace("acme-ml", "acme-hr")}),
        _search(vertexAiSearch={"engine": ENGINE}),
        "body_not_allowed", f"stored_state: {ENGINE.replace('acme-ml', 'acme-hr')}",
    ),
    "an endpoint without a scheme": (
        GENERATE, _search(externalApi={"endpoint": "evil.example/find"}),
        _search(externalApi={"endpoint": "search.example/find"}),
        "body_not_allowed", "file_uris: https://evil.example/find",
    ),
    "an address with a signature": (
        GENERATE, _file("https://me:pw@h.example/a?X-Goog-Signature=s3cret"),
        _file("https://search.example/a?X-Goog-Signature=s3cret"),
        "body_not_allowed", "file_uris: https://h.example/a",
    ),
    "a model that ranks": (
        GENERATE, _search(vertexRagStore=_ranked("text-bison")),
        _search(vertexRagStore=_ranked("gemini-2.5-flash")),
        "body_not_allowed", "models: text-bison",
    ),
    "an item that is stored": (
        GENERATE, _body(input=[{"id": "msg_other", "type": "item_reference"}]),
        _body(input=[{"id": "msg_other", "type": "message", "role": "user", "content": "a"}]),
        "body_not_allowed", "stored_state: msg_other",
    ),
    "a tool of Claude's servers": (
        GENERATE, _body(tools=[{"type": "code_execution_20250825", "name": "bash"}]),
        _body(tools=[{"type": "bash_20250124", "name": "bash"}]),
        "body_not_allowed", "tools: code_execution_20250825",
    ),
    "a document that is no text": (
        GENERATE, _document("base64"), _document("text"),
        "body_not_allowed", "file_uris: https://h.example/a",
    ),
    "an address that is no label": (
        GENERATE, _label("fileUri"), _label("displayName"),
        "body_not_allowed", "file_uris: https://h.example/a",
    ),
    "another model": (
        GENERATE, _body(model="gemini-1.5-pro"), _body(model="gemini-2.5-flash"),
        "model_mismatch", "model: gemini-1.5-pro",
    ),
    "a model of no role": (
        OTHER_MODEL, BODY, BODY, "role_none",
        "generateContent, google/gemini-1.5-pro, acme-ml, us-central1",
    ),
    "a path without project": (
        EXPRESS, BODY, BODY, "route_unknown",
        'no project in the path, and no role of yours has a "default": set project and location in '
        "your client, or call /v1/projects/<project>/locations/<location>/...",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_what_is_refused_is_named_to_its_caller_and_in_the_line(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer, what: str
) -> None:
    target, body, twin, reason, detail = CASES[what]
    haproxy = gateway(nbthread=1, vertex=_role(vertex_json(standin.service_account)))
    pairs = headers(good(standin))

    with H2(haproxy.port) as h2:
        for answer in (
            once(haproxy.port, "POST", target, pairs, body),
            h2.request("POST", target, pairs, body),
        ):
            assert_refused(answer, reason)
            assert message(answer).endswith(f": {detail}")
    assert once(haproxy.port, "POST", GENERATE, pairs, twin).status == 200

    *refused, passed = logs.in_order(3)
    written = quote(detail, safe="-._:@/")
    for line in refused:
        found = f" detail={written} " if len(written) <= 128 else f" detail={written[:100]}"
        assert line["reason"] == reason and found in line.text
    assert (passed["reason"], passed["detail"]) == ("ok", "-")
    assert len(standin.requests(of="google")) == 1
