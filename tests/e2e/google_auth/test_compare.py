"""The comparison sees what it is there for."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from endpoints import Asked

from google_auth.calls import Call, Difference, compare, read

HOST = "sts.googleapis.com"
FORM = {"content-type": "application/x-www-form-urlencoded", "host": HOST, "user-agent": "x/1"}
EXCHANGE = Asked("POST", HOST, "/v1/token", FORM, b"audience=a&scope=b+c")
KEYS = Asked("GET", HOST, "/v1/keys?at=now", {"host": HOST}, b"")


def calls(*asked: Asked) -> list[Call]:
    return [read(one, {"ya29.x": "somebody"}.get) for one in asked]


def bearer(text: str) -> Asked:
    return replace(KEYS, headers={"authorization": text})


@pytest.mark.parametrize(
    ("ours", "field", "theirs_told", "ours_told"),
    [
        (replace(EXCHANGE, body=b"audience=a&scope=b"), "form.scope", "b c", "b"),
        (replace(EXCHANGE, body=b"audience=a"), "form.scope", "b c", None),
        (replace(EXCHANGE, body=EXCHANGE.body + b"&more="), "form.more", None, ""),
        (replace(EXCHANGE, headers={**FORM, "via": "1.1"}), "header.via", None, "1.1"),
        (replace(KEYS, path="/v1/keys?at=then"), "query.at", "now", "then"),
    ],
)
def test_a_field_that_differs_is_found(
    ours: Asked, field: str, theirs_told: str | None, ours_told: str | None
) -> None:
    theirs = EXCHANGE if ours.method == "POST" else KEYS
    expected = Difference(HOST, field, theirs_told, ours_told)
    assert compare(calls(theirs), calls(ours)) == Counter([expected])
    assert not compare(calls(theirs), calls(theirs))


def test_calls_in_another_order_or_of_one_alone_are_found() -> None:
    exchange, keys = f"POST {HOST}/v1/token", f"GET {HOST}/v1/keys"
    theirs_alone = Difference(HOST, "call", keys, None)
    ours_alone = Difference(HOST, "call", None, keys)
    assert compare(calls(EXCHANGE, KEYS), calls(EXCHANGE)) == Counter([theirs_alone])
    assert compare(calls(EXCHANGE), calls(KEYS, EXCHANGE)) == Counter([ours_alone])
    assert compare(calls(KEYS, KEYS, KEYS), calls(KEYS)) == Counter([theirs_alone] * 2)
    turned = compare(calls(EXCHANGE, KEYS), calls(KEYS, EXCHANGE))
    assert turned in (
        Counter([Difference(HOST, "call", line, None), Difference(HOST, "call", None, line)])
        for line in (exchange, keys)
    )
    assert not compare(calls(EXCHANGE, KEYS), calls(EXCHANGE, KEYS))


def test_tokens_are_told_by_whom_they_came_from() -> None:
    [known, other] = calls(bearer("Bearer ya29.x"), bearer("Bearer ya29.y"))
    assert known.fields == {"query.at": "now", "header.authorization": "Bearer <token of somebody>"}
    assert other.fields["header.authorization"] == "Bearer ya29.y"
    assert len(compare([known], [other])) == 1


def test_members_of_json_are_compared_with_their_types() -> None:
    def post(body: object) -> Asked:
        json_type = {"content-type": "application/json"}
        return Asked("POST", HOST, "/", json_type, json.dumps(body).encode())

    found = compare(calls(post({"a": [1], "b": None})), calls(post({"a": ["1"], "c": None})))
    assert set(found) == {
        Difference(HOST, "json.a", "[1]", '["1"]'),
        Difference(HOST, "json.b", None, None),
        Difference(HOST, "json.c", None, None),
    }
