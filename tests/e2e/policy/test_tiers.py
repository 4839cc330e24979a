"""Tiers of capacity and price: which headers a role lets through, to the byte, and which are refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.expect.refusal import assert_refused, message
from support.log.server import LogServer
from support.wire.calls import BODY, GENERATE, STREAM, headers, post
from support.wire.http2 import H2
from support.world.configuration import vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

TYPE, SHARED_TYPE = "X-Vertex-AI-LLM-Request-Type", "X-Vertex-AI-LLM-Shared-Request-Type"
HEADERS = {"dedicated": TYPE, "shared": TYPE, "priority": SHARED_TYPE, "flex": SHARED_TYPE}


def asking(*tiers: str) -> dict[str, str]:
    return {HEADERS[tier].replace("-", "_"): tier for tier in tiers}


def seen_tiers(standin: Standin) -> list[list[tuple[str, str]]]:
    return [
        [(name, value) for name, value in seen["headers"] if name.startswith("x-vertex-ai-llm")]
        for seen in standin.requests(of="google")
    ]


@pytest.fixture
def with_tiers(gateway: Callable[..., Haproxy], standin: Standin) -> Callable[..., Haproxy]:
    """`with_tiers(*lists)`: a gateway with a role for each list, in order; None is no member."""

    def start(*lists: list[str] | None, **members: Any) -> Haproxy:
        vertex = vertex_json(standin.service_account)
        [role] = vertex["roles"]
        vertex["roles"] = [
            role | {"name": f"role-{index}", **members}
            | {"may": role["may"] | ({} if tiers is None else {"tiers": tiers})}
            for index, tiers in enumerate(lists)
        ]  # fmt: skip
        return gateway(nbthread=1, vertex=vertex)

    return start


@pytest.mark.parametrize("tier", HEADERS)
def test_a_tier_passes_as_it_came_where_the_role_lists_it_and_is_refused_elsewhere(
    with_tiers: Callable[..., Haproxy], standin: Standin, logs: LogServer, token: str, tier: str
) -> None:
    listing, others = with_tiers([tier]), with_tiers([other for other in HEADERS if other != tier])
    sent = (HEADERS[tier].lower(), tier)

    assert post(listing, token, **asking(tier)).status == 200
    with H2(listing.port) as h2:
        pairs = [*headers(token).items(), sent]
        assert h2.request("POST", GENERATE, pairs, BODY).status == 200
    assert seen_tiers(standin) == [[sent], [sent]]

    refused = post(others, token, **asking(tier))
    assert_refused(refused, "tier_not_allowed")
    assert message(refused).endswith(f": tiers: {tier}")
    with H2(others.port) as h2:
        assert_refused(h2.request("POST", GENERATE, pairs, BODY), "tier_not_allowed")
    assert len(standin.requests(of="google")) == 2
    lines = logs.in_order(4)
    assert [line["reason"] for line in lines] == ["ok", "ok", *["tier_not_allowed"] * 2]
    assert lines[2]["detail"] == f"tiers: {tier}"

    # The twin: the same request without the header.
    assert post(others, token).status == 200
    assert seen_tiers(standin)[2:] == [[]]


@pytest.mark.parametrize("body", [None, "unread"])
def test_without_the_member_no_tier_may_be_asked_for(
    with_tiers: Callable[..., Haproxy], standin: Standin, token: str, body: str | None
) -> None:
    haproxy = with_tiers(None, **({"body": body} if body else {}))

    for tier in HEADERS:
        assert_refused(post(haproxy, token, **asking(tier)), "tier_not_allowed", tier)
    assert standin.requests(of="google") == []
    assert post(haproxy, token).status == 200


def test_a_star_is_every_tier_and_no_other_value(
    with_tiers: Callable[..., Haproxy], standin: Standin, token: str
) -> None:
    haproxy = with_tiers(["*"])

    for asked in (["dedicated"], ["shared", "flex"], ["shared", "priority"]):
        assert post(haproxy, token, STREAM, **asking(*asked)).status == 200
    both = [(TYPE.lower(), "shared"), (SHARED_TYPE.lower(), "priority")]
    assert sorted(seen_tiers(standin)[2]) == sorted(both)

    for name, value in (
        (TYPE, "turbo"), (TYPE, "Dedicated"), (TYPE, "flex"), (SHARED_TYPE, "shared"),
        (SHARED_TYPE, "flex,priority"), (TYPE, "*"), (TYPE, ""),
    ):  # fmt: skip
        refused = post(haproxy, token, **{name.replace("-", "_"): value})
        assert_refused(refused, "tier_not_allowed", value)
        assert message(refused).endswith(f": tiers: {value or 'an empty header'}")
    with H2(haproxy.port) as h2:
        twice = [*headers(token).items(), (TYPE.lower(), "shared"), (TYPE.lower(), "shared")]
        assert_refused(h2.request("POST", GENERATE, twice, BODY), "tier_not_allowed")
    assert len(standin.requests(of="google")) == 3


def test_a_role_without_the_tier_does_not_decide_and_the_next_may(
    with_tiers: Callable[..., Haproxy], logs: LogServer, token: str
) -> None:
    haproxy = with_tiers(None, ["flex"], ["*"])

    for asked in ([], ["flex"], ["priority"], ["shared", "flex"]):
        assert post(haproxy, token, **asking(*asked)).status == 200
    roles = [line["role"] for line in logs.in_order(4)]
    assert roles == ["role-0", "role-1", "role-2", "role-2"]

    # What a body asks for stays a term of its own, whichever role lacks it.
    tools = json.dumps({"contents": [], "tools": [{"googleSearch": {}}]}).encode()
    assert_refused(post(haproxy, token, body=tools), "body_not_allowed")
