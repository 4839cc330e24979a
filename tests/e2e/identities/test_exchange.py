"""Each caller as itself: its own token is exchanged for one of Google's, which sees who calls."""

import hashlib
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.expect.eventually import eventually
from support.expect.metrics import Pages, key
from support.expect.refusal import assert_refused, message
from support.log.server import LogServer
from support.wire.calls import BODY, STREAM, headers, outcome, outcomes, post
from support.wire.framings import FRAMINGS, send
from support.wire.http1 import once
from support.world.bare import bare, shown
from support.world.configuration import Configuration, section, vertex_json
from support.world.credential_files import ACCOUNT
from support.world.gateway import in_front_of
from support.world.haproxy import Haproxy
from support.world.standin import Standin

# Tokens of the Security Token Service may be long.
ROOM = {"VERTEX_MAXREWRITE": "16384", "VERTEX_BUFSIZE": "65536"}
PASSES, UNAVAILABLE = (200, "-"), (503, "credential_unavailable")
REFUSED = (403, "google_exchange_refused")


def caller(standin: Standin, subject: str, **more: Any) -> str:
    return standin.token({"sub": subject, "groups": ["ml"]}, **more)


def exchanging(standin: Standin, folder: Path, **members: Any) -> dict[str, Any]:
    vertex = vertex_json(standin.service_account)
    audience = standin.credential_files(folder).audience()
    vertex["credentials"] = [
        {"name": "as-caller", "type": "exchange", "audience": audience, **members}
    ]
    vertex["roles"][0]["as"] = "as-caller"
    return vertex


# What the packaged defaults do for answers that are whole.
WITHOUT_RULES = [
    "http-response wait-for-body time 5s",
    "http-response set-header x-vertex-fetched yes",
]


def google(standin: Standin, rules: list[str] | None = None) -> str:
    """The backends of Google's identity services."""
    packaged = " from vertex-fetch" if rules is None else ""
    return "\n".join(
        section(
            f"backend vertex_fetch_{name}.googleapis.com{packaged}",
            [
                *(rules or []),
                f"server one 127.0.0.1:{standin.ports[f'{name}_https']} ssl verify required"
                f" ca-file {standin.ca} sni str({name}.googleapis.com)",
            ],
        )
        for name in ("sts", "iamcredentials")
    )


@pytest.fixture
def as_caller(
    gateway: Callable[..., Haproxy], standin: Standin, tmp_path: Path
) -> Callable[..., Haproxy]:
    """A gateway that exchanges its callers' tokens, with these members of the credential."""

    def start(sections: str = "", different: dict[str, Any] | None = None, **of: Any) -> Haproxy:
        return gateway(
            vertex=exchanging(standin, tmp_path, **of),
            sections=google(standin) + sections,
            environment=ROOM,
            **(different or {}),
        )

    return start


def who(standin: Standin) -> list[str]:
    """As whom Google saw each call."""
    seen = standin.requests(of="google")
    assert all(request["bearer"]["valid"] for request in seen)
    return [request["bearer"]["claims"]["principal"] for request in seen]


def principal(standin: Standin, folder: Path, subject: str) -> str:
    pool, _ = standin.credential_files(folder).audience().split("/providers/")
    return f"principal:{pool}/subject/{subject}"


def test_google_sees_who_calls(
    as_caller: Callable[..., Haproxy], standin: Standin, logs: LogServer, tmp_path: Path
) -> None:
    haproxy = as_caller()
    alice, bob = caller(standin, "alice"), caller(standin, "bob")

    for token in (alice, bob, alice, bob):
        assert outcome(post(haproxy, token)) == PASSES

    people = [principal(standin, tmp_path, name) for name in ("alice", "bob")]
    assert who(standin) == people * 2
    assert [line["google_identity"] for line in logs.in_order(4)] == people * 2
    assert [request["valid"] for request in standin.verified("sts")] == [True, True]
    assert not any(secret in line for line in logs.lines for secret in (alice, bob, "ya29."))


def test_each_caller_becomes_the_account(
    as_caller: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    haproxy = as_caller(account=ACCOUNT)

    for subject in ("alice", "bob"):
        assert outcome(post(haproxy, caller(standin, subject))) == PASSES

    assert who(standin) == [ACCOUNT, ACCOUNT]
    assert {line["google_identity"] for line in logs.exactly(2)} == {ACCOUNT}
    assert (standin.asked("sts"), standin.asked("iamcredentials")) >= (2, 2)


def test_the_refused_account_is_told(as_caller: Callable[..., Haproxy], standin: Standin) -> None:
    standin.policy(denied=[ACCOUNT])
    haproxy = as_caller(account=ACCOUNT)

    refused = post(haproxy, caller(standin, "alice"))

    assert outcome(refused) == REFUSED
    assert "PERMISSION_DENIED" in message(refused)
    standin.policy()
    assert outcome(post(haproxy, caller(standin, "bob"))) == PASSES


def test_whom_the_attribute_condition_turns_away_hears_googles_words(
    as_caller: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    standin.pool(rejected_subjects=["mallory"], allowed_audiences=["vertex-gateway"])
    haproxy = as_caller()
    mallory = caller(standin, "mallory")
    asked = standin.asked("sts")

    refusals = [post(haproxy, mallory) for _ in range(5)]

    for refusal in refusals:
        assert_refused(refusal, "google_exchange_refused")
        assert "rejected by the attribute condition" in message(refusal)
    assert standin.asked("sts") == asked + 1, "the others ask nobody"
    assert standin.requests(of="google") == []
    assert {line["reason"] for line in logs.exactly(5)} == {"google_exchange_refused"}
    assert outcome(post(haproxy, caller(standin, "alice"))) == PASSES


def test_a_forged_token_is_not_exchanged(
    as_caller: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = as_caller()
    asked = standin.asked("sts")

    assert post(haproxy, caller(standin, "alice", sign_with="other")).status == 401

    assert standin.asked("sts") == asked
    assert outcome(post(haproxy, caller(standin, "alice"))) == PASSES
    assert standin.asked("sts") == asked + 1


def test_an_outage_is_503_and_over_when_google_is_back(
    as_caller: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = as_caller()
    alice, bob = caller(standin, "alice"), caller(standin, "bob")
    assert outcome(post(haproxy, alice)) == PASSES
    standin.misbehave("sts", "status", status=503)

    refused = post(haproxy, bob)

    assert_refused(refused, "credential_unavailable")
    assert outcome(post(haproxy, alice)) == PASSES, "what was exchanged serves on"
    shown = json.loads(haproxy.ask("vertex show credentials json"))["credentials"][0]
    assert shown["last_error"].startswith("status 503"), shown
    standin.misbehave("sts")
    assert outcome(post(haproxy, bob)) == PASSES


def test_a_short_outage_is_waited_for(as_caller: Callable[..., Haproxy], standin: Standin) -> None:
    haproxy = as_caller()
    standin.misbehave("sts", "cut")
    asked = standin.asked("sts")

    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(lambda: outcome(post(haproxy, caller(standin, "alice"))))
        eventually(lambda: standin.asked("sts") > asked, "it was tried")
        standin.misbehave("sts")
        assert waits.result() == PASSES


def test_a_hang_concerns_those_alone_who_need_an_exchange(
    as_caller: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = as_caller()
    known = caller(standin, "known")
    assert outcome(post(haproxy, known)) == PASSES
    standin.misbehave("sts", "hang")

    new = [caller(standin, f"c{number}") for number in range(12)]
    found = outcomes([(haproxy, token) for token in [*new, known, known]])

    assert found == [UNAVAILABLE] * 12 + [PASSES] * 2
    standin.misbehave("sts")
    eventually(lambda: outcome(post(haproxy, new[0])) == PASSES, "its twin", within=40)


def test_first_calls_at_once_are_one_exchange(
    as_caller: Callable[..., Haproxy], standin: Standin, tmp_path: Path
) -> None:
    standin.misbehave("sts", delay_ms=500)
    haproxy = as_caller()
    alice = caller(standin, "alice")
    asked = standin.asked("sts")

    assert outcomes([(haproxy, alice)] * 20) == [PASSES] * 20

    assert standin.asked("sts") == asked + 1
    assert set(who(standin)) == {principal(standin, tmp_path, "alice")}


def test_a_token_is_renewed_on_use_and_ends_in_time(
    as_caller: Callable[..., Haproxy], standin: Standin
) -> None:
    standin.misbehave("sts", lifetime=20)
    haproxy = as_caller()
    alice = caller(standin, "alice")
    asked = standin.asked("sts")
    assert outcome(post(haproxy, alice)) == PASSES

    def renewed() -> bool:
        assert outcome(post(haproxy, alice)) == PASSES
        return standin.asked("sts") == asked + 2

    eventually(renewed, "it is renewed", within=30)
    # What has ended is not sent: Google would refuse it.
    standin.misbehave("sts", "status", status=503)
    eventually(lambda: outcome(post(haproxy, alice)) == UNAVAILABLE, "it ended", within=60)
    assert all(request["bearer"]["valid"] for request in standin.requests(of="google"))
    standin.misbehave("sts")
    assert outcome(post(haproxy, alice)) == PASSES


def test_a_token_that_google_revokes_is_exchanged_anew(
    as_caller: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = as_caller()
    alice, bob = caller(standin, "alice"), caller(standin, "bob")
    assert outcome(post(haproxy, alice)) == PASSES
    [seen] = standin.requests(of="google")
    [of_alice] = [value for name, value in seen["headers"] if name.lower() == "authorization"]
    assert outcome(post(haproxy, bob)) == PASSES
    asked = standin.asked("sts")
    assert standin.revoke(of_alice.removeprefix("Bearer ")) == 1

    def is_promised() -> bool:
        refused = post(haproxy, alice)
        assert outcome(refused) == (503, "google_credential_refused")
        return refused.header("retry-after") == "1"

    eventually(is_promised, "another one is asked for", within=20)
    assert outcome(post(haproxy, alice)) == PASSES
    assert outcome(post(haproxy, bob)) == PASSES
    assert standin.asked("sts") == asked + 1


def test_a_callers_token_that_ends_takes_googles_with_it(
    as_caller: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = as_caller()
    short, long = caller(standin, "alice", lifetime=15), caller(standin, "alice")
    assert outcome(post(haproxy, short)) == PASSES

    ended = (401, "token_expired")
    eventually(lambda: outcome(post(haproxy, short)) == ended, "it ended", within=30)

    assert outcome(post(haproxy, long)) == PASSES


def test_a_withdrawn_key_ends_what_came_of_it(
    own_standin: Standin, launch: Callable[..., Haproxy], logs: LogServer, tmp_path: Path
) -> None:
    standin = own_standin
    standin.idp(max_age=60)
    old = standin.rotate_keys(keep_old=True)
    alice = caller(standin, "alice")
    vertex = exchanging(standin, tmp_path)
    configuration = in_front_of(
        standin, logs, vertex=vertex, sections=google(standin), environment=ROOM
    )
    haproxy = launch(configuration)
    assert outcome(post(haproxy, alice)) == PASSES
    standin.rotate_keys(keep_old=True)
    standin.remove_key(old)
    asked = standin.asked("sts")
    # A token with a key that is new has the keys fetched.
    assert outcome(post(haproxy, caller(standin, "bob"))) == PASSES

    assert post(haproxy, alice).status == 401
    assert standin.asked("sts") == asked + 1, "bob's"


def test_a_reload_paces_many_callers_and_tells_it(
    as_caller: Callable[..., Haproxy], standin: Standin, logs: LogServer, pages: Pages
) -> None:
    haproxy = as_caller(sections=pages.section, exchanges_per_second=10)
    callers = [caller(standin, f"c{number}") for number in range(30)]
    standin.misbehave("sts", lifetime=3000)
    outcomes([(haproxy, token) for token in callers])
    haproxy.reload()
    asked, began = standin.asked("sts"), time.monotonic()

    found = outcomes([(haproxy, token) for token in callers], at_once=30)

    took = time.monotonic() - began
    assert found == [PASSES] * 30
    assert standin.asked("sts") == asked + 30
    # Ten at once, ten a second later, ten after two: never sooner.
    assert took >= 1.9
    paced = pages.metrics()[key("exchanges_paced_total", credential="as-caller")]
    assert paced == 20
    logs.wait_until(
        lambda lines: any("callers had to wait for their turn" in line for line in lines), "told"
    )
    assert outcomes([(haproxy, token) for token in callers], at_once=30) == [PASSES] * 30
    assert standin.asked("sts") == asked + 30, "all are there"
    haproxy.wait_for_old_workers()
    assert "Segmentation fault" not in haproxy.stderr


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_long_body_goes_as_its_caller(
    as_caller: Callable[..., Haproxy], standin: Standin, tmp_path: Path, framing: str
) -> None:
    haproxy = as_caller()
    words = "word after word, and a line feed\n" * 10_000
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": words}]}]}).encode()

    for subject in ("alice", "bob"):
        assert send(haproxy, caller(standin, subject), framing, body).status == 200

    assert who(standin) == [principal(standin, tmp_path, name) for name in ("alice", "bob")]
    for seen in standin.requests(of="google"):
        assert seen["body_sha256"] == hashlib.sha256(body).hexdigest()


def test_a_refused_caller_with_a_long_body(
    as_caller: Callable[..., Haproxy], standin: Standin
) -> None:
    standin.pool(rejected_subjects=["mallory"])
    haproxy = as_caller()
    body = json.dumps({"contents": [{"parts": [{"text": "word " * 20_000}]}]}).encode()

    refused = send(haproxy, caller(standin, "mallory"), "length", body)

    assert (refused.status, outcome(refused)[1]) == REFUSED
    assert standin.requests(of="google") == []
    assert send(haproxy, caller(standin, "alice"), "length", body).status == 200


def test_a_stream_comes_to_its_caller(
    as_caller: Callable[..., Haproxy], standin: Standin, logs: LogServer, tmp_path: Path
) -> None:
    haproxy = as_caller()

    answer = once(haproxy.port, "POST", STREAM, headers(caller(standin, "alice")), BODY)

    assert answer.status == 200 and b"data:" in answer.body
    assert who(standin) == [principal(standin, tmp_path, "alice")]
    [line] = logs.exactly(1)
    assert (line["decision"], line["tokens"]) == ("allow", "exact")


def test_the_actions_sign_as_the_caller(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
) -> None:
    room = "tune.bufsize 65536\ntune.maxrewrite 16384"
    vertex, fetch = exchanging(standin, tmp_path), google(standin, WITHOUT_RULES)
    haproxy = launch(bare(configuration(), vertex=vertex, sections=fetch, global_lines=room))

    for subject in ("alice", "bob"):
        answer = post(haproxy, caller(standin, subject))
        assert answer.status == 200
        assert shown(answer)["google_identity"] == principal(standin, tmp_path, subject)

    assert who(standin) == [principal(standin, tmp_path, name) for name in ("alice", "bob")]


def test_check_names_the_backend_that_it_needs(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
) -> None:
    vertex = exchanging(standin, tmp_path, account=ACCOUNT)
    lacking = launch(configuration(vertex=vertex, environment=ROOM), start=False).check()
    assert lacking.status != 0
    for name in ("sts", "iamcredentials"):
        assert f"vertex_fetch_{name}.googleapis.com" in lacking.output
    whole = configuration(vertex=vertex, environment=ROOM, sections=google(standin))
    assert launch(whole, start=False).check().status == 0
