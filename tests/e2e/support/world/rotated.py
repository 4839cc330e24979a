"""A folder with a credential's file, whose content others replace while HAProxy runs."""

import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any

USER = "haproxy"


class RotatedFile:
    """Its folder and the file are open to HAProxy's user, as docs/google.md asks for."""

    def __init__(self, folder: Path, content: object, name: str = "key.json") -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        self.path = folder / name
        self._number = itertools.count()
        self.rename(content)

    def rename(self, content: object) -> None:
        """As `mv` does, and tools that write beside the file first."""
        new = self.folder / f".new-{next(self._number)}"
        self._write(new, content)
        new.replace(self.path)

    def write_in_place(self, content: object) -> None:
        self._write(self.path, content)

    def swap_link(self, content: object) -> None:
        """As Kubernetes does for a projected volume: the file is a link through `..data`."""
        version = self.folder / f"..{next(self._number)}"
        version.mkdir(mode=0o755)
        self._write(version / self.path.name, content)
        link = self.folder / f"..tmp-{next(self._number)}"
        link.symlink_to(version.name)
        link.replace(self.folder / "..data")
        if not self.path.is_symlink():
            self.path.unlink()
            self.path.symlink_to(f"..data/{self.path.name}")

    def close(self) -> None:
        """Only root can read it."""
        self.path.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(self.path, 0, 0)

    def open(self) -> None:
        """Root's, and its group is HAProxy's."""
        self.path.chmod(0o640)
        if os.geteuid() == 0:
            shutil.chown(self.path, "root", USER)

    def _write(self, path: Path, content: object) -> None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        path.chmod(0o640)
        if os.geteuid() == 0:
            shutil.chown(path, "root", USER)


def changed(key: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**key, **members}
