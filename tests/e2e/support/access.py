"""The access-log lines of one frontend, counted: one a request, whatever became of it."""

from support.auditline import AuditLine
from support.haproxy import Haproxy
from support.logserver import LogServer


def all_lines(haproxy: Haproxy, logs: LogServer, frontend: str = "ai") -> list[AuditLine]:
    """Every line of the frontend's, once HAProxy has ended and can write no more. Also those that
    lack the audit tail."""
    haproxy.stop()
    return lines_so_far(logs, frontend)


def lines_so_far(logs: LogServer, frontend: str = "ai") -> list[AuditLine]:
    begins = (f"] {frontend} ", f"] {frontend}~ ")
    return [AuditLine(line) for line in logs.lines if any(begin in line for begin in begins)]
