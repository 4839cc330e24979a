"""A wall clock of its own for one HAProxy, which a test can step, by libfaketime."""

import os
import subprocess
import time

from support.world.haproxy import Haproxy


def _library() -> str:
    """For programs with threads; of the Debian package libfaketime."""
    listed = subprocess.run(["dpkg", "-L", "libfaketime"], capture_output=True, text=True)
    found = [line for line in listed.stdout.splitlines() if line.endswith("/libfaketimeMT.so.1")]
    if not found:
        raise FileNotFoundError("no libfaketimeMT.so.1: install the Debian package faketime")
    return found[0]


class Clock:
    """To be made before HAProxy starts. The monotonic clock stays as it is, unless it steps too."""

    def __init__(self, haproxy: Haproxy, ahead: int = 0, steps_monotonic: bool = False) -> None:
        folder = haproxy.folder
        # The worker reads the same path as the master, but inside its chroot.
        inside = folder / "chroot" / folder.relative_to("/")
        inside.mkdir(mode=0o755, parents=True)
        self._file = inside / "clock"
        (folder / "clock").symlink_to(self._file)
        haproxy.configuration.environment |= {
            # The C library's malloc before jemalloc, which Debian's 3.0 and 3.2 are linked with: it
            # reads the clock while libfaketime allocates to read the clock.
            "LD_PRELOAD": f"{_library()} libc.so.6",
            "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
            "FAKETIME_NO_CACHE": "1",
        }
        if not steps_monotonic:
            haproxy.configuration.environment |= {
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1",
            }
        self.step_to(ahead)

    def step_to(self, ahead: int) -> None:
        """From now on it is `ahead` seconds before the true time; negative: behind."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead:+d}\n")
        os.replace(new, self._file)
        self.ahead = ahead

    @property
    def now(self) -> float:
        return time.time() + self.ahead
