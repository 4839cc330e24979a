"""A changed copy of vertex.cfg, and what a user may have around our rules."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from support.world.configuration import Configuration, section
from support.world.place import CONFIGURATION
from support.world.standin import Standin


@dataclass
class ChangedRules(Configuration):
    """With what `changed` makes of vertex.cfg in its place."""

    def changed(self, rules: str) -> str:
        raise NotImplementedError

    def file_arguments(self, own: Path) -> list[str]:
        file = own.with_name("vertex.cfg")
        file.write_text(self.changed(CONFIGURATION.read_text()))
        arguments = super().file_arguments(own)
        return [str(file) if part == str(CONFIGURATION) else part for part in arguments]


def replaced(rules: str, changes: Iterable[tuple[str, str]]) -> str:
    """Each old text stands there once."""
    for old, new in changes:
        if rules.count(old) != 1:
            raise ValueError(f"vertex.cfg does not have once: {old!r}")
        rules = rules.replace(old, new)
    return rules


@dataclass
class Extended(ChangedRules):
    """`added`: lines by the name of their `defaults` section."""

    added: dict[str, str] = field(default_factory=dict)

    def changed(self, rules: str) -> str:
        heads = {f"defaults {name}\n": line for name, line in self.added.items()}
        return replaced(rules, ((head, f"{head}    {line}\n") for head, line in heads.items()))


def elsewhere(standin: Standin) -> str:
    """A backend `elsewhere` without our rules; what gets there is recorded as Google's."""
    server = f"server elsewhere 127.0.0.1:{standin.ports['google_http']}"
    lines = ["mode http", "timeout connect 2s", "timeout server 10s", server]
    return section("backend elsewhere", lines)
