"""What the log must say of rough callers: one line for each request, and each can be read strictly."""

from collections import Counter

from support.load.rough import MARK, Sent
from support.log.line import AccessLine
from support.log.server import LogServer
from support.wire.rawgoogle import RawGoogle
from support.world.standin import Standin


def mark_of(line: AccessLine) -> str | None:
    found = MARK.search(line.path)
    return found and found[0]


def one_each(style: str, logs: LogServer, sent: Sent, google: set[str]) -> list[AccessLine]:
    """All lines, each of which could be read; every request that must have one has one."""
    logs.catch_up()
    assert logs.dropped == 0
    lines = logs.those(AccessLine.is_access)
    assert all(line.is_json() == (style == "json") and line.said for line in lines)
    counts = Counter(mark_of(line) for line in lines)
    undecided = counts.pop(None, 0)
    must = sent.must | (google & sent.may)
    wrong = {mark: counts[mark] for mark in must if counts[mark] != 1}
    assert wrong == {}, wrong
    assert {mark for mark, count in counts.items() if count > 1} == set()
    assert set(counts) <= sent.must | sent.may
    assert google <= set(counts)
    assert sent.unreadable <= undecided <= sent.unreadable + sent.unread
    assert {line.said["reason"] for line in lines if mark_of(line) is None} <= {"undecided"}
    return lines


def seen(standin: Standin, raw: RawGoogle) -> set[str]:
    """The marks of the requests that a Google received."""
    targets = [request["target"] for request in standin.requests(of="google")] + raw.targets
    return {found[0] for target in targets if (found := MARK.search(target))}
