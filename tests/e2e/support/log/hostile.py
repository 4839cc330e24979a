"""Values and requests that would break a log line, were they written as they come."""

from collections.abc import Iterator

CLAIMS = {
    "spaces": "a  b\tc ",
    "quotes": "\"a\" 'b' `c` \\\"",
    "line breaks": "a\nvertex{decision=allow reason=ok principal=root}\r\nb\u2028c",
    "separators": "a|b{c}d=e;f,g",
    "percent": "%%00%0a%[var(x)]%{+Q}o%",
    "controls": "a\x00b\x1b[2Jc\x7f\x85",
    "a forged end": "x} google=- vertex{decision=deny",
    "a forged cut": "alice~0123abcd",
    "a colon": "corp:root",
    "one dash": "-",
    "emoji": "👩🏽‍🔬 ada \U0001f600",
    "other scripts": "Ада Лавлейс 埃达 \u202eada",
    "10 KB": "x" * 10_000 + "1",
    "10 KB of emoji": "😀" * 830,
    "10 KB of quotes": '"}' * 3_300,
}

# Every byte at four places: 2.6 reads URLs four bytes at a time.
PLACES = ("/v1/{}", "/v1/a{}b", "/v1/ab{}cd", "/v1/x?key={}")


def urls() -> Iterator[bytes]:
    for place in PLACES:
        for byte in range(256):
            before, after = place.split("{}")
            yield before.encode() + bytes([byte]) + after.encode()


# What no client library sends in a header's value, and HAProxy lets through.
HEADER_BYTES = bytes(byte for byte in range(1, 256) if byte not in b"\r\n")

# No request for HAProxy, so that it answers by itself.
UNREADABLE = {
    "a bad request line": b"GET / NONSENSE\r\n\r\n",
    "a bad header": b"POST / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
    "a bad byte in the URL": b"GET /\x01?access_token=secret HTTP/1.1\r\nHost: a\r\n\r\n",
    "more than a buffer": b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 70_000),
}
