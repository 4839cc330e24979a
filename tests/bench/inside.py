"""The benchmarks inside the process: what Cargo.toml declares as `[[bench]]`. Each prints a JSON
object a line, one with its bar where it has one, and ends with status 1 when it missed one."""

import json
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from measure import Invalid


def declared(root: Path) -> list[str]:
    manifest = tomllib.loads((root / "Cargo.toml").read_text())
    return [bench["name"] for bench in manifest.get("bench", [])]


def run(cargo: str, root: Path, name: str) -> tuple[list[dict[str, Any]], bool]:
    """Its lines, and whether it held its bars."""
    command = [*shlex.split(cargo), "bench", "--locked", "--quiet", "--bench", name]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise Invalid(f"cargo bench --bench {name}: status {done.returncode}, {done.stdout!r}")
    return [json.loads(line) for line in lines], done.returncode == 0
