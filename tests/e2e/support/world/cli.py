"""HAProxy's command-line sockets: the worker's own, and the master's."""

import socket
from dataclasses import dataclass
from pathlib import Path


def ask(path: Path, command: str, timeout: float = 10.0) -> str:
    """One command, its whole answer."""
    with socket.socket(socket.AF_UNIX) as conversation:
        conversation.settimeout(timeout)
        conversation.connect(str(path))
        conversation.sendall(command.encode() + b"\n")
        # The master keeps a conversation open until its client has no more to say.
        conversation.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while part := conversation.recv(65536):
            answer += part
    return answer.decode("utf-8", "replace")


def info(path: Path, prefix: str = "") -> dict[str, str]:
    lines = ask(path, prefix + "show info").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


@dataclass(frozen=True)
class Processes:
    """What `show proc` on the master's socket tells."""

    master: int
    failed_reloads: int
    workers: tuple[int, ...]
    old_workers: tuple[int, ...]


def processes(master_socket: Path) -> Processes:
    master = failed = 0
    found: dict[str, list[int]] = {"workers": [], "old workers": []}
    heading = ""
    for line in ask(master_socket, "show proc").splitlines():
        if line.startswith("# "):
            heading = line[2:].strip()
            continue
        words = line.split()
        if len(words) < 2 or not words[0].isdigit():
            continue
        if words[1] == "master":
            master = int(words[0])
            _, _, failures = line.partition("[failed:")
            failed = int(failures.split("]")[0]) if failures else 0
        elif words[1] == "worker" and heading in found:
            found[heading].append(int(words[0]))
    if not master:
        raise OSError("the master did not answer `show proc`")
    return Processes(master, failed, tuple(found["workers"]), tuple(found["old workers"]))
