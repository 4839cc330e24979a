"""Claude Code with the settings of docs/callers.md."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.clients.callers import Callers
from support.clients.programs import Outside, Program, Said, installed, noise, run_without_room
from support.clients.snippets import GATEWAY, snippet
from support.expect.budget import hold, well_inside_an_hour
from support.world.standin import Standin

HEADING = "Claude Code"
EVERY_MS = "CLAUDE_CODE_API_KEY_HELPER_TTL_MS"
# What is due for renewal is used once more while its successor is fetched.
TURNS = 5
HAIKU = "claude-haiku-4-5@20251001"
SEARCH = "web_search_20250305"

Reach = Callable[..., Callers]
Begin = Callable[[Callers], Program]


@pytest.fixture
def begin(tmp_path: Path, outside: Outside) -> Begin:
    """`begin(callers)`: Claude Code of somebody who may use it."""
    package = "@anthropic-ai/claude-code"  # that of the platform holds the program
    script = installed(f"{package}/cli-wrapper.cjs", f"{package}-*/claude")

    def one(callers: Callers) -> Program:
        program = Program(script, tmp_path, outside)
        settings = snippet(HEADING, "json").replace(GATEWAY, callers.url)
        (tmp_path / ".claude").mkdir()
        (tmp_path / ".claude" / "settings.json").write_text(settings)
        program.holds(callers.token())
        return program

    return one


def change(claude: Program, **env: str) -> None:
    """Other variables than those of the page."""
    file = claude.home / ".claude" / "settings.json"
    settings = json.loads(file.read_text())
    assert settings["env"].keys() >= env.keys()
    file.write_text(json.dumps(settings | {"env": settings["env"] | env}))


def answered(said: Said, text: str) -> None:
    assert said.status == 0 and said.errors == "", said
    model, _, echo = said.text.partition(": ")
    assert model.startswith("Echo from claude-"), said
    assert echo.startswith(text), said


def expired(callers: Callers) -> str:
    return callers.standin.token({"groups": ["ml"]}, iat_offset=-7200)


def test_a_first_answer(reach: Reach, begin: Begin) -> None:
    callers = reach()

    answered(begin(callers).run("-p", "hello"), "hello\n")

    [line] = callers.logs.wait_for(callers.requests)
    assert (line["reason"], line["method"]) == ("ok", "streamRawPredict")
    assert (line["tokens"], line["finish"]) == ("exact", "end_turn")
    assert int(line["prompt_bytes"]) > 40_000  # longer than the buffer
    assert callers.seen()["target"].startswith(
        "/v1/projects/acme-ml/locations/us-central1/publishers/anthropic/models/claude-"
    )


def test_a_token_in_a_variable(reach: Reach, begin: Begin) -> None:
    callers = reach()
    claude = begin(callers)
    claude.before = snippet(HEADING, "sh")
    file = claude.home / ".claude" / "settings.json"
    settings = json.loads(file.read_text())
    del settings["apiKeyHelper"]
    file.write_text(json.dumps(settings))

    answered(claude.run("-p", "hello"), "hello\n")
    assert callers.reasons() == ["ok"]


def test_claudes_own_paths(reach: Reach, begin: Begin) -> None:
    """As it speaks to Anthropic: no project, and the model in the body."""
    callers = reach(default={"project": "acme-ml", "location": "us-central1"})
    claude = begin(callers)
    file = claude.home / ".claude" / "settings.json"
    settings = json.loads(file.read_text())
    off = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "CLAUDE_CODE_ENABLE_TELEMETRY": "0"}
    file.write_text(json.dumps(settings | {"env": off | {"ANTHROPIC_BASE_URL": callers.url}}))
    note = claude.work / "note.txt"
    note.write_text("words of a file")

    answered(claude.run("-p", f'call Read {{"file_path": "{note}"}}'), "1\twords of a file\n")

    assert callers.fields("finish") == ["tool_use", "end_turn"]
    lines = callers.logs.in_order(callers.requests)
    assert all("POST /v1/messages" in line.path for line in lines)
    assert {(line["project"], line["tokens"]) for line in lines} == {("acme-ml", "exact")}


def test_a_tool_loop(reach: Reach, begin: Begin) -> None:
    callers = reach()
    claude = begin(callers)
    file = claude.work / "note.txt"
    file.write_text("words of a file")

    said = claude.run("-p", f'call Read {{"file_path": "{file}"}}')

    answered(said, "1\twords of a file\n")
    assert callers.fields("finish") == ["tool_use", "end_turn"]
    assert callers.reasons() == ["ok", "ok"]


def test_a_picture(reach: Reach, begin: Begin) -> None:
    callers = reach()
    claude = begin(callers)
    file, picture = claude.work / "noise.png", noise(200)
    file.write_bytes(picture)

    said = claude.run("-p", f'call Read {{"file_path": "{file}"}}')

    text = base64.b64encode(picture).decode()
    answered(said, f'[{{"source":{{"data":"{text[:1000]}')
    assert callers.reasons() == ["ok", "ok"]
    assert int(callers.fields("prompt_bytes")[1]) > len(text)


def test_300_kb_piped(reach: Reach, begin: Begin) -> None:
    callers = reach()

    said = begin(callers).run("-p", "hello", stdin=b"many words " * 30_000)

    answered(said, "hello\nmany words many words ")
    [line] = callers.logs.wait_for(callers.requests)
    assert line["reason"] == "ok" and int(line["prompt_bytes"]) > 330_000


def test_tokens_are_counted(reach: Reach, begin: Begin) -> None:
    callers = reach()

    said = begin(callers).run("-p", "/context")

    assert said.status == 0 and "| System prompt |" in said.text, said
    lines = callers.logs.wait_for(callers.requests)
    assert {(line["reason"], line["method"]) for line in lines} == {("ok", "countTokens")}


# Its tools for the web are deferred: the first run loads this one, the second goes on.
@pytest.mark.parametrize("granted", [False, True], ids=["refused", "granted"])
def test_a_tool_of_google_s(reach: Reach, begin: Begin, granted: bool) -> None:
    callers = reach(may={"tools": [SEARCH]} if granted else {})
    claude = begin(callers)
    loaded = claude.run("-p", 'call ToolSearch {"query": "select:WebSearch"}')
    answered(loaded, '[{"tool_name":"WebSearch"')

    call = 'call WebSearch {"query": "what is new"}'
    said = claude.run("--continue", "-p", call, "--allowedTools", "WebSearch")

    assert said.status == 0, said
    refused = f"no role allows you what the body asks for: tools: {SEARCH} (body_not_allowed)"
    assert (refused in said.text) is not granted
    asked, used, searched, told = callers.fields("reason")[-4:]
    assert (asked, used, told) == ("ok", "ok", "ok")
    assert searched == ("ok" if granted else "body_not_allowed")


def test_an_expired_token_is_renewed(reach: Reach, begin: Begin) -> None:
    callers = reach()
    claude = begin(callers)
    claude.holds(expired(callers), callers.token())

    answered(claude.run("-p", "hello"), "hello\n")
    assert callers.reasons() == ["token_expired", "ok"]


def test_a_token_that_stays_expired_is_told(reach: Reach, begin: Begin) -> None:
    callers = reach()
    claude = begin(callers)
    claude.holds(expired(callers))

    said = claude.run("-p", "hello")

    assert said.status == 1
    assert "API Error: 401 the token has expired (token_expired)" in said.text
    assert callers.reasons() == ["token_expired"] * 3


@pytest.mark.parametrize("often", [False, True], ids=["kept", "renewed"])
def test_a_long_session_renews_its_token_ahead_of_its_end(
    reach: Reach, begin: Begin, often: bool
) -> None:
    callers = reach()
    claude = begin(callers)
    if often:
        change(claude, **{EVERY_MS: "1"})
    people = [f"holder-{number}" for number in range(TURNS)]
    claude.holds(*(callers.standin.token({"groups": ["ml"], "sub": who}) for who in people))

    conversation = ("--input-format", "stream-json", "--output-format", "stream-json")
    running = claude.start("-p", "--verbose", *conversation, stdin=None)
    for _ in range(TURNS):
        running.say(json.dumps({"type": "user", "message": {"role": "user", "content": "hello"}}))
        assert not json.loads(running.hear('"type":"result"'))["is_error"]
    assert running.end().status == 0

    assert callers.reasons() == ["ok"] * TURNS
    assert (len(set(callers.fields("principal"))) > 1) is often


def test_a_limit_that_soon_has_room_is_waited_for(
    reach: Reach, begin: Begin, standin: Standin
) -> None:
    callers = reach(limits={"parallel_requests": 1})
    said = run_without_room(begin(callers), callers, standin)
    answered(said, "hello\n")


def test_a_limit_that_has_no_room_for_long_is_told(reach: Reach, begin: Begin) -> None:
    callers = reach(limits={"requests_per_hour": 1})
    well_inside_an_hour()
    connection, head = hold(callers.haproxy, callers.token())
    connection.close()
    assert head.status == 200

    said = begin(callers).run("-p", "hello")

    assert said.status == 1
    assert "all 1 requests an hour are used; try again in " in said.text
    assert sorted(callers.reasons()) == ["limit_requests", "ok"]


def test_a_stranger_is_told(reach: Reach, begin: Begin) -> None:
    callers = reach()
    claude = begin(callers)
    claude.holds(callers.stranger())

    said = claude.run("-p", "hello", "--model", HAIKU)

    assert said.status == 1
    assert "API Error: 403 no role allows you this method on this model" in said.text
    assert callers.reasons() == ["role_none"]


def test_without_a_model_s_name_it_looks_for_one_that_it_may_have(
    reach: Reach, begin: Begin
) -> None:
    callers = reach(may={"models": ["anthropic/claude-opus-4-1@*"]})

    answered(begin(callers).run("-p", "hello"), "hello\n")

    reasons, models = callers.fields("reason"), callers.fields("model")
    assert (reasons[0], reasons[-1]) == ("role_none", "ok")
    refused = {model for reason, model in zip(reasons, models, strict=True) if reason != "ok"}
    assert len(refused) > 1
