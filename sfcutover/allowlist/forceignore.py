"""What .forceignore excludes: the patterns of .gitignore (Salesforce DX Developer Guide, "How to
Exclude Source"; gitignore(5)).

A pull request from a fork may bring any pattern, and a translation into one regular expression
would take exponential time for some. So a path is matched part by part, in at most the product of
both lengths. A backslash escapes nothing here but a leading ``#`` or ``!``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Pattern:
    """One line. parts: between its slashes. excludes: False for one with ``!``. folders_only: it
    ends in a slash."""

    parts: tuple[str, ...]
    excludes: bool
    folders_only: bool

    def matches(self, path: Sequence[str]) -> bool:
        """True for a path, given by its parts, and for all that is in a folder it matches."""
        last = len(path) - 1 if self.folders_only else len(path)
        return any(_matched(self.parts, path)[1 : last + 1])


def read_patterns(text: str) -> list[Pattern]:
    lines = (line.rstrip() for line in text.splitlines())
    return [_pattern(line) for line in lines if line.strip("/!") and line[0] != "#"]


def is_excluded(patterns: Iterable[Pattern], path: str) -> bool:
    """Whether a file is excluded: the last pattern that matches it decides. path: from the
    folder of .forceignore, with slashes."""
    parts = path.split("/")
    matching = [each.excludes for each in patterns if each.matches(parts)]
    return bool(matching) and matching[-1]


def _pattern(line: str) -> Pattern:
    excludes = line[0] != "!"
    body = line if excludes else line[1:]
    body = body[1:] if body[:2] in ("\\#", "\\!") else body
    parts = body.strip("/").split("/")
    # Without a slash, other than at its end, it matches at any depth.
    anchored = "/" in body.rstrip("/")
    return Pattern((*([] if anchored else ["**"]), *parts), excludes, body.endswith("/"))


def _matched(parts: Sequence[str], path: Sequence[str]) -> list[bool]:
    """For each number of names, whether all parts match just these first names of path.

    ``**`` stands for any number of folders, and at the end for at least one name.
    """
    reached = [True, *[False] * len(path)]
    for number, part in enumerate(parts):
        if part == "**":
            first = reached.index(True) if True in reached else len(reached)
            first += number == len(parts) - 1
            reached = [count >= first for count in range(len(reached))]
        else:
            reached = [
                count > 0 and reached[count - 1] and fnmatchcase(path[count - 1], part)
                for count in range(len(reached))
            ]
    return reached
