"""What a process has used of a CPU, by the kernel's own accounting."""

import os
from pathlib import Path


def used_us(pid: int) -> float:
    """Microseconds of all threads since they began."""
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000
    except FileNotFoundError:
        return _used_us_by_ticks(pid)


def _used_us_by_ticks(pid: int) -> float:
    """A kernel without schedstat counts in ticks, 10 ms as a rule."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


class Pinned:
    """`with Pinned(core): …` starts programs on one core, and where that is allowed with a
    priority that keeps other programs from running between two requests."""

    _PRIORITY = -15

    def __init__(self, core: int) -> None:
        self._core = core
        self._cores = os.sched_getaffinity(0)
        self._priority = os.getpriority(os.PRIO_PROCESS, 0)

    def __enter__(self) -> None:
        os.sched_setaffinity(0, {self._core})
        if os.geteuid() == 0:
            os.setpriority(os.PRIO_PROCESS, 0, self._PRIORITY)

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(0, self._cores)
        if os.geteuid() == 0:
            os.setpriority(os.PRIO_PROCESS, 0, self._priority)
