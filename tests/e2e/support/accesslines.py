"""The access lines of requests that name a model each, in text or JSON: read strictly, and counted."""

from collections import Counter
from dataclasses import dataclass

from support import audittail, jsonline
from support.access import catch_up
from support.auditline import AuditLine
from support.countedlogs import CountedLogServer
from support.mob import MARK, Sent
from support.rawgoogle import RawGoogle
from support.standin import Standin


@dataclass(frozen=True)
class Line:
    """One access line, read strictly: the request's path and what is said of it."""

    path: str
    said: dict[str, str]

    @property
    def mark(self) -> str | None:
        found = MARK.search(self.path)
        return found and found[0]


def read(style: str, line: str) -> Line:
    if style == "json":
        members = jsonline.read(line)
        return Line(members.get("url.path", "-"), jsonline.said(members))
    fields = audittail.read(line)
    return Line(AuditLine(line).request_line or "-", jsonline.said_in_text(fields))


def is_access(line: str) -> bool:
    """Every access line of the frontend's, also one without a tail."""
    return "] ai ai" in line or "] ai vertex" in line or jsonline.is_one(line) or "vertex{" in line


def one_each(style: str, logs: CountedLogServer, sent: Sent, google: set[str]) -> list[Line]:
    """All lines, each of which could be read; every request that must have one has one."""
    catch_up(logs)
    assert logs.dropped == 0
    lines = [read(style, line) for line in logs.lines if is_access(line)]
    counts = Counter(line.mark for line in lines)
    undecided = counts.pop(None, 0)
    must = sent.must | (google & sent.may)
    wrong = {mark: counts[mark] for mark in must if counts[mark] != 1}
    assert wrong == {}, wrong
    assert {mark for mark, count in counts.items() if count > 1} == set()
    assert set(counts) <= sent.must | sent.may
    assert google <= set(counts)
    assert sent.unreadable <= undecided <= sent.unreadable + sent.unread
    assert {line.said["reason"] for line in lines if line.mark is None} <= {"undecided"}
    return lines


def seen(standin: Standin, raw: RawGoogle) -> set[str]:
    """The marks of the requests that a Google received."""
    targets = [request["target"] for request in standin.requests(of="google")] + raw.targets
    return {found[0] for target in targets if (found := MARK.search(target))}
