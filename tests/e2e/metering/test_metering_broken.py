"""An answer that breaks off, cannot be read or does not come is told as what it is, and never costs
less than it may have taken at Google."""

import json

import pytest

from support.expect.answers import ARRAY, canned, events, generated, line_of
from support.expect.eventually import eventually
from support.log.server import LogServer
from support.wire.calls import BODY, GENERATE, STREAM, headers, post
from support.wire.http1 import Connection
from support.world.haproxy import Haproxy
from support.world.standin import Standin


@pytest.mark.parametrize("target", [STREAM, ARRAY])
def test_an_error_amid_a_stream_leaves_a_lower_bound(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, target: str
) -> None:
    standin.google(chunks=3, mid_stream_error=True)

    post(everything, token, target)

    line = line_of(logs)
    assert (line["tokens"], line["error"]) == ("at_least", "INTERNAL")
    assert int(line["tokens_out"]) >= 1
    assert line["charged"] == line["reserved"]


def test_a_caller_who_hangs_up_leaves_a_lower_bound_and_pays_the_estimate(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    standin.google(chunks=5, gate=True)
    connection = Connection(everything.port)
    connection.send_request("POST", STREAM, headers(token), BODY)
    parts = connection.parts(connection.read_head())
    for _ in range(2):
        next(parts)
        standin.release()
    connection.close()

    line = line_of(logs)
    assert (line["tokens"], line["aborted"]) == ("at_least", "1")
    assert int(line["tokens_out"]) >= 2
    assert int(line["charged"]) == int(line["reserved"]) > 1000


@pytest.mark.parametrize("target", [STREAM, GENERATE])
def test_a_caller_who_hangs_up_before_the_answer_pays_the_estimate(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, target: str
) -> None:
    standin.google(delay_ms=1000)
    connection = Connection(everything.port)
    connection.send_request("POST", target, headers(token), BODY)
    eventually(lambda: standin.requests(of="google"), "Google has the request")
    connection.close()

    line = line_of(logs)
    assert (line["tokens"], line["upstream"], line["aborted"]) == ("unknown", "-", "1")
    assert int(line["charged"]) == int(line["reserved"]) > 1000


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_a_stream_that_google_cuts_leaves_a_lower_bound(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, chunks: int
) -> None:
    standin.google(chunks=4, interval_ms=20, hangup_after_chunks=chunks)

    with pytest.raises(ConnectionError):
        answer = post(everything, token, STREAM)
        assert answer.status == 502
        raise ConnectionError

    line = line_of(logs)
    # A reset may overtake the piece before it.
    known = {0: ["unknown"], 1: ["at_least", "unknown"], 2: ["at_least"]}
    assert line["tokens"] in known[chunks]
    assert line["charged"] == line["reserved"]


def test_a_prompt_that_was_blocked_says_no_counts(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    blocked = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"trafficType": "ON_DEMAND"},
    }
    standin.google(**canned(json.dumps(blocked)))

    assert post(everything, token, GENERATE).status == 200

    line = line_of(logs)
    assert (line["tokens"], line["block"]) == ("none", "PROHIBITED_CONTENT")
    assert line["charged"] == str(-(-len(BODY) // 4)), "the prompt was read"


@pytest.mark.parametrize("shape", ["{}", '{"name": "operations/1", "status": "queued"}', "[]"])
def test_a_model_s_answer_of_an_unknown_shape_is_unknown_and_costs_the_estimate(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, shape: str
) -> None:
    standin.google(**canned(shape))

    assert post(everything, token, GENERATE).status == 200

    line = line_of(logs)
    assert line["tokens"] == "unknown"
    assert int(line["charged"]) == int(line["reserved"]) > 1000


def test_one_of_two_candidates_is_not_the_whole_answer(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    standin.google(**events(f"data: {generated('x', promptTokenCount=2, totalTokenCount=3)}\n\n"))
    asked = json.loads(BODY) | {"generationConfig": {"candidateCount": 2, "maxOutputTokens": 500}}

    post(everything, token, STREAM, json.dumps(asked).encode())

    line = line_of(logs)
    assert (line["tokens"], line["tokens_total"]) == ("at_least", "3")
    assert int(line["charged"]) == int(line["reserved"]) > 1000


@pytest.mark.parametrize("content_type", ["text/html", "application/x-protobuf", ""])
def test_an_answer_that_cannot_be_read_is_unknown_and_costs_the_estimate(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, content_type: str
) -> None:
    standin.google(**canned("<html>whatever", content_type=content_type))

    assert post(everything, token, GENERATE).status == 200

    line = line_of(logs)
    assert (line["tokens"], line["tokens_in"], line["aborted"]) == ("unknown", "-", "-")
    assert int(line["charged"]) == int(line["reserved"]) > 1000


@pytest.mark.parametrize("status", [400, 429, 500, 503])
@pytest.mark.parametrize("target", [GENERATE, STREAM, ARRAY])
def test_what_google_refuses_costs_nothing(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str, status: int, target: str
) -> None:
    standin.google(status=status)

    assert post(everything, token, target).status == status

    line = line_of(logs)
    assert (line["tokens"], line["charged"], line["upstream"]) == ("none", "0", str(status))
    assert line["error"] not in ("-", ""), "Google's reason"


def test_what_never_reached_google_costs_nothing(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    standin.down("google")

    assert post(everything, token, GENERATE).status == 503

    line = line_of(logs)
    assert (line["tokens"], line["charged"], line["upstream"]) == ("none", "0", "-")
    assert line["aborted"] == "-"


def test_a_caller_who_leaves_before_the_counts_pays_for_the_text_that_came(
    everything: Haproxy, standin: Standin, logs: LogServer, token: str
) -> None:
    text = "word " * 2000
    chunk = json.dumps({"candidates": [{"content": {"parts": [{"text": text}]}}]})
    standin.google(**{**events(f"data: {chunk}\r\n\r\n", "data: {}\r\n\r\n"), "interval_ms": 5000})
    connection = Connection(everything.port)
    connection.send_request("POST", STREAM, headers(token), BODY)
    assert next(connection.parts(connection.read_head())).data
    connection.close()

    line = line_of(logs)
    assert (line["tokens"], line["parts"]) == ("at_least", "1")
    assert int(line["charged"]) == -(-len(BODY) // 4) + len(text) // 4
    assert int(line["charged"]) > int(line["reserved"])
