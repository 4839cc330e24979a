"""POSTs over TLS by the clients that people use, each on a connection of its own: what each reads."""

import json
import ssl
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from support.clients.node import FOLDER, NODE

TIMEOUT = 10


@dataclass(frozen=True)
class Post:
    url: str
    ca: Path
    headers: Mapping[str, str]
    body: bytes


# What came: the status and the text; 0 and why not.
Outcome = tuple[int, str]
Client = Callable[[Post, int], list[Outcome]]


def _curl(version: str) -> Client:
    def once(post: Post) -> Outcome:
        pairs = [
            word for pair in post.headers.items() for word in ("--header", ": ".join(pair))
        ]
        done = subprocess.run(
            [
                "curl", "--silent", "--show-error", version, "--cacert", post.ca, *pairs,
                "--max-time", str(TIMEOUT), "--data-binary", "@-",
                "--write-out", r"\n%{http_code} %{http_version}", post.url,
            ],
            input=post.body,
            capture_output=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            return 0, done.stderr.decode()
        text, _, told = done.stdout.decode().rpartition("\n")
        status, spoken = told.split()
        assert spoken == version.removeprefix("--http")
        return int(status), text

    return lambda post, times: [once(post) for _ in range(times)]


def _httpx(version: str) -> Client:
    def once(post: Post, trust: ssl.SSLContext) -> Outcome:
        with httpx.Client(http2=version == "HTTP/2", verify=trust, timeout=TIMEOUT) as client:
            try:
                answer = client.post(post.url, headers=post.headers, content=post.body)
            except httpx.TransportError as why:
                return 0, repr(why)
        assert answer.http_version == version
        return answer.status_code, answer.text

    def all_of_them(post: Post, times: int) -> list[Outcome]:
        trust = ssl.create_default_context(cafile=post.ca)
        return [once(post, trust) for _ in range(times)]

    return all_of_them


def _node(version: str) -> Client:
    def all_of_them(post: Post, times: int) -> list[Outcome]:
        asked = {
            "version": version,
            "url": post.url,
            "ca": post.ca.read_text(),
            "headers": dict(post.headers),
            "body": post.body.decode(),
            "times": times,
        }
        done = subprocess.run(
            [NODE, "posts.js"],
            cwd=FOLDER,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=TIMEOUT * 6,
            check=True,
        )
        return [(status, text) for status, text in json.loads(done.stdout)]

    return all_of_them


OVER_HTTP_2 = {
    "curl": _curl("--http2"),
    "httpx": _httpx("HTTP/2"),
    "Node": _node("2"),
}
OVER_HTTP_1 = {
    "curl": _curl("--http1.1"),
    "httpx": _httpx("HTTP/1.1"),
    "Node": _node("1.1"),
}
