"""What would leave calls without an end, or answers without a reader, does not start."""

from collections.abc import Callable

import pytest

from support.world.haproxy import Haproxy, NotStarted


def test_a_backend_without_the_filter_does_not_start(
    gateway: Callable[..., Haproxy],
) -> None:
    with pytest.raises(NotStarted, match="filter lua.vertex-meter"):
        gateway(meter="")
    gateway()


SILENT = [
    'log-format "%ci"', "option httplog", "option httpslog", "option dontlog-normal", "no log",
    "option logasap", "http-request set-log-level silent", "http-response set-log-level silent",
]  # fmt: skip


@pytest.mark.parametrize("line", SILENT)
def test_a_frontend_whose_requests_would_never_end_does_not_start(
    gateway: Callable[..., Haproxy], line: str
) -> None:
    with pytest.raises(NotStarted, match="vertex_log_fields"):
        gateway(frontend_lines=line)
    if line.endswith("silent"):
        with pytest.raises(NotStarted, match="vertex_log_fields"):
            gateway(upstream_lines=line)
    gateway(frontend_lines="http-request set-log-level info")


def test_a_backend_that_sends_calls_twice_does_not_start(gateway: Callable[..., Haproxy]) -> None:
    with pytest.raises(NotStarted, match="counted once"):
        gateway(upstream_lines="retry-on response-timeout")
    gateway(upstream_lines="retry-on conn-failure 503")
