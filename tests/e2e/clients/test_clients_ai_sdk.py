"""Vercel's AI SDK, unmodified, with the code of docs/callers.md."""

import json
import subprocess
from typing import Any

import pytest

from support.clients.callers import Callers
from support.clients.node import FOLDER, NODE
from support.clients.snippets import GATEWAY, snippet

CLAUDE = "claude-sonnet-4-5@20250929"
ASKED = {
    "Gemini": ('google("gemini-2.5-flash")', "Echo from gemini-2.5-flash: hello"),
    "Claude": (f'claude("{CLAUDE}")', f"Echo from {CLAUDE}: hello"),
}

# What an error of a stream is: without `onError` it is printed and lost.
_CALLS = """
const asked = { model: %s, prompt: "hello", maxRetries: 0 };
let why;
const calls = {
  unary: async () => (await generateText(asked)).text,
  stream: async () => {
    const { textStream } = streamText({ ...asked, onError: ({ error }) => { why = error; } });
    let text = "";
    for await (const part of textStream) text += part;
    if (why) throw why;
    return text;
  },
};
for (const name of ["unary", "stream"]) {
  try {
    console.log(JSON.stringify({ text: await calls[name]() }));
  } catch ({ name, message, statusCode, data }) {
    console.log(JSON.stringify({ name, message, statusCode, data }));
  }
}
"""


def say(callers: Callers, token: str, model: str) -> list[dict[str, Any]]:
    """Of a whole answer and of a stream: the text, or the error."""
    pieces = (snippet(heading, "javascript") for heading in ("@google/genai", "AI SDK"))
    code = "\n".join(pieces).replace(GATEWAY, callers.url)
    token_ = f"const freshToken = async () => {json.dumps(token)};\n"
    done = subprocess.run(
        [NODE, "--input-type=module", "--eval", token_ + code + _CALLS % model],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_gemini_whole_and_streamed(callers: Callers) -> None:
    asked, text = ASKED["Gemini"]

    assert say(callers, callers.token(), asked) == [{"text": text}] * 2

    lines = callers.logs.wait_for(2)
    assert [line["reason"] for line in lines] == ["ok", "ok"]
    assert {line["tokens"] for line in lines} == {"exact"}


def test_claude_whole(callers: Callers) -> None:
    asked, text = ASKED["Claude"]

    whole, streamed = say(callers, callers.token(), asked)

    assert whole == {"text": text}
    # It knows no event of Vertex's own. Where it learns of it, this is as with Gemini.
    assert streamed["name"] == "AI_TypeValidationError" and "vertex_event" in streamed["message"]
    assert callers.reasons() == ["ok", "ok"]


@pytest.mark.parametrize("model", ASKED)
def test_a_refusal_is_the_library_s_own_error_with_our_reason(
    callers: Callers, model: str
) -> None:
    asked, _ = ASKED[model]

    for error in say(callers, callers.stranger(), asked):
        assert (error["name"], error["statusCode"]) == ("AI_APICallError", 403), error
        assert "no role allows you this method" in error["message"]
        assert "role_none" in json.dumps(error)

    assert callers.reasons() == ["role_none", "role_none"]
