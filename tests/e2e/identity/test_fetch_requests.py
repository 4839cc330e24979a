"""What the module asks for leaves as it says, by any method, and what comes back is handed over whole.
The requests are of those to come, for Google's metadata server and its Security Token Service."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from support.world.asking import Request, asking_share, told
from support.world.configuration import section
from support.expect.eventually import eventually
from support.world.haproxy import Haproxy
from support.wire.recorder import Recorder
from support.world.standin import Standin

STS = "sts.example"
METADATA = "metadata.google.internal"
TOKEN = json.dumps({"access_token": "ya29.x", "expires_in": 3599}).encode()
FORM = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token": "eyJ.a-b_c.d+e/f==&x=é",
}
EXCHANGE = Request(
    f"https://{STS}/v1/token?alt=json", FORM, {"authorization": "Basic YTpi", "x-goog-user": "a, b"}
)
IDENTITY = Request(
    f"http://{METADATA}/computeMetadata/v1/instance/service-accounts/default/token?scopes=a,b",
    None,
    {"metadata-flavor": "Google"},
)


def whole(*headers: str, body: bytes = TOKEN) -> bytes:
    lines = ["HTTP/1.1 200 OK", *headers, f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode() + body


CUT = b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\nxxxxx"


@pytest.fixture
def recorder() -> Iterator[Callable[..., Recorder]]:
    with ExitStack() as stack:

        def start(answer: bytes, waits: bool = False) -> Recorder:
            server = Recorder(answer, waits)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def sends(gateway: Callable[..., Haproxy], tmp_path: Path) -> Callable[..., list[list[str]]]:
    """Sends requests to a server, and returns what the task handed back, in order."""

    def send(server: Recorder, *requests: Request, **different: object) -> list[list[str]]:
        backends = "\n".join(
            section(
                f"backend vertex_fetch_{host} from vertex-fetch",
                [f"server one 127.0.0.1:{server.port}"],
            )
            for host in (STS, METADATA)
        )
        share = asking_share(tmp_path, *requests)
        haproxy = gateway(share=share, sections=backends, **different)
        eventually(
            lambda: len(told(haproxy.stderr)) >= len(requests), "all have an end", within=20
        )
        return sorted(told(haproxy.stderr), key=lambda items: items[1])

    return send


def test_a_post_leaves_with_its_header_fields_and_body_and_a_get_with_none(
    sends: Callable[..., list[list[str]]], recorder: Callable[..., Recorder]
) -> None:
    server = recorder(whole("Metadata-Flavor: Google", "X-Two: a", "X-Two: b, c"))

    answers = sends(server, EXCHANGE, IDENTITY)

    post, get = sorted(server.asked, key=lambda asked: asked.line, reverse=True)
    assert post.line == "POST /v1/token?alt=json HTTP/1.1"
    assert post.values("host") == [STS]
    assert post.values("authorization") == ["Basic YTpi"]
    assert post.values("x-goog-user") == ["a, b"]
    assert post.values("content-type") == ["application/x-www-form-urlencoded"]
    assert dict(parse_qsl(post.body.decode(), strict_parsing=True)) == FORM
    # Google's front ends answer 411 to a body in chunks.
    assert post.values("content-length") == [str(len(post.body))]
    assert post.values("transfer-encoding") == []
    path = "/computeMetadata/v1/instance/service-accounts/default/token?scopes=a,b"
    assert get.line == f"GET {path} HTTP/1.1"
    assert (get.values("host"), get.values("metadata-flavor")) == ([METADATA], ["Google"])
    assert (get.values("content-type"), get.values("authorization"), get.body) == ([], [], b"")

    for place, (function, number, status, headers, body) in enumerate(answers, 1):
        assert (function, number, status, body) == ("answer", str(place), "200", TOKEN.decode())
        lines = headers.splitlines()
        assert "metadata-flavor: Google" in lines
        assert [line for line in lines if line.startswith("x-two")] == ["x-two: a", "x-two: b, c"]


def test_a_token_of_16_kb_and_an_authorization_of_8_kb_arrive_whole(
    sends: Callable[..., list[list[str]]], recorder: Callable[..., Recorder]
) -> None:
    server = recorder(whole())
    form = {"subject_token": "x" * 16_000}
    authorization = "Bearer " + "y" * 8_000

    [answer] = sends(server, Request(EXCHANGE.url, form, {"authorization": authorization}))

    assert answer[0] == "answer"
    [asked] = server.asked
    assert dict(parse_qsl(asked.body.decode())) == form
    assert asked.values("authorization") == [authorization]


@pytest.mark.parametrize(
    ("answer", "waits", "words"),
    [
        pytest.param(b"", False, "failed 502", id="it hangs up"),
        pytest.param(b"", True, "failed 504", id="it does not answer"),
        pytest.param(CUT, False, "cut 5 2000", id="its answer breaks off"),
        pytest.param(CUT, True, "stalled", id="its answer does not end"),
        pytest.param(whole().replace(b"200 OK", b"503 No"), False, None, id="it is not well"),
    ],
)
def test_a_post_is_sent_once_whatever_comes_of_it(
    sends: Callable[..., list[list[str]]],
    recorder: Callable[..., Recorder],
    answer: bytes,
    waits: bool,
    words: str | None,
) -> None:
    """HAProxy's httpclient would try again after a time-out of its own."""
    server = recorder(answer, waits)

    # The one behind it has had its end as well.
    [post, _] = sends(server, EXCHANGE, IDENTITY)

    lines = [asked.line for asked in server.asked]
    assert sorted(line.split(" ")[0] for line in lines) == ["GET", "POST"]
    if words is None:
        assert (post[0], post[2]) == ("answer", "503")
    else:
        function, _, authority, said, _ = post
        assert (function, authority) == ("unanswered", STS)
        assert said.startswith(words)


def test_the_header_fields_of_an_answer_reach_the_module(
    gateway: Callable[..., Haproxy], standin: Standin
) -> None:
    """`max-age` says when the keys are fetched again; without it that is after 900 s."""
    standin.idp(max_age=200)
    haproxy = gateway()

    def next_fetch() -> int:
        [issuer] = json.loads(haproxy.ask("vertex show issuers json"))["issuers"]
        return issuer["next_fetch_seconds"] or 0

    assert 150 < eventually(next_fetch, "the keys are here") <= 200

