"""An API key of Google's express mode: what leaves with it, and that nothing else ever does."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.expect.eventually import eventually
from support.log.server import LogServer
from support.wire.calls import COUNT, GENERATE, STREAM, outcome, post
from support.world.bare import bare, shown
from support.world.configuration import Configuration, vertex_json
from support.world.faults import broken_share, reached
from support.world.haproxy import Check, Haproxy
from support.world.place import haproxy_version
from support.world.standin import Standin

KEY = "AIzaSy-of-a-test_0123456789abcdefghijkl"
ON = {"VERTEX_API_KEYS": "on"}
PASSES = (200, "-")
EXPRESS = "/v1/publishers/google/models/gemini-2.5-flash"
GLOBAL = GENERATE.replace("us-central1", "global")
DEFAULT = {"project": "acme-ml", "location": "global"}


@pytest.fixture
def key_file(tmp_path: Path, standin: Standin) -> Path:
    standin.accept_api_key(KEY)
    tmp_path.chmod(0o755)
    file = tmp_path / "api-key"
    file.write_text(KEY + "\n")
    return file


def with_key(standin: Standin, file: Path) -> dict[str, Any]:
    """A role whose callers leave with the key, and after it one whose callers leave with a token."""
    vertex = vertex_json(standin.service_account)
    vertex["credentials"].append({"name": "express", "type": "api_key", "file": str(file)})
    express = copy.deepcopy(vertex["roles"][0])
    express |= {"name": "express", "as": "express", "default": DEFAULT}
    express["may"]["locations"] = ["global"]
    vertex["roles"].insert(0, express)
    return vertex


@pytest.fixture
def check(
    configuration: Callable[..., Configuration], launch: Callable[..., Haproxy]
) -> Callable[..., Check]:
    """What `haproxy -c` says of a configuration."""

    def one(vertex: dict[str, Any], environment: dict[str, str] = ON) -> Check:
        return launch(configuration(vertex=vertex, environment=environment), start=False).check()

    return one


@pytest.fixture
def express(
    gateway: Callable[..., Haproxy], standin: Standin, key_file: Path
) -> Callable[..., Haproxy]:
    def start(**different: Any) -> Haproxy:
        vertex = with_key(standin, key_file) | different.pop("members", {})
        return gateway(vertex=vertex, environment=ON, **different)

    return start


def sent(standin: Standin) -> list[tuple[str, dict[str, str]]]:
    """Target and headers of each request that Google got, each with a credential that it takes."""
    seen = standin.requests(of="google")
    assert all(request["bearer"]["valid"] for request in seen), seen
    return [
        (request["target"], {name.lower(): value for name, value in request["headers"]})
        for request in seen
    ]


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (GLOBAL, f"{EXPRESS}:generateContent"),
        (STREAM.replace("us-central1", "global"), f"{EXPRESS}:streamGenerateContent?alt=sse"),
        (COUNT.replace("us-central1", "global"), f"{EXPRESS}:countTokens"),
        (f"{EXPRESS}:generateContent", f"{EXPRESS}:generateContent"),
        (
            "/v1beta/models/gemini-2.5-flash:generateContent",
            f"{EXPRESS.replace('v1', 'v1beta1')}:generateContent",
        ),
    ],
    ids=["whole", "streamed", "counted", "express", "AI Studio"],
)
def test_a_call_leaves_with_the_key_and_without_a_place(
    express: Callable[..., Haproxy], standin: Standin, logs: LogServer, asked: str, left: str
) -> None:
    assert outcome(post(express(), standin.token(), asked)) == PASSES

    [(target, headers)] = sent(standin)
    assert (target, headers["x-goog-api-key"]) == (left, KEY)
    assert headers["host"] == "aiplatform.googleapis.com" and "authorization" not in headers
    [line] = logs.wait_for(1)
    assert (line["role"], line["credential"], line["google_identity"]) == (
        "express",
        "express",
        "-",
    )
    assert (line["project"], line["location"]) == ("acme-ml", "global")
    assert "streamGenerateContent" not in asked or line["tokens"] == "exact"


def test_each_role_leaves_with_its_own_credential(
    express: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy, token = express(), standin.token()
    for target in (GLOBAL, GENERATE, GLOBAL):
        assert outcome(post(haproxy, token, target)) == PASSES

    by = [
        sorted({"authorization", "x-goog-api-key"} & set(headers)) for _, headers in sent(standin)
    ]
    assert by == [["x-goog-api-key"], ["authorization"], ["x-goog-api-key"]]


def test_a_callers_own_header_never_leaves(
    express: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy, token = express(), standin.token()
    for target in (GLOBAL, GENERATE):
        assert outcome(post(haproxy, token, target, x_goog_api_key=token)) == PASSES
        assert post(haproxy, None, target, x_goog_api_key=KEY).status == 401
        assert post(haproxy, None, target, Authorization=f"ApiKey {KEY}").status == 401

    (_, by_key), (_, by_token) = sent(standin)
    assert by_key["x-goog-api-key"] == KEY
    assert by_token["authorization"].startswith("Bearer ") and "x-goog-api-key" not in by_token


def test_nobody_is_told_the_key(
    express: Callable[..., Haproxy], standin: Standin, logs: LogServer
) -> None:
    haproxy = express(
        frontend_lines="http-after-response set-header x-v %[var(txn.vertex.verdict)]"
    )
    answer = post(haproxy, standin.token(), GLOBAL)
    assert outcome(answer) == PASSES and "|" in (answer.header("x-v") or "")
    logs.wait_for(1)

    told = [haproxy.ask(f"vertex show credentials{how}") for how in ("", " json")]
    written = [*logs.lines, haproxy.stderr, *told, str(answer.headers), answer.text]
    assert not [text for text in written if KEY in text]
    assert "api_key" in told[0]


def test_a_key_that_google_refuses_is_told_as_google_tells_it(
    express: Callable[..., Haproxy], standin: Standin
) -> None:
    haproxy = express()
    standin.refuse_api_key(KEY)
    refused = post(haproxy, standin.token(), GLOBAL)
    assert refused.status == 400
    assert json.loads(refused.text)["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    standin.accept_api_key(KEY)
    assert outcome(post(haproxy, standin.token(), GLOBAL)) == PASSES


def test_another_key_in_its_file_is_taken_without_a_reload(
    express: Callable[..., Haproxy], standin: Standin, key_file: Path
) -> None:
    haproxy = express(members={"admin_commands": True})
    assert outcome(post(haproxy, standin.token(), GLOBAL)) == PASSES
    standin.accept_api_key("AIza.another")
    key_file.write_text("AIza.another\n")
    haproxy.ask("vertex reload credential express")

    def leaves_with_another() -> bool:
        assert outcome(post(haproxy, standin.token(), GLOBAL)) == PASSES
        return sent(standin)[-1][1]["x-goog-api-key"] == "AIza.another"

    eventually(leaves_with_another, "the other key is in use")


FAULTS = (
    "raises", "raises_a_table", "panics", "never_ends", "returns_nothing", "returns_false",
    "returns_a_table", "returns_an_empty_text", "returns_a_text", "returns_an_empty_key",
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_without_its_credential_a_request_does_not_leave(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    tmp_path: Path,
    key_file: Path,
    fault: str,
) -> None:
    if fault == "never_ends" and haproxy_version() < (2, 8):
        pytest.skip("HAProxy does not end such a loop")
    share = broken_share(tmp_path, "bearer", fault)
    vertex = with_key(standin, key_file)
    haproxy = launch(configuration(share=share, nbthread=1, vertex=vertex, environment=ON))
    token = standin.token()

    refused = post(haproxy, token, GLOBAL, x_goog_api_key=token)

    assert outcome(refused) == (503, "credential_unavailable")
    assert reached("bearer", fault) in haproxy.stderr
    assert not standin.requests(of="google")


def test_the_actions_leave_with_the_key(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    key_file: Path,
) -> None:
    haproxy = launch(bare(configuration(), vertex=with_key(standin, key_file)))

    answer = post(haproxy, standin.token(), GLOBAL)

    assert answer.status == 200 and shown(answer)["credential"] == "express"
    [(target, headers)] = sent(standin)
    assert target == f"{EXPRESS}:generateContent"
    assert headers["x-goog-api-key"] == KEY and "authorization" not in headers


def test_an_action_takes_no_key_for_another_role_s_request(
    configuration: Callable[..., Configuration],
    launch: Callable[..., Haproxy],
    standin: Standin,
    key_file: Path,
) -> None:
    rules = "\n".join(
        ["http-request lua.vertex-verify", "http-request lua.vertex-authorize"]
        + [
            f"http-request lua.vertex-sign {name} if {{ hdr(x-as) {name} }}"
            for name in ("express", "ml-prod")
        ]
        + ["http-request deny deny_status 410 unless { var(txn.vertex.signed) -m bool }"]
    )
    haproxy = launch(bare(configuration(), vertex=with_key(standin, key_file), rules=rules))
    status = {
        (target, name): post(haproxy, standin.token(), target, x_as=name).status
        for target in (GLOBAL, GENERATE)
        for name in ("express", "ml-prod")
    }
    assert status == {
        (GLOBAL, "express"): 200, (GLOBAL, "ml-prod"): 410,
        (GENERATE, "express"): 410, (GENERATE, "ml-prod"): 200,
    }  # fmt: skip
    assert len(sent(standin)) == 2


# What does not load: a change of the configuration or the environment, and what is told.
def listed(member: str, *values: str) -> Callable[[dict[str, Any]], object]:
    return lambda vertex: vertex["roles"][0]["may"].update({member: list(values)})


def the_credential(**members: object) -> Callable[[dict[str, Any]], object]:
    return lambda vertex: vertex["credentials"][1].update(members)


UNFIT: dict[str, tuple[Callable[[dict[str, Any]], object], dict[str, str], str]] = {
    "no switch": (lambda _: None, {}, "/credentials/1/type: no API key is sent: set VERTEX_API_KEYS=on"),
    "switch off": (lambda _: None, {"VERTEX_API_KEYS": "off"}, "set VERTEX_API_KEYS=on"),
    "switch of another word": (lambda _: None, {"VERTEX_API_KEYS": "yes"}, "on or off is wanted"),
    "another location": (
        listed("locations", "global", "us-central1"), ON,
        '/roles/0/may/locations/1: "us-central1" is not of Google\'s express mode',
    ),
    "all projects": (listed("projects", "acme-*"), ON, '/roles/0/may/projects/0: "acme-*"'),
    "two projects": (listed("projects", "acme-ml", "b"), ON, '/roles/0/may/projects/1: "b"'),
    "another publisher": (
        listed("models", "anthropic/claude-*"), ON, "/roles/0/may/models/0: ",
    ),
    "all models": (listed("models", "*"), ON, "google/ and a model is wanted"),
    "another method": (listed("methods", "embedContent"), ON, "/roles/0/may/methods/0: "),
    "all methods": (listed("methods", "*"), ON, "generateContent, streamGenerateContent, "),
    "without a role": (the_credential(without_role=True), ON, "/credentials/1/without_role: "),
    "scopes": (the_credential(scopes=["a"]), ON, "/credentials/1/scopes: "),
}  # fmt: skip


@pytest.mark.parametrize("what", UNFIT)
def test_what_express_mode_cannot_do_does_not_load(
    check: Callable[..., Check], standin: Standin, key_file: Path, what: str
) -> None:
    change, environment, told = UNFIT[what]
    vertex = with_key(standin, key_file)
    twin = check(vertex)
    assert twin.status == 0, twin.output
    change(vertex)
    refused = check(vertex, environment)
    assert refused.status != 0 and told in refused.output, refused.output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "an API key on a line of its own is wanted, as Google's console shows it"),
        ("two\nlines\n", "an API key on a line of its own is wanted"),
        ("{}", "not JSON"),
        ("ya29.a-token", "the type access_token is wanted"),
        ("AIza" + "x" * 600, "an API key on a line of its own is wanted"),
        ("AIza key", "an API key on a line of its own is wanted"),
    ],
    ids=["empty", "lines", "JSON", "token", "long", "blank"],
)
def test_a_file_that_holds_no_key_does_not_load(
    check: Callable[..., Check], standin: Standin, key_file: Path, text: str, told: str
) -> None:
    vertex = with_key(standin, key_file)
    assert check(vertex).status == 0
    key_file.write_text(text)
    refused = check(vertex)
    assert refused.status != 0 and told in refused.output and str(key_file) in refused.output
    assert "/credentials/1/file" in refused.output
    assert not text or text not in refused.output or text == "{}"
