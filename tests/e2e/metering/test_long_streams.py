"""A stream that takes longer than HAProxy lets any Lua run is read to its end, and passes whole."""

import json
from collections.abc import Callable

from support.log.server import LogServer
from support.wire.calls import STREAM, post
from support.world.haproxy import Haproxy
from support.world.standin import Standin

EVENTS, INTERVAL_MS = 150, 10
# HAProxy looks at Lua's time after so few instructions, and there is little of it.
HURRIED = "tune.lua.session-timeout 200ms\ntune.lua.forced-yield 100"


def event(text: str, **more: object) -> str:
    said = {"candidates": [{"content": {"parts": [{"text": text}]}, **more}]}
    return f"data: {json.dumps(said)}\n\n"


def test_a_stream_longer_than_luas_time_is_counted_exactly(
    gateway: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    usage = {"promptTokenCount": 5, "candidatesTokenCount": EVENTS, "totalTokenCount": EVENTS + 5}
    last = json.dumps({"candidates": [{"finishReason": "STOP"}], "usageMetadata": usage})
    pieces = [event(f"word{number} ") for number in range(EVENTS)] + [f"data: {last}\n\n"]
    canned = {"content_type": "text/event-stream", "pieces": pieces}
    standin.google(canned=canned, interval_ms=INTERVAL_MS)
    haproxy = gateway(global_lines=HURRIED)

    answer = post(haproxy, standin.token(), STREAM)

    assert (answer.status, answer.text) == (200, "".join(pieces))
    [line] = logs.wait_for(1)
    assert (line["tokens"], line["tokens_total"]) == ("exact", str(EVENTS + 5)), line.text
    assert int(line["parts"]) == EVENTS, line.text
    assert "timeout" not in haproxy.stderr
