"""What the Lua scripts register with HAProxy, and which native functions each callback uses: read
from the scripts themselves, so that no list has to be kept."""

import re
from pathlib import Path

_REGISTER = re.compile(r"core\.register_(\w+)\(")
_NATIVE = re.compile(r"\bnative\.(\w+)")
_REQUIRE = re.compile(r'local (\w+) = require\("([\w.]+)"\)')
_TEXT = re.compile(r'"([^"]*)"')

# The scripts' own text, outside all callbacks: it runs while HAProxy reads its configuration.
BODY = "body"


def callbacks(share: Path) -> dict[str, set[str]]:
    """`converters vertex_decide` and the like: the names of the native functions that it uses.

    A callback that is a function of another script uses all that this script uses, and the scripts
    that it requires.
    """
    found: dict[str, set[str]] = {BODY: set()}
    for script in sorted(share.rglob("*.lua")):
        text = script.read_text()
        modules = _modules(text, share)
        registered = _registrations(text)
        if len(registered) != text.count("register_") - text.count("filter.register_data_filter("):
            raise ValueError(f"{script.name} registers in a way that is not understood here")
        for kind, call in registered:
            name = _name(kind, call)
            if name in found:
                raise ValueError(f"two callbacks called {name!r}")
            found[name] = _natives_of(_without_calls(call), modules)
            text = text.replace(call, "")
        if registered:
            found[BODY] |= set(_NATIVE.findall(text))
    return found


def natives(share: Path) -> set[str]:
    """Every native function that any script uses."""
    return {
        name for script in share.rglob("*.lua") for name in _NATIVE.findall(script.read_text())
    }


def _registrations(text: str) -> list[tuple[str, str]]:
    """The kind and the arguments of each call, also of those inside another call."""
    return [(found[1], _arguments(text, found.end())) for found in _REGISTER.finditer(text)]


def _arguments(text: str, begin: int) -> str:
    depth = 1
    for end in range(begin, len(text)):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if not depth:
            return text[begin:end]
    raise ValueError(f"no end of the call at {text[begin : begin + 40]!r}")


def _without_calls(arguments: str) -> str:
    for _, inner in _registrations(arguments):
        arguments = arguments.replace(inner, "")
    return arguments


def _name(kind: str, arguments: str) -> str:
    """The kind, and what tells it from others of its kind: a text, a list of texts, a function."""
    first = re.match(r'\s*(\{[^}]*\}|"[^"]*"|(?!function\b)[\w.]+)', arguments)
    words = _TEXT.findall(first[1]) or [first[1]] if first else []
    return " ".join([kind, *words])


def _natives_of(arguments: str, modules: dict[str, Path]) -> set[str]:
    used = set(_NATIVE.findall(arguments))
    for name, script in modules.items():
        if script.is_file() and re.search(rf"\b{name}\.\w", arguments):
            text = script.read_text()
            used |= _natives_of(text, _modules(text, script.parents[1]))
    return used


def _modules(text: str, share: Path) -> dict[str, Path]:
    """The scripts that a text requires, by the names it gives them."""
    return {name: share / f"{path.replace('.', '/')}.lua" for name, path in _REQUIRE.findall(text)}
