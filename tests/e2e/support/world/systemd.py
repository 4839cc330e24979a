"""What systemd does with a unit of `Type=notify`: start, wait for READY=1, SIGTERM."""

import os
import socket
import subprocess
from pathlib import Path


def knows_systemd(binary: str) -> bool:
    """Since 3.0 always; before, if it was built so."""
    asked = subprocess.run([binary, "-Ws", "-c"], capture_output=True, check=False)
    return b"not compiled" not in asked.stderr


class Systemd:
    def __init__(self, notify_socket: Path, timeout: float = 15.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(timeout)
        self._path = notify_socket
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, command: list[str], environment: dict[str, str], output: Path) -> None:
        self._socket.bind(str(self._path))
        with open(output, "wb") as stream:
            self._process = subprocess.Popen(
                command,
                env=environment | {"NOTIFY_SOCKET": str(self._path)},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def ready(self) -> bool:
        """Whether READY=1 has come in time."""
        try:
            while b"READY=1" not in self._socket.recv(4096):
                pass
        except TimeoutError:
            return False
        return True

    def stop(self) -> int:
        """SIGTERM; the exit status, as a shell would say it."""
        assert self._process is not None
        self._process.terminate()
        status = self._process.wait(15)
        return 128 - status if status < 0 else status

    def __enter__(self) -> "Systemd":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, 9)
            self._process.wait()
