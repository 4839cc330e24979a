"""The secrets of a run, and where they must not be found."""

import json
from pathlib import Path

from support.world.haproxy import Haproxy
from support.world.standin import Standin

# What is shown on the statistics socket, to whoever may open it.
COMMANDS = (
    *(f"vertex show {thing}" for thing in ("issuers", "keys", "credentials", "roles", "limits", "caches")),
    "vertex show keys json", "show errors", "show sess all", "show info", "show stat",
)  # fmt: skip


def of_a_token(token: str) -> set[str]:
    """Its payload and its signature: either alone is too much."""
    return {part for part in token.split(".")[1:] if len(part) > 8} | {token}


def of_a_key_file(file: Path) -> set[str]:
    """Each line of the private key, and the key as the file writes it."""
    pem = json.loads(file.read_text())["private_key"]
    return {line for line in pem.splitlines() if line and not line.startswith("-----")}


def sent_to_google(standin: Standin) -> set[str]:
    """The bearers that Google's side received."""
    found: set[str] = set()
    for request in standin.requests(of="google"):
        for name, value in request["headers"]:
            if name.lower() == "authorization":
                found |= of_a_token(value.partition(" ")[2])
    return found


def written_by(haproxy: Haproxy, lines: list[str], bodies: list[bytes]) -> dict[str, str]:
    """All that HAProxy wrote, by where; `bodies` are its answers to callers."""
    shown = {command: haproxy.ask(command) for command in COMMANDS}
    return shown | {
        "the log": "\n".join(lines),
        "stderr": haproxy.stderr,
        "an answer": b"\n".join(bodies).decode("latin-1"),
    }
