"""Google's token endpoints, as small as tests need: what each path answers, what it was asked."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Asked:
    method: str
    host: str
    path: str
    # Names in lower case.
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), strict_parsing=True))


@dataclass
class Answer:
    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    # Seconds before it comes.
    after: float = 0.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A gateway with many credentials asks for all of them at once.
    request_queue_size = 128


def _unknown(_: Asked) -> Answer:
    return Answer(status=404)


class Endpoints:
    def __init__(self, otherwise: Callable[[Asked], Answer] = _unknown) -> None:
        """`otherwise`: what a path answers that has no answer of its own."""
        self._otherwise = otherwise
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._asked: list[Asked] = []
        self._over = threading.Event()
        endpoints = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                endpoints._serve(self)

            do_POST = do_PUT = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str, **answer: Any) -> None:
        """From now on."""
        with self._lock:
            self._answers[path] = Answer(**answer)

    def asked(self, path: str | None = None) -> list[Asked]:
        with self._lock:
            return [asked for asked in self._asked if path is None or asked.path == path]

    def forget(self) -> None:
        with self._lock:
            self._asked.clear()

    def stop(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        if chunked:
            body = b"".join(_chunks(request.rfile))
        else:
            body = request.rfile.read(int(headers.get("content-length", 0)))
        host = headers.get("host", "")
        asked = Asked(request.command, host, request.path, headers, body)
        with self._lock:
            self._asked.append(asked)
            answer = self._answers.get(request.path)
        if chunked or (request.command == "POST" and "content-length" not in headers):
            # As Google's front ends, which want a body's length before it.
            answer = Answer(status=411)
        if answer is None:
            answer = self._otherwise(asked)
        if answer.after:
            self._over.wait(answer.after)
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        request.send_response(answer.status)
        for name, value in answer.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(text.encode())))
        request.end_headers()
        request.wfile.write(text.encode())


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while size := int(stream.readline(), 16):
        yield stream.read(size)
        stream.readline()
    stream.readline()
