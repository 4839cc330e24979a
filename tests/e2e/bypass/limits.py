"""Limits of a role: one that is set where nobody looks limits nothing."""

from support.wire.calls import BODY

from bypass.bodies import CHAT, CONTENTS
from bypass.models import CLAUDE, GOOD
from bypass.pair import Kind, Pair, Request, dumps, is_marked, mark
from bypass.terms import NOT_ALLOWED, term

TOKENS = Kind("limit on output tokens", checks=("max_output_tokens",))
BYTES = Kind("limit on bytes", checks=("max_request_bytes",))

KINDS = [TOKENS, BYTES]


def limit(
    tokens: object, name: str = "maxOutputTokens", of: str = "generationConfig"
) -> dict[str, object]:
    return {of: {name: tokens}}


LIMITED = limit(1000)
short = {"group": "short"}
term(TOKENS, "none", {}, LIMITED, **short)
term(TOKENS, "a higher one", limit(1001), LIMITED, **short)
term(TOKENS, "a higher one as a text", limit("1001"), limit("1000"), **short)
term(
    TOKENS,
    "a higher one with an exponent",
    b'{"generationConfig":{"maxOutputTokens":1e9}}',
    b'{"generationConfig":{"maxOutputTokens":1e3}}',
    **short,
)
term(
    TOKENS,
    "in the other spelling",
    limit(9999, "max_output_tokens", "generation_config"),
    limit(9, "max_output_tokens", "generation_config"),
    **short,
)
term(TOKENS, "a negative one", limit(-1), LIMITED, **short)
term(TOKENS, "nothing as one", limit(None), LIMITED, **short)
term(
    TOKENS,
    "elsewhere",
    {"contents": CONTENTS, "labels": {"maxOutputTokens": "9"}},
    LIMITED,
    **short,
)
chat = {"model": f"google/{GOOD}"}
term(
    TOKENS,
    "of OpenAI's shape",
    {**chat, "max_tokens": 9, "max_completion_tokens": 9999},
    {**chat, "max_tokens": 9},
    CHAT,
    **short,
)
term(
    TOKENS,
    "where OpenAI's shape has none",
    {**chat, **limit(9)},
    {**chat, "max_completion_tokens": 9},
    CHAT,
    **short,
)
term(
    TOKENS,
    "where Claude has none",
    {**limit(9, of="parameters")},
    {"max_tokens": 9},
    CLAUDE,
    **short,
)
term(TOKENS, "where Gemini has none", {"max_tokens": 9}, LIMITED, **short)

for spelling in ("GenerationConfig", "generationconfig", "GENERATION_CONFIG"):
    term(TOKENS, f"in {spelling}", limit(9, of=spelling), LIMITED, **short)
term(TOKENS, "as MaxOutputTokens", limit(9, "MaxOutputTokens"), LIMITED, **short)
for spelling in ("Max_Tokens", "maxTokens"):
    term(TOKENS, f"of OpenAI's shape, as {spelling}", {**chat, spelling: 9}, {**chat, "max_tokens": 9}, CHAT, **short)

two = {"generationConfig": {"maxOutputTokens": 600, "candidateCount": 2}}
one = {"generationConfig": {"maxOutputTokens": 600, "candidateCount": 1}}
term(TOKENS, "of two answers together", two, one, **short)
term(
    TOKENS,
    "of two answers of OpenAI's shape",
    {**chat, "max_tokens": 600, "n": 2},
    {**chat, "max_tokens": 600, "n": 1},
    CHAT,
    **short,
)

LONG = {"contents": [{"role": "user", "parts": [{"text": "x" * 600}]}]}
small = {"group": "small"}
term(BYTES, "longer", LONG, **small)
term(BYTES, "longer by blanks", b" " * 600 + BODY, **small)
for name, change in {
    "in chunks": {"chunked": True},
    "in chunks and longer": {"chunked": True, "body": dumps(LONG)},
}.items():
    honest = Request(group="small")
    attack = mark(honest.but(**change))
    BYTES.pairs.append(Pair(BYTES.name, name, attack, honest, NOT_ALLOWED, is_marked))
