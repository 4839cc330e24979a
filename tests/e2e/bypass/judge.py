"""Sends pairs and says what became of them."""

import re
from dataclasses import dataclass

from support.expect.refusal import ERRORS
from support.log.line import AccessLine
from support.log.server import LogServer
from support.world.standin import Standin

from bypass.gateways import Gateways
from bypass.pair import HOST, NEUTRALISED, Pair, Request, Seen
from bypass.send import Answer, send

STATUS = {
    code: int(status)
    for code, status in re.findall(r'^    \w+ "(\w+)" \d+ (\d+) ', ERRORS.read_text(), re.M)
}


@dataclass(frozen=True)
class Outcome:
    answer: Answer
    decision: str  # of the access log; "" where there is no line
    reason: str
    seen: list[Seen]

    def __str__(self) -> str:
        reached = [
            f"{one.record['method']} {one.target} {one.record['headers']}" for one in self.seen
        ]
        return (
            f"status {self.answer.status}, {self.decision} {self.reason}, reached Google: {reached}"
        )


class Judge:
    def __init__(self, standin: Standin, logs: LogServer, gateways: Gateways) -> None:
        self._standin, self._logs, self._gateways = standin, logs, gateways
        self._tokens: dict[str, str] = {}

    def _token(self, group: str) -> str:
        if group and group not in self._tokens:
            self._tokens[group] = self._standin.token({"groups": [group]})
        return self._tokens.get(group, "")

    def outcome(self, version: str, desk: str, request: Request) -> Outcome:
        port = self._gateways.port(desk)
        token = self._token(request.group)
        self._standin.forget_requests()
        answer = send(version, port, request, token)
        line = self._line(answer)
        seen = [Seen(record) for record in self._standin.requests(of="google")]
        if line is None:
            return Outcome(answer, "", "", seen)
        return Outcome(answer, line["decision"], line["reason"], seen)

    def _line(self, answer: Answer) -> AccessLine | None:
        """The access-log line of the connection; HAProxy writes none for an HTTP/2 stream that it
        resets before it was a request."""
        mark = f" 127.0.0.1:{answer.port} ["

        def mine(lines: list[str]) -> list[str]:
            return [line for line in lines if mark in line]

        within = 5.0 if answer.status else 0.2
        try:
            lines = mine(self._logs.wait_until(lambda lines: bool(mine(lines)), "a line", within))
        except TimeoutError:
            return None
        finally:
            self._logs.clear()
        return AccessLine(lines[-1])

    # The attack.
    def escaped(self, version: str, pair: Pair) -> Outcome | None:
        """How an attack did harm, if it did."""
        outcome = self.outcome(version, pair.desk, pair.attack)
        return outcome if is_escape(pair, outcome) else None

    def attack_fault(self, version: str, pair: Pair) -> tuple[str, bool]:
        """What is wrong about an attack's end, if anything, and whether it escaped."""
        outcome = self.outcome(version, pair.desk, pair.attack)
        if is_escape(pair, outcome):
            return f"escaped: {outcome}", True
        ends = [pair.expected(version), *pair.other_haproxies]
        if any(_ended(outcome, end) for end in ends):
            return "", False
        return f"was to be {' or '.join(ends)}: {outcome}", bool(outcome.seen)

    # The twin.
    def twin_fault(self, version: str, pair: Pair) -> tuple[str, bool]:
        """What is wrong about a twin's end, if anything, and whether it was refused."""
        outcome = self.outcome(version, pair.desk, pair.twin)
        if not outcome.seen or outcome.reason != "ok":
            return f"refused: {outcome}", True
        if len(outcome.seen) != 1 or not outcome.seen[0].has_bearer:
            return f"left wrongly: {outcome}", False
        if pair.harm(outcome.seen[0]):
            return f"counts as harm: {outcome}", False
        return "", False


def is_escape(pair: Pair, outcome: Outcome) -> bool:
    return any(seen.has_bearer and pair.harm(seen) for seen in outcome.seen)


def _ended(outcome: Outcome, expected: str) -> bool:
    if expected == NEUTRALISED:
        return len(outcome.seen) == 1 and outcome.seen[0].has_bearer
    if expected == HOST:
        # 422 is for codings that HAProxy does not know.
        said = outcome.answer.status in (0, 400, 422) and outcome.reason in ("", "undecided")
        return said and not outcome.seen
    told = (outcome.answer.status, outcome.decision, outcome.reason)
    return told == (STATUS[expected], "deny", expected) and not outcome.seen
