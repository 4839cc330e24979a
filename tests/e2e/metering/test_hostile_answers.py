"""What an answer says of itself comes from outside as well: whatever it holds, the line is one line
and can be read, as text and as JSON, and the caller gets the answer as it came."""

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.expect.budget import FLASH, target, with_roles
from support.log import hostile
from support.log.line import AccessLine
from support.log.server import LogServer
from support.wire.calls import BODY, headers
from support.wire.http1 import Connection
from support.wire.rawgoogle import RawGoogle, events, whole
from support.world.haproxy import Haproxy
from support.world.standin import Standin

# Bytes between the quotes of a JSON string.
RAW = {
    "not UTF-8": b"a\xff\xfe\xc3(b",
    "half a character": b"\xf0\x9f",
    "a raw NUL": b"a\x00b",
    "raw line breaks": b"a\r\nvertex{decision=allow reason=ok}\r\nb",
    "the separators of the log's own parts": b"a^b^200^200^1 tokens=exact|allow|x",
    "escapes": rb"\u0000\u000a\"\\\/\b\f\n\r\t\u007f\u0085\u2028",
    "half a pair of surrogates": rb"\ud800x\udc00",
    "an escape without its digits": rb"\u12",
    "1 MB": b"x" * (1 << 20),
    "1 MB of escapes": rb"\u0022" * (1 << 18),
    "a megabyte of quotes and braces": rb"\"}" * (1 << 19),
    "nothing": b"",
    "one dash": b"-",
    "what a cut looks like": b"abc~",
    "percent signs": b"%00%zz%",
}
VALUES = RAW | {
    what: json.dumps(value, ensure_ascii=False).encode()[1:-1]
    for what, value in hostile.CLAIMS.items()
}

PLACES = {
    "response_id": b'{"responseId":"%b","candidates":[{"finishReason":"STOP"}],%b}',
    "model_version": b'{"modelVersion":"%b","candidates":[{"finishReason":"STOP"}],%b}',
    "finish": b'{"candidates":[{"finishReason":"%b"}],%b}',
    "block": b'{"promptFeedback":{"blockReason":"%b"},%b}',
    "error": b'{"error":{"code":500,"status":"%b","message":"x"},%b}',
}
USAGE = b'"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":5,"totalTokenCount":7}'
ROLE: dict[str, Any] = {"ml": {}}


class Scripted(RawGoogle):
    """Sends what it is told to."""

    def __init__(self) -> None:
        self.bytes = b""
        super().__init__(flash=self._send)

    def _send(self, client: socket.socket) -> None:
        client.sendall(self.bytes)


@pytest.fixture
def google() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.stop()


@pytest.fixture
def scripted(
    gateway: Callable[..., Haproxy], standin: Standin, google: Scripted
) -> Callable[[str], Haproxy]:
    """`scripted(style)`: a gateway whose Google answers in `google.bytes`."""

    return lambda style: gateway(
        google_http=google.port,
        vertex=with_roles(standin.service_account, ROLE),
        environment={"VERTEX_LOG_STYLE": style},
    )


def fields(style: str, logs: LogServer) -> dict[str, str]:
    """Of the one line that came, by the names of the text and decoded."""
    is_one = AccessLine.is_json if style == "json" else AccessLine.has_tail
    [line] = logs.wait_for(1, which=is_one)
    assert logs.dropped == 0 and "\n" not in line.text
    return line.said


def text_of(value: bytes) -> str | None:
    """What the value means; nothing if not every JSON reader says the same."""
    try:
        meant: str = json.loads(b'"' + value + b'"')
        meant.encode()
    except ValueError:
        return None
    return meant


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("way", ["whole", "events", "array"])
def test_no_value_of_an_answer_can_leave_its_field(
    scripted: Callable[[str], Haproxy],
    google: Scripted,
    standin: Standin,
    logs: LogServer,
    style: str,
    way: str,
) -> None:
    haproxy = scripted(style)
    token = standin.token({"groups": ["ml"]})
    method = "generateContent" if way == "whole" else "streamGenerateContent"
    asked = target(FLASH, method).removesuffix("?alt=sse" if way == "array" else "-")
    with Connection(haproxy.port) as connection:
        for place, shape in PLACES.items():
            for what, value in VALUES.items():
                answer = shape % (value, USAGE)
                google.bytes = {
                    "whole": lambda a: whole(a),
                    "events": lambda a: events(b"data: " + a + b"\r\n\r\n") + b"0\r\n\r\n",
                    "array": lambda a: whole(b"[" + a + b"]"),
                }[way](answer)
                answered = connection.request("POST", asked, headers(token), BODY)
                assert answered.status == 200
                assert answer in answered.body, (place, what)

                line = fields(style, logs)
                logs.clear()
                case = (place, what, line)
                assert (line["decision"], line["principal"]) == ("allow", "corp:alice"), case
                assert line["upstream"] == "200", case
                assert_says(line[place], value, case)
                others = [line[other] for other in PLACES if other != place]
                assert set(others) <= {"-", "STOP", "UNKNOWN"}, case


def assert_says(written: str, value: bytes, case: object) -> None:
    """The field holds what the answer said, or its beginning; never anything else."""
    meant = text_of(value)
    if meant is None or not meant:
        return  # what cannot be read may be told or not; that the line could be read is enough
    if written == meant:
        return
    assert len(meant.encode()) > 20, case  # 64 bytes of the line are 21 encoded ones
    assert written.endswith("~") and meant.startswith(written[:-1].rstrip("\ufffd")), case


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_line_of_nothing_but_hostile_values_fits(
    scripted: Callable[[str], Haproxy],
    google: Scripted,
    standin: Standin,
    logs: LogServer,
    style: str,
) -> None:
    """All fields that others fill at once, each with what takes most room in the line."""
    haproxy = scripted(style)
    for character in ("\x01", '"', "\u20ac", "\x7f", "\\"):
        long = character * 300
        claims = {"groups": ["ml"], "sub": long, "email": long}
        escaped = json.dumps(long)[1:-1].encode()
        answer = (
            b'{"responseId":"%b","modelVersion":"%b","candidates":[{"finishReason":"%b"}],'
            b'"promptFeedback":{"blockReason":"%b"},"error":{"status":"%b"},%b}'
        ) % (*[escaped] * 5, USAGE)
        google.bytes = whole(answer)
        with Connection(haproxy.port) as connection:
            token = standin.token(claims)
            model = FLASH + "-" + "x" * 60
            answered = connection.request("POST", target(model), headers(token), BODY)
        assert answered.status == 200

        line = fields(style, logs)
        logs.clear()
        assert line["charged"] != "-" and line["tokens"] != "-"
        assert line["response_id"].startswith(character)
