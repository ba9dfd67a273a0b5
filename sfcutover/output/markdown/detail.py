"""How much of its entries a comment shows, so that it fits: less and less, but every removal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sfcutover.errors import LimitError

LONGEST = 65_000  # GitHub takes 65,536 characters for a comment


@dataclass(frozen=True)
class Detail:
    """descriptions: the most characters of each, 0 for none. values: of a field. lists: the lists
    as they were read. additions: what is added, and notes; else they are counted. entries: removals
    as the entries of the list; else as addresses, which are alike on more targets.
    """

    descriptions: int
    values: int = 200
    lists: bool = False
    additions: bool = True
    entries: bool = True

    @property
    def left_out(self) -> str:
        """What this shows less of than all, in words; empty for all."""
        parts = {
            "the lists as they were read are counted": not self.lists,
            f"descriptions end after {self.descriptions} characters": 0 < self.descriptions < _FULL,
            "descriptions are left out": not self.descriptions,
            "additions and notes are counted": not self.additions,
            "removals are shown as addresses, neighbours joined": not self.entries,
        }
        return "; ".join(words for words, holds in parts.items() if holds)


_FULL = 255
LEVELS = (
    Detail(_FULL, lists=True),
    Detail(_FULL),
    Detail(40),
    Detail(0, lists=True),
    Detail(0),
    Detail(0, values=80, additions=False),
    Detail(0, values=80, additions=False, entries=False),
)


def fitted(build: Callable[[Detail], str], longest: int = LONGEST) -> str:
    """The text with as much detail as so many characters take. Raises LimitError where even all the
    removals do not fit: none of them is ever cut off."""
    texts = (build(each) for each in LEVELS)
    for text in texts:
        if len(text) <= longest:
            return text
    raise LimitError(
        f"the removals alone need more than {longest:,} characters, the most of one comment",
        hint="show fewer targets with --target, or take --format text",
    )
