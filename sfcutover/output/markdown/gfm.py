"""GitHub-flavoured Markdown around texts that others wrote: an org's names and descriptions.

Such a text stands in code, inline or in a block: nowhere else does GitHub leave mentions,
references and addresses as they are, whatever is escaped. Code in a table escapes the pipe, too
(GitHub Flavored Markdown Spec, 4.10 and 6.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NOT_IN_A_MARKER = re.compile(r"[^A-Za-z0-9._-]")
_ROWS = 8  # of a table that is not folded
_BACKTICKS = re.compile("`+")


def marker(kind: str, *names: str) -> str:
    """A comment that GitHub does not show, by which a workflow finds its own text again."""
    words = (_NOT_IN_A_MARKER.sub("-", each) for each in (kind, *names))
    return f"<!-- sfcutover:{':'.join(words)} -->"


def one_line(text: str) -> str:
    """The text on one line, without anything that could move a cursor or turn the direction."""
    return "".join(each if each.isprintable() else "·" for each in " ".join(text.split()))


def code(text: str) -> str:
    """Inline code that shows the text as it is."""
    shown = one_line(text) or "(empty)"
    ticks = "`" * (_longest_run(shown) + 1)
    space = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{ticks}{space}{shown}{space}{ticks}"


def codes(texts: Iterable[str]) -> str:
    """Several, with commas."""
    return ", ".join(map(code, texts))


def block(lines: Iterable[str], language: str = "") -> list[str]:
    """A block of code whose fence is longer than any run of backticks in it."""
    body = list(map(_kept_line, lines))
    fence = "`" * max(3, _longest_run("\n".join(body)) + 1)
    return [f"{fence}{language}", *body, fence]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of cells that are Markdown; a column whose head ends in ``#`` is of numbers."""
    columns = [each.removesuffix("#") for each in head]
    rules = ["--:" if each.endswith("#") else "---" for each in head]
    return [_row(columns), _row(rules), *map(_row, rows)]


def table_or_folded(what: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table, folded where it is long. what: it shows, in our own words."""
    lines = table(head, rows)
    return lines if len(rows) <= _ROWS else folded(what, lines)


def folded(summary: str, lines: Iterable[str]) -> list[str]:
    """What a reader has to unfold. summary: of our own words only."""
    return ["<details>", f"<summary>{summary}</summary>", "", *lines, "", "</details>"]


def shortened(text: str, most: int) -> str:
    """The beginning of a text that has more characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def counted(count: int, one: str, several: str | None = None) -> str:
    """``1 entry``, ``2,560 entries``."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |"


def _kept_line(text: str) -> str:
    return "".join(each if each.isprintable() else "·" for each in text)


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)
