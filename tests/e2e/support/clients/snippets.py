"""The code in docs/callers.md, which the tests run as it stands there."""

import re
from typing import Any

from support.world.place import ROOT

PAGE = "docs/callers.md"
GATEWAY = "https://gateway.example"

_HEADING = re.compile(r"^#+ (.+)$", re.M)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def snippets(page: str = PAGE) -> dict[str, list[tuple[str, str]]]:
    """By heading: language and text of each block below it."""
    found: dict[str, list[tuple[str, str]]] = {}
    text = (ROOT / page).read_text()
    for block in _BLOCK.finditer(text):
        heading = _HEADING.findall(text[: block.start()])[-1]
        found.setdefault(heading, []).append((block[1], block[2]))
    return found


def snippet(heading: str, language: str = "python") -> str:
    """The one block in this language below this heading."""
    [text] = [text for name, text in snippets()[heading] if name == language]
    return text


def run(heading: str, url: str, **names: Any) -> dict[str, Any]:
    """Runs it against the gateway at `url`; returns what it has defined."""
    namespace: dict[str, Any] = {"__name__": "callers", **names}
    code = snippet(heading).replace(GATEWAY, url)
    exec(compile(code, f"{PAGE}: {heading}", "exec"), namespace)
    return namespace
