"""How a run is looked at: with which marks, when, and on how wide a screen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sfcutover.runs.progress import RunProgress

_SPINS = 5  # a second


@dataclass(frozen=True)
class Marks:
    """What can be told without colour. spinner: one after the other. full, empty: of a bar.

    cut: what a row ends in where it is cut.
    """

    waiting: str = " ·"
    spinner: tuple[str, ...] = tuple(f" {each}" for each in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
    left: str = " …"
    paused: str = " ‖"
    done: str = " ✓"
    skipped: str = " –"
    failed: str = " ✗"
    undecided: str = " ?"
    full: str = "█"
    empty: str = "░"
    rule: str = "━"
    cut: str = "…"


ASCII = Marks(
    waiting="[  ]",
    spinner=("[. ]", "[ .]"),
    left="[..]",
    paused="[||]",
    done="[ok]",
    skipped="[--]",
    failed="[XX]",
    undecided="[??]",
    full="#",
    empty="-",
    rule="=",
    cut="...",
)
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")  # what Python sets for LC_CTYPE in the C locale


def marks_for(encoding: str | None, environment: Mapping[str, str]) -> Marks:
    """ASCII where the stream or the locale has no others: the terminal may not, either."""
    names = [environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if names[1] in _COERCED:
        names[1] = ""
    chosen = next(filter(None, names), "C")
    return Marks() if all(map(_is_utf8, (encoding or "", chosen))) else ASCII


def _is_utf8(name: str) -> bool:
    return "utf8" in name.lower().replace("-", "")


@dataclass(frozen=True)
class Look:
    """One look at a run. now: seconds since 1970. width: columns.

    left: True for the last look, which stays on the screen.
    """

    progress: RunProgress
    marks: Marks
    now: float
    width: int
    left: bool = False

    @property
    def goes_no_further(self) -> bool:
        """True if no step forwards will be begun."""
        return self.progress.ended is not None or self.progress.rollback is not None

    @property
    def running(self) -> str:
        """The mark of what is under way, which turns."""
        frames = self.marks.spinner
        return self.marks.left if self.left else frames[int(self.now * _SPINS) % len(frames)]
