"""The packaged rule set and the actions are two ways into one decision: one table of requests, the
same answers."""

import json
import re
from collections.abc import Callable

import pytest

from support.expect.twins import CASES, Call
from support.wire.http1 import Response, once
from support.wire.http2 import H2
from support.world.bare import ALL, ANSWERS, AUTHORIZE, SIGN, VERIFY, bare, shown, unless
from support.world.configuration import Configuration
from support.world.haproxy import Haproxy
from support.world.standin import Standin

# Without the packaged rule set the locations are those that roles name, and need no backend, and
# buffers have HAProxy's own size.
PACKAGED_ONLY = {"a location without a backend", "a tool behind what fits the buffer"}
ONE_BY_ONE = [VERIFY, ANSWERS, unless("verified"), AUTHORIZE, ANSWERS, unless("allowed"), SIGN]
ALL_IN_ONE = [ALL]


@pytest.fixture
def ways(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> dict[str, Haproxy]:
    def actions(rules: list[str]) -> Haproxy:
        whole = "\n".join([*rules, ANSWERS, unless("signed")])
        return launch(bare(configuration(), rules=whole))

    return {
        "packaged": launch(configuration()),
        "one by one": actions(ONE_BY_ONE),
        "all in one": actions(ALL_IN_ONE),
    }


def send(haproxy: Haproxy, call: Call) -> Response:
    return once(haproxy.port, call.method, call.target, call.pairs, call.body, timeout=20)


ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def gist(response: Response) -> tuple[int, str]:
    """What a caller learns, but for the id; the text of an answer that passed is Google's."""
    return response.status, ID.sub("", response.text) if response.status != 200 else ""


def test_every_request_has_the_same_answer_on_every_way(
    ways: dict[str, Haproxy], standin: Standin
) -> None:
    different: list[str] = []
    passed = 0
    for what in CASES.keys() - PACKAGED_ONLY:
        case = CASES[what]
        for call in (case.refused(standin), case.twin(standin)):
            standin.forget_requests()
            answers = {way: send(haproxy, call) for way, haproxy in ways.items()}
            left = [
                (seen["method"], seen["target"], dict(seen["headers"])["host"], seen["body_sha256"])
                for seen in standin.requests(of="google")
                if seen["bearer"]["valid"]
            ]
            gists = {way: gist(answer) for way, answer in answers.items()}
            same = len(set(gists.values())) == 1 and len(set(left)) <= 1
            passes = gists["packaged"][0] == 200
            if not same or len(left) != (len(ways) if passes else 0):
                different.append(f"{what}: {gists} {left}")
            passed += passes
    assert different == []
    assert passed == len(CASES) - len(PACKAGED_ONLY), "each twin passes"


def test_the_variables_of_a_refusal_say_what_the_caller_is_told(
    ways: dict[str, Haproxy], standin: Standin
) -> None:
    for way in ("one by one", "all in one"):
        for what in CASES.keys() - PACKAGED_ONLY:
            answer = send(ways[way], CASES[what].refused(standin))
            error, held = json.loads(answer.text)["error"], shown(answer)
            assert (held["status"], held["message"]) == (str(answer.status), error["message"]), what
            assert held["reason"] == error["details"][0]["reason"], what
            assert f"decision=deny reason={held['reason']} " in held["audit"], what
            assert not {"allowed", "signed", "role", "credential"} & held.keys(), what


def test_over_http_2_the_answers_are_the_same_as_well(
    ways: dict[str, Haproxy], standin: Standin
) -> None:
    for what in CASES.keys() - PACKAGED_ONLY:
        for call in (CASES[what].refused(standin), CASES[what].twin(standin)):
            statuses = set()
            for haproxy in ways.values():
                with H2(haproxy.port) as h2:
                    statuses.add(h2.request(call.method, call.target, call.pairs, call.body).status)
            assert len(statuses) == 1, (what, statuses)
