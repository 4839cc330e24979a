"""What only HTTP/2 can say: pseudo-headers, and headers that have no meaning there."""

from support.wire.calls import GENERATE, OTHER_MODEL

from bypass.pair import HOST, NEUTRALISED, Harm, Kind, Pair, Request, header_has, is_marked, mark

PSEUDO = Kind("HTTP/2 pseudo-headers", rules=("host",))

KINDS = [PSEUDO]

NORMAL = {
    ":method": "POST", ":scheme": "https", ":authority": "gateway.example", ":path": GENERATE,
}  # fmt: skip
evil_host = header_has("host", "evil")


def pseudo(
    title: str, expect: str, harm: Harm = is_marked, *more: tuple[str, str], **changed: str | None
) -> None:
    """`changed` by name without colon; None leaves one out. `more` stands behind."""
    named = NORMAL | {f":{name}": value for name, value in changed.items()}
    given = tuple((name, value) for name, value in named.items() if value is not None)
    attack = Request(pseudo=(*given, *more))
    # Younger HAProxys refuse an authority that is none themselves.
    PSEUDO.pairs.append(
        Pair(
            PSEUDO.name,
            title,
            mark(attack),
            Request(),
            expect,
            harm,
            over=("2",),
            other_haproxies=(HOST,) if "authority" in changed else (),
        )
    )


pseudo("another authority", NEUTRALISED, evil_host, authority="evil.example")
pseudo("an authority with a user", NEUTRALISED, evil_host, authority="a@evil.example")
pseudo("another Host than the authority", NEUTRALISED, evil_host, ("host", "evil.example"))
pseudo(
    "a Host instead of the authority",
    NEUTRALISED,
    evil_host,
    ("host", "evil.example"),
    authority=None,
)
pseudo(
    "a path in the authority",
    "query_not_allowed",
    is_marked,
    authority=f"gateway.example{GENERATE}?x=",
)
pseudo("two paths", HOST, is_marked, (":path", OTHER_MODEL))
pseudo("two methods", HOST, is_marked, (":method", "DELETE"))
pseudo("two authorities", HOST, evil_host, (":authority", "evil.example"))
pseudo("a path behind a header", HOST, is_marked, ("x-a", "b"), (":path", OTHER_MODEL))
pseudo("a pseudo-header of no standard", HOST, is_marked, (":model", "gemini-1.5-pro"))
pseudo("an answer's pseudo-header", HOST, is_marked, (":status", "200"))
pseudo("no path", HOST, path=None)
pseudo("an empty path", HOST, path="")
pseudo("a path without slash", HOST, path=GENERATE[1:])
pseudo("a path in absolute form", HOST, path=f"http://evil.example{GENERATE}")
pseudo("a path with a blank", HOST, path=f"{GENERATE} HTTP/1.1")
pseudo("a path with a line end", HOST, path=f"{GENERATE} HTTP/1.1\r\nx-goog-fieldmask: name\r\n")
pseudo("a path of bytes that are no text", "url_not_canonical", path=f"{GENERATE}\xff")
pseudo("a scheme of another kind", "url_not_canonical", scheme="ftp")
pseudo("a scheme with a host", HOST, scheme="https://evil.example/x?")
pseudo("a method with a blank", HOST, method="POST /v1 HTTP/1.1")
pseudo("a tunnel", "route_unknown", is_marked, (":protocol", "websocket"), method="CONNECT")
pseudo("a name in capitals", HOST, is_marked, ("X-HTTP-Method-Override", "DELETE"))
pseudo("a line end in a value", HOST, is_marked, ("x-a", "b\r\nx-goog-fieldmask: name"))
pseudo("a NUL in a value", HOST, is_marked, ("x-a", "b\0c"))
pseudo("a colon in a name", HOST, is_marked, ("x-goog-fieldmask: name\r\nx", "y"))
pseudo("chunks", HOST, is_marked, ("transfer-encoding", "chunked"))
pseudo("a wrong length", HOST, is_marked, ("content-length", "3"))
pseudo("a fragment", HOST, path=f"{GENERATE}#x")
pseudo("an upgrade", HOST, is_marked, ("upgrade", "websocket"))
