"""What a user may have around our rules: lines in the named `defaults`, backends of his own."""

from dataclasses import dataclass, field
from pathlib import Path

from support.world.configuration import Configuration, section
from support.world.place import CONFIGURATION
from support.world.standin import Standin


@dataclass
class Extended(Configuration):
    """`added`: lines by the name of their `defaults` section."""

    added: dict[str, str] = field(default_factory=dict)

    def file_arguments(self, own: Path) -> list[str]:
        text = CONFIGURATION.read_text()
        for name, line in self.added.items():
            head = f"defaults {name}\n"
            if text.count(head) != 1:
                raise ValueError(f"not one section {head!r} in {CONFIGURATION}")
            text = text.replace(head, f"{head}    {line}\n")
        changed = own.with_name("vertex.cfg")
        changed.write_text(text)
        arguments = super().file_arguments(own)
        return [str(changed) if part == str(CONFIGURATION) else part for part in arguments]


def elsewhere(standin: Standin) -> str:
    """A backend `elsewhere` without our rules; what gets there is recorded as Google's."""
    server = f"server elsewhere 127.0.0.1:{standin.ports['google_http']}"
    lines = ["mode http", "timeout connect 2s", "timeout server 10s", server]
    return section("backend elsewhere", lines)
