"""The module reads HAProxy's lines as HAProxy does: the vectors of src/haproxy/words.rs and
condition.rs, asked of HAProxy itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.wire.http1 import once
from support.world.configuration import Written
from support.world.haproxy import Haproxy
from support.world.place import ROOT, free_port, haproxy_version

VECTORS = json.loads((ROOT / "tests/vectors/words.json").read_text())
CONDITIONS = json.loads((ROOT / "tests/vectors/conditions.json").read_text())

# An action for each count of words; it tells them in hexadecimal digits.
SCRIPT = """
for count = 0, 9 do
  core.register_action("words" .. count, { "http-req" }, function(txn, ...)
    local words = { ... }
    for place, word in ipairs(words) do
      words[place] = word:gsub(".", function(sign) return string.format("%02x", sign:byte()) end)
    end
    txn:set_var("txn.words", #words .. ":" .. table.concat(words, ","))
  end, count)
end
"""


def expected(vector: dict[str, Any]) -> list[str] | None:
    words = vector["words"]
    return vector.get("before_2.7", words) if haproxy_version() < (2, 7) else words


def is_askable(vector: dict[str, Any]) -> bool:
    """HAProxy takes an empty word for the end of the line."""
    words = expected(vector)
    return words is not None and "" not in words


def frontend(vector: dict[str, Any], port: int, count: int) -> str:
    return (
        f"frontend f{port}\n    bind 127.0.0.1:{port}\n"
        f"    http-request lua.words{count} {vector['line']}\n"
        '    http-request return status 200 content-type text/plain lf-string "%[var(txn.words)]"\n'
    )


def asking(folder: Path, *sections: str) -> Haproxy:
    (folder / "words.lua").write_text(SCRIPT)
    head = (
        "global\n    .if version_atleast(3.1)\n    tune.lua.bool-sample-conversion normal\n    .endif\n"
        f"    lua-load {folder}/words.lua\n"
        "defaults\n    mode http\n    timeout client 5s\n"
    )
    own = head + "".join(sections)
    return Haproxy(Written(own=own, environment=VECTORS["environment"]))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """The words that HAProxy hands an action, by line."""
    askable = [(vector, free_port()) for vector in VECTORS["lines"] if is_askable(vector)]
    sections = [frontend(vector, port, len(expected(vector) or [])) for vector, port in askable]
    with asking(tmp_path_factory.mktemp("words"), *sections):
        found = {}
        for vector, port in askable:
            answer = once(port, "GET", "/", {}, b"").body.decode()
            count, _, words = answer.partition(":")
            texts = [bytes.fromhex(word).decode() for word in words.split(",")]
            found[vector["line"]] = texts[: int(count)]
        yield found


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS["lines"] if is_askable(v)], ids=lambda vector: vector["line"]
)
def test_haproxy_reads_the_words_of_a_line_so(
    told: dict[str, list[str]], vector: dict[str, Any]
) -> None:
    assert told[vector["line"]] == expected(vector)


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS["lines"] if not is_askable(v)], ids=lambda vector: vector["line"]
)
def test_haproxy_refuses_a_line(vector: dict[str, Any], tmp_path: Path) -> None:
    count = len(expected(vector) or [])
    for line, status in ((vector["line"], 1), ("a " * count, 0)):
        haproxy = asking(tmp_path, frontend({"line": line}, free_port(), count))
        check = haproxy.check()
        haproxy.remove()
        assert check.status == status, check.output


def test_haproxy_decides_conditions_so() -> None:
    lines = ["global"]
    for place, vector in enumerate(CONDITIONS["conditions"]):
        lines += [f".if {vector['text']}", f"    .notice <{place}>", ".endif"]
    # Without a listener HAProxy's check has no status of its own.
    listener = f"frontend f\n    bind 127.0.0.1:{free_port()}\n    timeout client 5s\n"
    own = "\n".join([*lines, listener])
    haproxy = Haproxy(Written(own=own, environment=CONDITIONS["environment"]))
    check = haproxy.check()
    haproxy.remove()
    assert check.status == 0, check.output
    for place, vector in enumerate(CONDITIONS["conditions"]):
        assert (f"<{place}>" in check.output) == vector["holds"], vector
