"""How long the tests under load run: for a moment in `make test`, for minutes in `make test-metering`."""

import os
from typing import TypeVar

T = TypeVar("T")

LONG = os.environ.get("HV_LONG", "") == "1"


def of_two(short: T, long: T) -> T:
    return long if LONG else short
