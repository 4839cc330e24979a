"""Threads of clients that go on until a `with` block ends."""

import threading
from typing import Self


class Clients:
    """Each thread runs `_client(number)`, which returns soon after `_enough` is set."""

    def __init__(self, count: int) -> None:
        self._enough = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(number,), daemon=True)
            for number in range(count)
        ]

    def _client(self, number: int) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._wait()

    def _wait(self) -> None:
        for thread in self._threads:
            thread.join()
