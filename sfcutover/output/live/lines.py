"""What the live view shows before it is drawn: marks, and lines of styled spans. Pure.

Where there is less room than lines, the lightest lines are left out, the oldest of them first, and
one line says how many.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sfcutover.cutover.progress import RunProgress, StepState

Style = Literal["", "dim", "bold", "good", "warn", "bad", "alarm"]
Span = tuple[str, Style]
_SPINS = 5  # a second


@dataclass(frozen=True)
class Marks:
    """Signs that need no colour. spinner: one after the other. full, empty: of a bar.

    cut: the end of a row that is cut.
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
class Picture:
    """What one picture is drawn from. now: seconds since 1970. width: columns.

    details: the newest words about each step, by step and target. left: True for the last
    picture, which stays on the screen. takes_keys: True if keys answer a pause.
    ends_at_pause: True if the command ends at a pause, with an error that states it.
    executes: True if this process executes the run, which stops with it.
    """

    progress: RunProgress
    details: Mapping[tuple[str, str | None], str]
    marks: Marks
    now: float
    width: int
    left: bool = False
    takes_keys: bool = False
    ends_at_pause: bool = False
    executes: bool = True

    def detail_of(self, step: StepState) -> str:
        """The newest words about it, empty where there are none."""
        return self.details.get((step.name, step.target), "")

    @property
    def goes_no_further(self) -> bool:
        """True if no further step forwards starts."""
        return self.progress.ended is not None or self.progress.rollback is not None

    @property
    def running(self) -> str:
        """The mark of a running step, which turns."""
        frames = self.marks.spinner
        return self.marks.left if self.left else frames[int(self.now * _SPINS) % len(frames)]


class Weight(enum.IntEnum):
    """What a line is worth."""

    SPACE = 0
    NOTE = 1
    EDGE = 2
    DONE = 3
    ADDRESS = 4
    TO_COME = 5
    DETAIL = 6
    ADVICE = 7
    RUNNING = 8
    ALARM = 9


_LEFT_OUT = {  # what a line that counts the missing ones calls them: one, several
    Weight.DONE: ("step done", "steps done"),
    Weight.ADDRESS: ("address", "addresses"),
    Weight.TO_COME: ("to come", "to come"),
    Weight.DETAIL: ("line", "lines"),
}


@dataclass(frozen=True)
class Line:
    """indent: columns. whole: where it is too long it continues in the next rows, and isn't cut.

    command: to be copied: in one row where that is possible, else in rows that a shell joins.
    """

    spans: tuple[Span, ...]
    weight: Weight
    indent: int = 0
    whole: bool = False
    command: bool = False

    @classmethod
    def of(
        cls, text: str, style: Style, weight: Weight, indent: int = 0, *, whole: bool = False
    ) -> Line:
        return cls(((text, style),), weight, indent, whole)


SPACE = Line((), Weight.SPACE)


def fitting(
    lines: Sequence[Line], rows: int, height: Callable[[Line], int], sign: str
) -> list[Line]:
    """The lines there is room for, and one that begins with the sign and counts the others.

    height: of a line, in rows.
    """
    heights = [height(line) for line in lines]
    by_weight = sorted(range(len(lines)), key=lambda place: lines[place].weight)
    for count in range(len(lines) + 1):
        gone = by_weight[:count]
        missing = _missing([lines[place] for place in gone], sign)
        if sum(heights) - sum(heights[place] for place in gone) + len(missing) <= rows:
            break
    first = min((place for place in gone if lines[place].weight in _LEFT_OUT), default=0)
    kept = [(place, line) for place, line in enumerate(lines) if place not in gone]
    above, below = ([line for place, line in kept if (place < first) is up] for up in (True, False))
    return [*above, *missing, *below]


def _missing(gone: Sequence[Line], sign: str) -> list[Line]:
    """No line where even an alarm has no room."""
    counts = Counter(line.weight for line in gone)
    words = [
        f"{counts[weight]} {names[counts[weight] > 1]}"
        for weight, names in _LEFT_OUT.items()
        if counts[weight]
    ]
    if not words or counts[Weight.ALARM]:
        return []
    return [Line.of(f"{sign} {', '.join(words)}", "dim", Weight.DETAIL, 1)]


def shortened(text: str, columns: int, sign: str) -> tuple[str, str]:
    """How much of a text that is too long is kept, and the sign that stands for the rest.

    Whole words are kept, as half an id or half a number would be taken for a whole one; of a
    first word that has no room, its beginning.
    """
    tail = f" {sign}"
    whole = text[: max(0, columns - len(tail)) + 1].rpartition(" ")[0].rstrip()
    return (whole, tail) if whole else (text[: max(0, columns - len(sign))], sign)
