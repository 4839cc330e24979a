"""The numbers, at the end."""

import pytest

from bypass import tally


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = tally.lines()
    if lines:
        terminalreporter.section("bypass")
        for line in lines:
            terminalreporter.write_line(line)
