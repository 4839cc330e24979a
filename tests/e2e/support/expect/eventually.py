"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], what: str, within: float = 10.0, every: float = 0.02) -> T:
    """Calls `look` until it gives something true, and returns that.

    An OSError counts as "not yet": the usual answer of a program that is about
    to listen.
    """
    end = time.monotonic() + within
    last: object = None
    while True:
        try:
            last = look()
            if last:
                return last
        except OSError as error:
            last = error
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {within} s (last: {last!r})")
        time.sleep(every)
