"""What the jobs of a pipeline pass to each other."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Artifacts:
    """Folders that jobs pass to each other, by name."""

    folder: Path

    def keep(self, name: str, root: Path, patterns: Sequence[str]) -> list[str]:
        """Copy the matching files with their paths below root; return the paths."""
        found = [path for pattern in patterns for path in _files(root, pattern)]
        for path in found:
            to = self.folder / name / path.relative_to(root)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)  # as a CI system: no modes
        return [str(path.relative_to(root)) for path in found]

    def names(self, pattern: str) -> list[str]:
        return sorted(each.name for each in self.folder.glob(pattern))

    def drop(self, name: str) -> None:
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def lay_out(self, name: str, to: Path) -> None:
        """Copy an artifact's files below a folder."""
        shutil.copytree(self.folder / name, to, dirs_exist_ok=True)

    def read(self, name: str, path: str) -> str:
        """The text of a file; empty if it does not exist."""
        file = self.folder / name / path
        return file.read_text(encoding="utf-8") if file.exists() else ""


def _files(root: Path, pattern: str) -> list[Path]:
    matches = sorted(root.glob(pattern.removesuffix("/")))
    return [
        file
        for match in matches
        for file in ([match] if match.is_file() else sorted(match.rglob("*")))
        if file.is_file()
    ]
