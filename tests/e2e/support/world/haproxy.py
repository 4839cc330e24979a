"""The HAProxy under test, in master-worker mode: start, reload, stop, check."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.expect.eventually import eventually
from support.world import cli
from support.world.configuration import Configuration
from support.world.place import haproxy_binary, short_folder


class NotStarted(AssertionError):
    """HAProxy ended instead of serving; the text is what it wrote."""


class ReloadFailed(AssertionError):
    """The master keeps its old worker; the text is what it wrote since."""


@dataclass(frozen=True)
class Check:
    """The outcome of `haproxy -c`."""

    status: int
    output: str


class Haproxy:
    def __init__(self, configuration: Configuration, binary: str | None = None) -> None:
        self.configuration = configuration
        self.binary = binary or haproxy_binary()
        self.folder = short_folder()
        (self.folder / "chroot").mkdir(mode=0o755)
        self._process: subprocess.Popen[bytes] | None = None

    # What a test asks for most.
    @property
    def port(self) -> int:
        return self.configuration.port

    @property
    def tls_port(self) -> int:
        return self.configuration.tls_port

    @property
    def stderr(self) -> str:
        """Everything it has written, over all reloads."""
        try:
            return (self.folder / "stderr").read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def ask(self, command: str) -> str:
        """A command to the worker in service."""
        return cli.ask(self.folder / "stats", command)

    def processes(self) -> cli.Processes:
        return cli.processes(self.folder / "master")

    @property
    def worker(self) -> int:
        """The process that answers on the statistics socket now."""
        return int(cli.info(self.folder / "stats")["Pid"])

    def write(self) -> None:
        """Writes the configuration as it is now; `start`, `reload` and `check` do so too."""
        (self.folder / "test.cfg").write_text(self.configuration.text(self.folder))
        vertex = self.configuration.vertex_text()
        if vertex is not None:
            (self.folder / "vertex.json").write_text(vertex)

    def command(self, *flags: str) -> list[str]:
        files = self.configuration.file_arguments(self.folder / "test.cfg")
        return [self.binary, *flags, *files]

    def check(self, timeout: float = 30.0) -> Check:
        self.write()
        done = subprocess.run(
            self.command("-c"),
            env=self.configuration.environ(self.folder, self.binary),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
        return Check(done.returncode, done.stdout.decode("utf-8", "replace"))

    def start(self, within: float = 20.0) -> "Haproxy":
        self.write()
        with open(self.folder / "stderr", "ab") as output:
            self._process = subprocess.Popen(
                self.command("-W", "-db", "-S", f"{self.folder}/master,mode,600"),
                env=self.configuration.environ(self.folder, self.binary),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            eventually(self.serving, "HAProxy serves", within)
        except BaseException:
            self.stop()
            raise
        return self

    def check_running(self) -> None:
        if self._process is None or self._process.poll() is not None:
            raise NotStarted(f"HAProxy ended:\n{self.stderr}")

    def serving(self) -> bool:
        self.check_running()
        return self.worker in self.processes().workers

    def reload(self, within: float = 20.0) -> None:
        """Returns when a new worker serves and the old one has stopped listening."""
        self.write()
        before = self.processes()
        old = self.worker
        written = len(self.stderr)
        try:
            cli.ask(self.folder / "master", "reload", timeout=within)
        except OSError:
            pass  # 2.6 cuts the conversation: its master executes itself anew.

        def reloaded() -> bool:
            now = self.processes()
            if now.failed_reloads > before.failed_reloads:
                raise ReloadFailed(self.stderr[written:])
            return self.worker != old and self.worker in now.workers and self._leaves(old)

        eventually(reloaded, "HAProxy has reloaded", within)

    def _leaves(self, worker: int) -> bool:
        """An old worker's listeners are closed once it says that it is stopping."""
        if worker not in self.processes().old_workers:
            return not _alive(worker)
        answer = cli.info(self.folder / "master", f"@!{worker} ")
        return answer.get("Stopping", "0") != "0"

    def wait_for_old_workers(self, within: float = 20.0) -> None:
        eventually(lambda: not self.processes().old_workers, "the old workers are gone", within)

    def stop(self, within: float = 10.0) -> int | None:
        """Ends it, at once for its clients; returns the master's exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        group = process.pid  # a session of its own
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return process.wait(within)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Haproxy":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.remove()


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
