"""Bodies that are longer than HAProxy's buffer: judged piece by piece, wherever they are cut."""

from support.wire.calls import GENERATE

from bypass.bodies import BAD, CHAT, GOOD, MARK, NO_JSON, NOT_ALLOWED
from bypass.pair import BOTH, NEUTRALISED, Harm, Kind, Pair, Request, Seen, body_arrives

PIECES = Kind("long bodies, a tool in each piece", checks=("tools",))
CUTS = Kind("long bodies, a tool cut at each byte", checks=("tools",))
ADDRESSES = Kind("long bodies, an address cut at each byte", checks=("file_uris",))
MODELS = Kind("long bodies, another model", checks=("BodyModel",))
TWICE = Kind("long bodies, names far apart", checks=("NamesOnce",))
# Two layers: such a body has no end that counts.
SYNTAX = Kind("long bodies, no JSON", checks=("StrictJson", "BodyEnds"))
BEHIND = Kind("long bodies, behind their end", checks=("BehindBody",))
UNENDED = Kind("long bodies, without their end", checks=("BodyEnds",))
CAPS = Kind("long bodies, limits on output", checks=("max_output_tokens",))
LENGTHS = Kind("long bodies, longer than allowed", checks=("max_request_bytes",))
TRAILERS = Kind("long bodies, trailers", rules=("trailers",), since=(3, 2))

KINDS = [
    PIECES, CUTS, ADDRESSES, MODELS, TWICE, SYNTAX, BEHIND, UNENDED, CAPS, LENGTHS, TRAILERS,
]  # fmt: skip

PROMPT = b'"contents":[{"role":"user","parts":[{"text":"hi"}]}]'
# HAProxy's buffer holds 28,672 bytes of a request.
PIECE = 27_000
MOST_OF_TWO = 50_000


def fill(name: str, length: int) -> bytes:
    return b'"%b":"%b"' % (name.encode(), b"z" * length)


def whole(*members: bytes) -> bytes:
    return b"{" + b",".join(members) + b"}"


def in_piece(number: int, member: bytes) -> bytes:
    """A body of five pieces, the member in this one of them."""
    members = [PROMPT, *(fill(f"a{n}", PIECE) for n in range(5))]
    members.insert(number, member)
    return whole(*members)


def behind_two(*members: bytes) -> bytes:
    return whole(PROMPT, fill("a", MOST_OF_TWO), *members)


def long(
    kind: Kind,
    name: str,
    attack: bytes,
    twin: bytes,
    expect: str = NO_JSON,
    harm: Harm | None = None,
    framings: tuple[bool, ...] = (False, True),
    over: tuple[str, ...] = BOTH,
    **more: object,
) -> None:
    """`framings`: with Content-Length, and in chunks."""
    for chunked in framings:
        sent = Request(body=attack, chunked=chunked, **more)  # type: ignore[arg-type]
        kind.pairs.append(
            Pair(
                kind.name,
                f"{name}, in chunks" if chunked else name,
                sent,
                sent.but(body=twin, cuts=tuple(min(cut, len(twin)) for cut in sent.cuts)),
                expect,
                harm or body_arrives(attack),
                over=over,
            )
        )


def cut(kind: Kind, bad: bytes, good: bytes, expect: str, step: int = 1, **more: object) -> None:
    """A member that is cut at each of its bytes."""
    attack, twin = behind_two(bad, fill("b", 10)), behind_two(good, fill("b", 10))
    start = attack.index(bad)
    for at in range(1, len(bad), step):
        cuts = (start - 5, start + at)
        name = f"{bad[:at].decode()}|{bad[at:].decode()}"
        long(kind, name, attack, twin, expect, framings=(at % 2 == 0,), cuts=cuts, **more)


SEARCH, OWN = b'"tools":[{"googleSearch":{}}]', b'"tools":[{"functionDeclarations":[]}]'
ESCAPED = b'"t\\u006fols":[{"\\u0067oogleSearch":{}}]'
for number in range(7):
    long(
        PIECES,
        f"number {number}",
        in_piece(number, SEARCH),
        in_piece(number, OWN),
        NOT_ALLOWED,
    )
cut(CUTS, SEARCH, OWN, NOT_ALLOWED)
cut(CUTS, ESCAPED, OWN, NOT_ALLOWED)
FILE = b'"x":{"fileData":{"fileUri":"gs://%b/in/y"}}'
cut(ADDRESSES, FILE % b"evil", FILE % b"acme-docs", NOT_ALLOWED, group="docs")

MODEL = b'"model":"google/%b"'
cut(MODELS, MODEL % BAD.encode(), MODEL % GOOD.encode(), "model_mismatch", step=2)
ROUTING = b'"generationConfig":{"routingConfig":{"%bMode":{"modelName":"%b"}}}'
long(
    MODELS,
    "chosen by Google, at the end",
    behind_two(ROUTING % (b"manual", BAD.encode())),
    behind_two(ROUTING % (b"manual", GOOD.encode())),
    "model_mismatch",
)
long(
    MODELS,
    "one of a batch, at the end",
    behind_two(b'"requests":[{"model":"google/%b"}]' % BAD.encode()),
    behind_two(b'"requests":[{"model":"google/%b"}]' % GOOD.encode()),
    "model_mismatch",
)
MESSAGES = b'"messages":[{"role":"user","content":"%b"}]' % (b"w" * MOST_OF_TWO)

FAR = 10_000_000
for name, first, second, once in (
    ("alike", b'"tools":[]', b'"tools":[]', b'"labels":{}'),
    ("escaped", b'"tools":[]', b'"t\\u006fols":[]', b'"labels":{}'),
    ("in two spellings", b'"generationConfig":{}', b'"generation_config":{}', b'"labels":{}'),
    ("the contents", b'"labels":{}', PROMPT, b'"tools":[]'),
    ("the model", MODEL % GOOD.encode(), MODEL % GOOD.encode(), b'"labels":{}'),
):
    long(
        TWICE,
        f"10 MB, {name}",
        whole(first, PROMPT, fill("a", FAR), second),
        whole(first, PROMPT, fill("a", FAR), once),
        framings=(name == "alike",),
        over=("1.1",),
    )
    long(
        TWICE,
        name,
        whole(first, PROMPT, fill("a", 100_000), second),
        whole(first, PROMPT, fill("a", 100_000), once),
    )
long(
    TWICE,
    "the model of a chat, the bad one last",
    whole(MODEL % GOOD.encode(), MESSAGES, MODEL % BAD.encode()),
    whole(MODEL % GOOD.encode(), MESSAGES),
    target=CHAT,
)

LAST = behind_two(b'"b":"%b"')
for name, text in {
    "a byte that is no UTF-8": b"\xff",
    "half of a character": b"\xc3",
    "a surrogate in UTF-8": b"\xed\xa0\x80",
    "half of a surrogate pair": b"\\ud83d",
    "a pair the wrong way round": b"\\ude00\\ud83d",
    "an escape of no kind": b"\\x41",
    "a NUL": b"\0",
    "a line end": b"\n",
}.items():
    long(SYNTAX, name, LAST % text, LAST % b"\\ud83d\\ude00")
GOOD_BODY = behind_two(SEARCH.replace(b"googleSearch", b"functionDeclarations"))
for name, bad in {
    "a byte order mark": MARK + GOOD_BODY,
    "a comma too many": GOOD_BODY[:-1] + b",}",
    "a name without quotes": behind_two(b"tools:1"),
    "a comment": behind_two(b'/**/"b":1'),
    "a list around it": b"[" + GOOD_BODY + b"]",
    "too deep": behind_two(b'"b":' + b"[" * 127 + b"]" * 127),
}.items():
    long(SYNTAX, name, bad, GOOD_BODY)
# Cut in the middle of what is one character.
for name, text in {
    "surrogates": b"\\ud83d\\ude00", "a character of four bytes": b"\xf0\x9f\x98\x80",
}.items():  # fmt: skip
    start = LAST.index(b"%b")
    for at in range(1, len(text)):
        long(
            SYNTAX,
            f"{name}, cut at {at}, and one that is half",
            LAST % (text + text[:-1]),
            LAST % text,
            framings=(at % 2 == 0,),
            cuts=(start, start + at),
        )

SPACES = b" " * 60_000
for name, more in {
    "another body": GOOD_BODY,
    "a tool": whole(SEARCH),
    "a brace": b"}",
    "a NUL": b"\0",
    "a vertical tab": b"\x0b",
    "a byte order mark": MARK,
    "a megabyte of white space and a comma": SPACES * 16 + b",",
}.items():
    long(BEHIND, name, GOOD_BODY + SPACES + more, GOOD_BODY + SPACES)
END = len(GOOD_BODY)
long(BEHIND, "a brace, by itself", GOOD_BODY + b"}", GOOD_BODY + b" ", cuts=(END - 1, END))

for name, bad in {
    "no brace": GOOD_BODY[:-1],
    "in a text": GOOD_BODY[: MOST_OF_TWO // 2 + 20_000],
    "white space instead of a brace": GOOD_BODY[:-1] + SPACES,
    "nothing but white space": b" " * 100_000,
}.items():
    long(UNENDED, name, bad, GOOD_BODY, framings=(True,))

LIMIT = b'"generationConfig":{"maxOutputTokens":%d}'
for name, bad in {
    "a higher one, last": behind_two(LIMIT % 1001),
    "none": behind_two(b'"generationConfig":{}'),
    "one of another name": behind_two(b'"generationConfig":{"max_tokens":10}'),
}.items():
    long(CAPS, name, bad, behind_two(LIMIT % 1000), NOT_ALLOWED, group="short")

SHORT = whole(PROMPT)
for name, bad, good in (
    ("declared or not", behind_two(b'"b":1'), SHORT),
    ("a short body in white space", SHORT + SPACES, SHORT + b" "),
):
    honest = Request(body=good, group="small")
    for chunked in (False, True):
        LENGTHS.pairs.append(
            Pair(
                LENGTHS.name,
                f"{name}, in chunks" if chunked else name,
                honest.but(body=bad, chunked=chunked),
                honest,
                NOT_ALLOWED,
                body_arrives(bad),
            )
        )


def has_trailers(seen: Seen) -> bool:
    return bool(seen.record["trailers"])


for name, trailers in {
    "another project": (("x-goog-user-project", "victim"),),
    "another credential": (("authorization", "Bearer evil"),),
    "several": (("x-a", "b"), ("x-goog-fieldmask", "name")),
}.items():
    TRAILERS.pairs.append(
        Pair(
            TRAILERS.name,
            name,
            Request(target=GENERATE, body=GOOD_BODY, trailers=trailers),
            Request(target=GENERATE, body=GOOD_BODY),
            NEUTRALISED,
            has_trailers,
            since=(3, 2),
        )
    )
