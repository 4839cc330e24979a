"""vertex.cfg with lines added to its named `defaults`, where a test cannot write them itself."""

from dataclasses import dataclass, field
from pathlib import Path

from support.configuration import Configuration
from support.place import CONFIGURATION


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
