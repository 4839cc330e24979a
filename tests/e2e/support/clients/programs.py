"""Programs that people use, unmodified and headless, each in a home of its own, with the gateway
and nobody else to talk to."""

import os
import random
import signal
import socket
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.clients.callers import Callers
from support.clients.node import NODE
from support.expect.budget import hold
from support.wire.listener import Listener
from support.world.place import ROOT
from support.world.standin import Standin

PACKAGES = ROOT / "tests" / "e2e" / "programs" / "node_modules"
TIMEOUT = 90

# `fresh-token` of docs/callers.md: prints the first line, and drops it unless it is the last.
_FRESH_TOKEN = """\
#!/bin/sh
cd "${0%/*}/.." && head -n 1 tokens
[ "$(wc -l < tokens)" -eq 1 ] || sed -i 1d tokens
"""


class Outside:
    """A proxy where all goes that is not for this machine. It counts, and passes nothing on."""

    def __init__(self) -> None:
        self.connections = 0
        self._listener = Listener(self._serve)

    def _serve(self, connection: socket.socket) -> None:
        self.connections += 1
        connection.close()

    @property
    def environment(self) -> dict[str, str]:
        url = f"http://127.0.0.1:{self._listener.port}"
        return {"HTTP_PROXY": url, "HTTPS_PROXY": url, "NO_PROXY": "127.0.0.1"}

    def stop(self) -> None:
        self._listener.close()


@dataclass(frozen=True)
class Said:
    status: int
    text: str
    errors: str


class Program:
    """`script` is what its package runs; `before` are lines of a shell that runs it."""

    def __init__(self, script: Path, home: Path, outside: Outside, before: str = "") -> None:
        self.script, self.before = script, before
        self.home, self.work = home, home / "work"
        self.environment = {
            "HOME": str(home),
            "PATH": f"{home}/bin:{NODE.parent}:/usr/bin:/bin",
            "TMPDIR": str(home),
            "TERM": "xterm-256color",
            **outside.environment,
        }
        self.work.mkdir()
        fresh_token = home / "bin" / "fresh-token"
        fresh_token.parent.mkdir()
        fresh_token.write_text(_FRESH_TOKEN)
        fresh_token.chmod(0o755)

    def holds(self, *tokens: str) -> None:
        """What `fresh-token` prints, each once and the last for ever."""
        (self.home / "tokens").write_text("".join(f"{token}\n" for token in tokens))

    def start(self, *words: str, stdin: bytes | None = b"") -> "Running":
        """With None for its input it reads what `say` says."""
        given = self.home / "stdin"
        given.write_bytes(stdin or b"")
        command = ["sh", "-ec", f'{self.before}\nexec node "$@"', "sh", self.script, *words]
        with given.open("rb") as piped:
            process = subprocess.Popen(
                command,
                cwd=self.work,
                env=self.environment,
                stdin=subprocess.PIPE if stdin is None else piped,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                text=True,
            )
        return Running(process)

    def run(self, *words: str, stdin: bytes = b"") -> Said:
        return self.start(*words, stdin=stdin).end()


class Running:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def hear(self, what: str) -> str:
        """The next line that holds this."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if what in line:
                return line
        raise EOFError(f"it has ended without {what}")

    def end(self) -> Said:
        try:
            text, errors = self._process.communicate(timeout=TIMEOUT)
        except BaseException:
            self._stop()
            raise
        return Said(self._process.returncode, text, errors)

    def _stop(self) -> None:
        """It and whatever it has started: they are a group of their own."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def run_without_room(program: Program, callers: Callers, standin: Standin) -> Said:
    """What it says to "hello" of somebody with one request at once, while another is held until it
    has been refused for that: it must have asked again."""
    standin.google(chunks=2, gate=True)
    connection, head = hold(callers.haproxy, callers.token())
    assert head.status == 200, head
    with connection:
        running = program.start("-p", "hello")
        # The line of what is held comes when it ends.
        [first, *_] = callers.logs.wait_for(1, within=30)
        assert first["reason"] == "limit_parallel", first.text
        standin.google(chunks=2)  # lets the stream go on that is held
        said = running.end()
    refused = [reason for reason in callers.reasons() if reason != "ok"]
    assert set(refused) == {"limit_parallel"}, refused
    return said


def installed(script: str, *others: str) -> Path:
    """Skips the test where one of these cannot be had."""
    for wanted in (script, *others):
        if not any(PACKAGES.glob(wanted)):
            pytest.skip(f"npm's {wanted} cannot be had")
    return PACKAGES / script


def noise(side: int) -> bytes:
    """A PNG of a square that no compression makes smaller: three bytes a pixel."""
    pixels = random.Random(side)
    rows = b"".join(b"\0" + pixels.randbytes(3 * side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
