"""What stands behind the part of a body that is read, and behind the body."""

from support.wire.calls import BODY
from support.world.place import haproxy_version

from bypass.bodies import NO_JSON, NOT_ALLOWED, TOOLS, body
from bypass.pair import BOTH, NEUTRALISED, Kind, Pair, Request, Seen, body_arrives, dumps

# HAProxy 3.0 neither takes a length in place of chunks nor drops trailers.
SINCE = (2, 6) if haproxy_version() < (3, 0) else (3, 2)

TRAILERS = Kind("trailers", rules=("trailers",), since=SINCE)
BEYOND = Kind("beyond the buffer", checks=("WholeBody",))

KINDS = [TRAILERS, BEYOND]


def has_trailers(seen: Seen) -> bool:
    return bool(seen.record["trailers"])


for name, trailers in {
    "another project": (("x-goog-user-project", "victim"),),
    "another credential": (("authorization", "Bearer evil"),),
    "a method override": (("x-http-method-override", "DELETE"),),
    "several": (("x-a", "b"), ("x-goog-fieldmask", "name")),
}.items():
    sent = Request(trailers=trailers)
    TRAILERS.pairs.append(
        Pair(TRAILERS.name, name, sent, Request(), NEUTRALISED, has_trailers, since=SINCE)
    )

# With a length they do not fit into HTTP/1.1; a body that goes unread may come in chunks.
WITH_LENGTH = (("content-length", str(len(BODY))),)
for name, request, expect, over, since in (
    ("behind a length", Request(headers=WITH_LENGTH), NEUTRALISED, ("2",), (2, 6)),
    ("of a body that goes unread", Request(group="unread"), NEUTRALISED, BOTH, (3, 2)),
):
    sent = request.but(trailers=(("x-goog-user-project", "victim"),))
    honest = request.but(headers=())
    TRAILERS.pairs.append(
        Pair(TRAILERS.name, name, sent, honest, expect, has_trailers, over=over, since=since)
    )

# HAProxy's buffer holds 28,672 bytes of a request: what stands behind them would not be read.
FILL = dumps({"contents": [{"role": "user", "parts": [{"text": "x" * 40_000}]}]})
LONG = FILL[:-1] + b',"tools":[{"googleSearch":{}}]}'
body(BEYOND, "a tool behind 40 KB", LONG, expect=NOT_ALLOWED)
body(BEYOND, "a NUL at the end", BODY + b"\0", expect=NO_JSON)
body(BEYOND, "a tool behind a NUL", BODY + b"\0" + TOOLS, expect=NO_JSON)
for name, chunks in {
    "in chunks": TOOLS,
    "in chunks, behind 40 KB": LONG,
}.items():
    sent = Request(body=chunks, chunked=True)
    BEYOND.pairs.append(Pair(BEYOND.name, name, sent, Request(), NOT_ALLOWED, body_arrives(chunks)))
