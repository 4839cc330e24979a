"""The actions where they wait, where callers leave meanwhile, where credentials are large, and
beside other Lua."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.expect.eventually import eventually
from support.expect.shown import has_no_keys, requests_so_far
from support.load.waiters import Waiter
from support.wire.calls import outcome, post
from support.world.bare import ALL, ANSWERS, AUTHORIZE, GATE, SIGN, VERIFY, bare, shown, unless
from support.world.configuration import Configuration, vertex_json
from support.world.haproxy import Haproxy
from support.world.standin import Standin

WAYS = {
    "all in one": [ALL],
    "one by one": [VERIFY, unless("verified"), AUTHORIZE, unless("allowed"), SIGN],
}


@pytest.fixture
def start(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> Callable[..., Haproxy]:
    def one(way: str, *more: str, **different: object) -> Haproxy:
        rules = "\n".join([*WAYS[way], *more, unless("signed")])
        return launch(bare(configuration(), rules=rules, **different))

    return one


@pytest.fixture
def waiters() -> Iterator[list[Waiter]]:
    arrived: list[Waiter] = []
    yield arrived
    for waiter in arrived:
        waiter.connection.close()


def test_a_request_waits_for_keys_and_says_why_if_they_do_not_come(
    start: Callable[..., Haproxy], standin: Standin
) -> None:
    standin.idp("status")
    haproxy = start("all in one", ANSWERS)
    token = standin.token()

    refused = post(haproxy, token)

    assert outcome(refused) == (503, "keys_unavailable")
    assert shown(refused)["reason"] == "keys_unavailable"
    standin.idp()
    eventually(lambda: post(haproxy, token).status == 200, "requests pass", within=15)
    assert len(standin.requests(of="google")) == 1


@pytest.mark.parametrize("option", ["option abortonclose", "no option abortonclose"])
@pytest.mark.parametrize("leaving", ["close", "reset", "shut_write"])
@pytest.mark.parametrize("way", WAYS)
def test_a_request_whose_caller_has_gone_leaves_signed_or_not_at_all(
    start: Callable[..., Haproxy],
    standin: Standin,
    waiters: list[Waiter],
    way: str,
    leaving: str,
    option: str,
) -> None:
    standin.idp("status")
    haproxy = start(way, defaults_lines=option)
    good, bad = standin.token(), standin.token(sign_with="other")
    for token in [good] * 10 + [bad] * 10 + [good] * 5 + [bad] * 5:
        waiters.append(Waiter(haproxy, token))
    gone, staying = waiters[:20], waiters[20:]
    eventually(lambda: requests_so_far(haproxy) >= len(waiters), "all have come")
    assert has_no_keys(haproxy)

    for waiter in gone:
        waiter.leave(leaving)
    assert has_no_keys(haproxy), "they left while they waited"
    standin.idp()

    assert [waiter.answer() for waiter in staying] == [200] * 5 + [GATE] * 5
    seen = standin.requests(of="google")
    assert all(request["bearer"]["valid"] for request in seen)
    for waiter in (*waiters[10:20], *waiters[25:]):
        assert waiter.forwarded(seen) == [], "its token is not good"
    assert all(len(waiter.forwarded(seen)) == 1 for waiter in waiters[20:25])


@pytest.mark.parametrize("kilobytes", [4, 12])
def test_a_large_credential_beside_a_long_body(
    start: Callable[..., Haproxy], standin: Standin, tmp_path: Path, kilobytes: int
) -> None:
    tmp_path.chmod(0o755)
    google = "ya29." + "x" * (kilobytes * 1024 - 5)
    vertex = vertex_json(standin.service_account)
    vertex["credentials"] = standin.access_token(tmp_path, google)
    large = "tune.bufsize 65536\ntune.maxrewrite 16384"
    haproxy = start("one by one", vertex=vertex, global_lines=large)
    token = standin.token()
    text = {"contents": [{"role": "user", "parts": [{"text": "x" * 30_000}]}]}
    body = json.dumps(text).encode()

    answers = [post(haproxy, token, body=body) for _ in range(20)]

    assert {answer.status for answer in answers} == {200}
    seen = standin.requests(of="google")
    assert [request["body_length"] for request in seen] == [len(body)] * 20
    assert all(request["bearer"]["valid"] for request in seen)
    standin.refuse_token(google)


def test_other_lua_that_takes_the_place_of_the_passage_gets_nothing_signed(
    start: Callable[..., Haproxy], standin: Standin, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    script = tmp_path / "own.lua"
    script.write_text(
        'core.register_action("own", { "http-req" }, function(txn)\n'
        '  txn:set_priv({ verified = true, allowed = true })\n'
        "end, 0)\n"
    )
    token = standin.token()
    own = "http-request lua.own if { req.hdr(x-own) -m found }"
    for order in ([own, AUTHORIZE, SIGN], [AUTHORIZE, own, SIGN]):
        rules = "\n".join([VERIFY, *order, unless("signed")])
        haproxy = start("all in one", global_lines=f"lua-load-per-thread {script}")
        haproxy.configuration.rules = rules
        haproxy.reload()
        standin.forget_requests()

        assert post(haproxy, token).status == 200
        answer = post(haproxy, token, body=b"{}", x_own="1")
        assert answer.status == GATE
        assert len(standin.requests(of="google")) == 1
