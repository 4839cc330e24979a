"""What of a request is refused is named, to its caller and in the line."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from support.expect.refusal import assert_refused, message
from support.expect.twins import good
from support.log.server import LogServer
from support.wire.calls import BODY, GENERATE, headers
from support.wire.http1 import once
from support.wire.http2 import H2
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

EXPRESS = "/v1/publishers/google/models/gemini-2.5-flash:generateContent"


def _body(**members: Any) -> bytes:
    return json.dumps({"contents": [], **members}).encode()


def _file(uri: str) -> bytes:
    return _body(contents=[{"parts": [{"fileData": {"fileUri": uri}}]}])


def _role(vertex: dict[str, Any]) -> dict[str, Any]:
    may = vertex["roles"][0]["may"]
    may |= {"tools": ["googleSearch"], "file_uris": ["gs://acme/in/"]}
    return vertex


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
