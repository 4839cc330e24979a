"""gemini-cli with the settings of docs/callers.md."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.clients.callers import Callers
from support.clients.programs import Outside, Program, Said, installed, noise, run_without_room
from support.clients.snippets import GATEWAY, snippet
from support.world.standin import Standin

HEADING = "gemini-cli"
MODEL = "gemini-2.5-flash"
MODELS = "/v1beta1/projects/acme-ml/locations/us-central1/publishers/google/models"
IN_HEADER = "GEMINI_CLI_CUSTOM_HEADERS"

Reach = Callable[..., Callers]
Begin = Callable[..., Program]


def by_key(lines: str) -> str:
    """The same with the token as an API key: the paths then name no project."""
    kept = [line for line in lines.splitlines() if line.startswith("export GOOGLE_GENAI")]
    return "\n".join([*kept, 'export GOOGLE_API_KEY="$(fresh-token)"'])


@pytest.fixture
def begin(tmp_path: Path, outside: Outside) -> Begin:
    """`begin(callers)`: gemini-cli of somebody who may use it; `change` is made to what is exported."""
    script = installed("@google/gemini-cli/bundle/gemini.js")

    def one(callers: Callers, change: Callable[[str], str] = str) -> Program:
        lines = change(snippet(HEADING, "sh").replace(GATEWAY, callers.url))
        program = Program(script, tmp_path, outside, before=lines)
        program.environment["GEMINI_CLI_TRUST_WORKSPACE"] = "true"
        (tmp_path / ".gemini").mkdir()
        (tmp_path / ".gemini" / "settings.json").write_text(snippet(HEADING, "json"))
        program.holds(callers.token())
        return program

    return one


def answered(said: Said, text: str) -> None:
    assert said.status == 0, said
    assert f"Echo from {MODEL}: {text}" in said.text, said


def test_a_first_answer(reach: Reach, begin: Begin) -> None:
    callers = reach()

    answered(begin(callers).run("-p", "hello"), "hello")

    [line] = callers.logs.wait_for(callers.requests)
    assert (line["reason"], line["method"]) == ("ok", "streamGenerateContent")
    assert (line["tokens"], line["finish"]) == ("exact", "STOP")
    assert callers.seen()["target"] == f"{MODELS}/{MODEL}:streamGenerateContent?alt=sse"


def test_a_token_as_api_key(reach: Reach, begin: Begin) -> None:
    callers = reach(default={"project": "acme-ml", "location": "us-central1"})
    gemini = begin(callers, by_key)
    (gemini.work / "note.txt").write_text("words of a file")

    answered(gemini.run("-p", "hello"), "hello")
    assert callers.seen()["target"] == f"{MODELS}/{MODEL}:streamGenerateContent?alt=sse"
    said = gemini.run("-p", 'call read_file {"file_path": "note.txt"}')

    assert said.status == 0 and '"response":{"output":"words of a file"}' in said.text, said
    assert callers.reasons() == ["ok", "ok", "ok"]
    came = f"/v1beta1/publishers/google/models/{MODEL}:streamGenerateContent"
    assert all(came in line.path for line in callers.logs.in_order(callers.requests))


def test_a_token_as_api_key_without_a_default_is_told(reach: Reach, begin: Begin) -> None:
    callers = reach()

    said = begin(callers, by_key).run("-p", "hello")

    assert said.status != 0 and "no project in the path" in said.errors, said
    assert set(callers.reasons()) == {"route_unknown"}


def test_a_tool_loop(reach: Reach, begin: Begin) -> None:
    callers = reach()
    gemini = begin(callers)
    (gemini.work / "note.txt").write_text("words of a file")

    said = gemini.run("-p", 'call read_file {"file_path": "note.txt"}')

    assert said.status == 0 and '"response":{"output":"words of a file"}' in said.text, said
    assert callers.reasons() == ["ok", "ok"]


def test_a_picture_whose_tokens_are_counted(reach: Reach, begin: Begin) -> None:
    callers = reach()
    gemini = begin(callers)
    picture = noise(200)
    (gemini.work / "noise.png").write_bytes(picture)

    said = gemini.run("-p", "@noise.png what is it")

    assert said.status == 0 and f"Echo from {MODEL}: " in said.text, said
    assert callers.fields("method") == ["countTokens", "streamGenerateContent"]
    assert callers.reasons() == ["ok", "ok"]
    for size in callers.fields("prompt_bytes"):
        assert int(size) > len(picture) * 4 / 3


def test_300_kb_piped(reach: Reach, begin: Begin) -> None:
    callers = reach()
    lines = "".join(f"line {number}\n" for number in range(30_000))

    answered(begin(callers).run("-p", "hello", stdin=lines.encode()), "line 0\nline 1\n")

    [line] = callers.logs.wait_for(callers.requests)
    assert line["reason"] == "ok" and int(line["prompt_bytes"]) > 300_000


@pytest.mark.parametrize("granted", [False, True], ids=["refused", "granted"])
def test_a_tool_of_google_s(reach: Reach, begin: Begin, granted: bool) -> None:
    callers = reach(may={"tools": ["googleSearch"]} if granted else {})

    said = begin(callers).run("-p", 'call google_web_search {"query": "what is new"}')

    refused = "no role allows you what the body asks for: tools: googleSearch"
    assert (refused in said.text) is not granted
    asked, searched, told = callers.fields("reason")
    assert (asked, told) == ("ok", "ok")
    assert searched == ("ok" if granted else "body_not_allowed")


def test_an_expired_token_is_told_and_the_session_goes_on_with_another(
    reach: Reach, begin: Begin
) -> None:
    callers = reach()
    gemini = begin(callers)
    gemini.holds(callers.standin.token({"groups": ["ml"]}, iat_offset=-7200))

    said = gemini.run("-p", "hello")

    assert said.status != 0
    assert "the token has expired" in said.errors
    assert callers.reasons() == ["token_expired"]

    gemini.holds(callers.token())
    answered(gemini.run("--resume", "latest", "-p", "again"), "again")
    assert callers.reasons() == ["token_expired", "ok"]


def test_a_stranger_is_told(reach: Reach, begin: Begin) -> None:
    callers = reach()
    gemini = begin(callers)
    gemini.holds(callers.stranger())

    said = gemini.run("-p", "hello")

    assert said.status != 0
    assert "no role allows you this method on this model" in said.errors
    assert callers.reasons() == ["role_none"]


def test_a_limit_that_soon_has_room_is_waited_for(
    reach: Reach, begin: Begin, standin: Standin
) -> None:
    callers = reach(limits={"parallel_requests": 1})
    said = run_without_room(begin(callers), callers, standin)
    answered(said, "hello")
