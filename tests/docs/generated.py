"""The generated parts of pages: ``python -m tests.docs.generated`` writes them again.

A page holds each between ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``; the rest of the
page is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.docs.commands import commands
from tests.docs.keys import keys
from tests.docs.tables import exit_codes, schemas

ROOT = Path(__file__).parents[2]
PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "keys": keys,
    "exit codes": exit_codes,
    "schemas": schemas,
}
_PART = re.compile(
    r"(?P<head><!-- generated: (?P<name>[a-z ]+) -->\n).*?(?P<end><!-- end of (?P=name) -->)",
    re.DOTALL,
)


def pages() -> list[Path]:
    """Every page of docs/."""
    return sorted((ROOT / "docs").rglob("*.md"))


def renewed(text: str) -> str:
    """The page's text with up-to-date generated parts."""
    return _PART.sub(_renewed_part, text)


def _renewed_part(found: re.Match[str]) -> str:
    return f"{found['head']}\n{PARTS[found['name']]().strip()}\n\n{found['end']}"


def names_in(text: str) -> list[str]:
    """The generated parts that a page contains."""
    return [found["name"] for found in _PART.finditer(text)]


def write() -> None:
    """Write the generated parts of every page."""
    for page in pages():
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
