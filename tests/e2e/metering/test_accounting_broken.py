"""Where accounting itself breaks, callers get their answers and the log keeps its one line a request."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.expect.budget import answer, body, target, with_roles
from support.expect.eventually import eventually
from support.log.line import AccessLine
from support.log.server import LogServer, all_lines
from support.wire.calls import post
from support.world.faults import broken_share, reached
from support.world.haproxy import Haproxy
from support.world.standin import Standin
from test_fail_closed_metering import UNTOLD

FUNCTIONS = ("usage", "meter", "feed", "log_fields")
FAULTS = ("none", "raises", "returns_nothing", "returns_an_empty_text")


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_answers_pass_and_lines_are_written(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    tmp_path: Path,
    function: str,
    style: str,
) -> None:
    vertex = with_roles(standin.service_account, {"ml": {}})
    token = standin.token({"groups": ["ml"]})
    for fault in FAULTS:
        share = broken_share(tmp_path, function, fault)
        haproxy = gateway(vertex=vertex, share=share, environment={"VERTEX_LOG_STYLE": style})
        for method in ("generateContent", "streamGenerateContent"):
            canned = answer(40)
            if method != "generateContent":
                [said] = canned["pieces"]
                events = [f"data: {said}\r\n\r\n"] * 3
                canned = {"content_type": "text/event-stream", "pieces": events}
            standin.google(canned=canned, interval_ms=20)
            response = post(haproxy, token, target(method=method), body())
            assert (response.status, response.text) == (200, "".join(canned["pieces"])), fault
        eventually(lambda: reached(function, fault) in haproxy.stderr, f"{function} {fault}")

        if style == "text":
            lines = all_lines(haproxy, logs, 2)
            assert len(lines) == 2
            for line in lines:
                assert line["decision"] == "allow" and line.text.endswith("}"), line.text
                assert len(line["id"]) == 36, line.text
        else:
            found = logs.wait_for(2, which=AccessLine.is_json)
            assert len(found) == 2
            for line in found:
                member = json.loads(line.text[line.text.index("{") :])
                assert member["http.response.status_code"] == 200
        logs.clear()


@pytest.mark.parametrize("fault", UNTOLD)
def test_a_line_is_written_where_nobody_can_say_what_was_decided(
    gateway: Callable[..., Haproxy],
    standin: Standin,
    logs: LogServer,
    tmp_path: Path,
    fault: str,
) -> None:
    share = broken_share(tmp_path, "log_fields decided", fault)
    haproxy = gateway(share=share)

    assert post(haproxy, standin.token()).status == 200

    logs.wait_until(lambda lines: any(" ai vertex_us-central1/google " in s for s in lines), "a line")
    assert reached("decided", fault) in haproxy.stderr
