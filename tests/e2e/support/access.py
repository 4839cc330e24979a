"""The access-log lines of one frontend, counted: one a request, whatever became of it."""

import socket
import uuid

from support.auditline import AuditLine
from support.haproxy import Haproxy
from support.logserver import LogServer


def all_lines(
    haproxy: Haproxy, logs: LogServer, count: int = 1, frontend: str = "ai"
) -> list[AuditLine]:
    """Every line of the frontend's, also one without audit tail: once there are `count` of them,
    and HAProxy has ended and can write no more."""
    logs.wait_until(lambda _: len(so_far(logs, frontend)) >= count, f"{count} access lines")
    haproxy.stop()
    catch_up(logs)
    return so_far(logs, frontend)


def so_far(logs: LogServer, frontend: str = "ai") -> list[AuditLine]:
    begins = (f"] {frontend} ", f"] {frontend}~ ")
    return [AuditLine(line) for line in logs.lines if any(begin in line for begin in begins)]


def catch_up(logs: LogServer) -> None:
    """Returns when the server has read all that was sent to it before."""
    mark = f"mark {uuid.uuid4()}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(mark.encode(), ("127.0.0.1", logs.port))
    logs.wait_until(lambda lines: mark in lines, "the log server has caught up")
