"""Headers that stand twice, on several lines, or say where a request ends and in which protocol."""

from support.wire.calls import BODY

from bypass.headers import HEADER_LAYERS, REFUSED, header
from bypass.pair import (
    HOST,
    MARK,
    NEUTRALISED,
    Harm,
    Kind,
    Pair,
    Request,
    Seen,
    header_has,
    header_is_there,
    is_marked,
    mark,
)

UPGRADE = Kind("upgrade and framing", **HEADER_LAYERS)
CREDENTIALS = Kind("duplicate credentials", checks=("OneCredential",))
TWICE = Kind("duplicate headers", checks=("HeadersOnce", "JsonType"))
FOLDED = Kind("folded headers", checks=("ForbiddenHeaders", "JsonType"), rules=("headers",))

KINDS = [CREDENTIALS, TWICE, FOLDED, UPGRADE]

# {token} is the caller's own; it stands in Authorization already. Google sees neither, so what
# escaped is told by a mark that passes.
DUPLICATE = "token_duplicate"
for name, value in {
    "authorization": "Bearer {token}",
    "x-goog-api-key": "{token}",
    "x-api-key": "{token}",
}.items():
    header(
        CREDENTIALS,
        f"another in {name}",
        (name, f"{value}x"),
        MARK,
        expect=DUPLICATE,
        twin=((name, value),),
        harm=is_marked,
    )
header(
    CREDENTIALS,
    "Google's own",
    ("x-goog-api-key", "AIzaSyA"),
    MARK,
    expect=DUPLICATE,
    twin=(("x-goog-api-key", ""),),
    harm=is_marked,
)

SMUGGLE = "application/json; charset=utf-7"


def two_types(seen: Seen) -> bool:
    return len(seen.all("content-type")) > 1


header(TWICE, "two media types", ("content-type", SMUGGLE), expect=REFUSED, harm=two_types)
header(
    TWICE,
    "the same media type",
    ("content-type", "application/json"),
    expect=REFUSED,
    harm=two_types,
)
header(TWICE, "an empty media type", ("content-type", ""), expect=REFUSED, harm=two_types)
header(
    TWICE,
    "two lengths",
    ("content-length", "3"),
    expect=HOST,
    harm=header_has("content-length", "3"),
)
header(
    TWICE,
    "two hosts",
    ("host", "evil.example"),
    expect=HOST,
    over_h2=NEUTRALISED,
    harm=header_has("host", "evil"),
)


def folded(
    title: str, lines: bytes, expect: str, harm: Harm, other: tuple[str, ...] = (), **more: object
) -> None:
    attack = Request(raw_lines=lines, **more)  # type: ignore[arg-type]
    FOLDED.pairs.append(
        Pair(
            FOLDED.name,
            title,
            attack,
            Request(),
            expect,
            harm,
            over=("1.1",),
            other_haproxies=other,
        )
    )


folded(
    "a method override",
    b"x-http-method-override:\r\n DELETE\r\n",
    REFUSED,
    header_is_there("x-http-method-override"),
)
folded(
    "a field mask by tab",
    b"x-goog-fieldmask:\r\n\tcandidates\r\n",
    REFUSED,
    header_is_there("x-goog-fieldmask"),
)
folded(
    "a project",
    b"x-goog-user-project:\r\n victim\r\n",
    NEUTRALISED,
    header_is_there("x-goog-user-project"),
)
folded(
    "a charset",
    b"content-type: application/json;\r\n charset=utf-7\r\n",
    "body_not_json",
    header_has("content-type", "utf-7"),
    media=(),
)
folded(
    "a header inside a value",
    b"x-a: b\r\n x-goog-fieldmask: name\r\n",
    NEUTRALISED,
    header_is_there("x-a"),
)
folded(
    "a blank before the colon",
    b"x-goog-fieldmask : name\r\n",
    HOST,
    header_is_there("x-goog-fieldmask"),
)
folded("a name without colon", b"x-goog-fieldmask\r\n", HOST, header_is_there("x-goog-fieldmask"))
folded(
    "a bare line feed",
    b"x-a: b\nx-goog-fieldmask: name\r\n",
    REFUSED,
    header_is_there("x-goog-fieldmask"),
)
folded(
    "a NUL before another header",
    b"x-a: b\0\r\nx-goog-fieldmask: name\r\n",
    REFUSED,
    header_is_there("x-a"),
    (HOST,),
)

header(
    UPGRADE,
    "to a WebSocket",
    ("upgrade", "websocket"),
    ("connection", "upgrade"),
    over_h2=HOST,
    other_haproxies=(HOST,),
)
header(
    UPGRADE,
    "without Connection",
    ("upgrade", "websocket"),
    expect=REFUSED,
    over_h2=HOST,
    other_haproxies=(NEUTRALISED,),
)
header(
    UPGRADE,
    "to HTTP/2",
    ("http2-settings", "AAMAAABk"),
    ("upgrade", "h2c"),
    expect=REFUSED,
    over_h2=HOST,
)
header(UPGRADE, "settings of HTTP/2 alone", ("http2-settings", "AAMAAABk"), expect=REFUSED)

INSIDE = b"0\r\n\r\nPOST /v1/x HTTP/1.1\r\nhost: a\r\n\r\n"


def framing(
    title: str,
    *pairs: tuple[str, str],
    expect: str = HOST,
    body: bytes = INSIDE,
    harm: Harm = is_marked,
    **more: object,
) -> None:
    attack = mark(Request(headers=pairs, body=body, **more))  # type: ignore[arg-type]
    UPGRADE.pairs.append(
        Pair(UPGRADE.name, title, attack, Request(), expect, harm, over=("1.1",))
    )


framing(
    "chunks and a length",
    ("transfer-encoding", "chunked"),
    expect=NEUTRALISED,
    body=b"2\r\n{}\r\n0\r\n\r\n",
    harm=lambda seen: not (seen.holds(b"{}") or seen.holds(BODY)),
)
framing("chunks in another coding", ("transfer-encoding", "gzip, chunked"))
framing("chunks twice", ("transfer-encoding", "chunked, chunked"))
framing("chunks that are none", ("transfer-encoding", "xchunked"))
framing("a length with a sign", ("content-length", "+3"))
framing("a list of lengths", ("content-length", "3, 4"))
framing("a length in hexadecimal", ("content-length", "0x3"))
