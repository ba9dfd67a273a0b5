"""CONTRIBUTING.md names only make targets, folders and files that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", TEXT))
    assert len(named) > 5
    assert named <= targets


def test_every_package_and_file_exists() -> None:
    house = TEXT.split("## The house")[1].split("```")[1]
    package = house.split("sfcutover/\n")[1].split("templates/")[0]
    named = set(re.findall(r"(?:^  |  )([a-z_]+(?:/|\.py))(?= )", package, re.MULTILINE))
    assert len(named) > 10
    assert [each for each in sorted(named) if not (ROOT / "sfcutover" / each).exists()] == []
