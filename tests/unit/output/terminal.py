"""A terminal for tests: shows what its user would see of the output.

It knows the sequences that the live view uses and fails at any other. When it is made narrower it
wraps what its normal screen holds, and when it is made higher it fetches back what has scrolled
away, as current terminals do. Its alternate screen is truncated instead, and keeps nothing that
scrolls away.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field

_SEQUENCE = re.compile(r"\x1b\[(\?(?:25|1049)[lh]|[0-9;]*[A-Za-z])")
_BEGUN = re.compile(r"\x1b(\[[?0-9;]*)?")


@dataclass
class Screen:
    """Lines and the cursor. row, and top of the visible part, count from the first line."""

    lines: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0
    top: int = 0

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines).rstrip("\n")


class Terminal(io.StringIO):
    """A file that shows its text.

    wraps: a row that is too wide continues in the next one, and is no failure.
    """

    def __init__(
        self, width: int = 80, height: int = 24, encoding: str = "utf-8", *, wraps: bool = False
    ) -> None:
        super().__init__()
        self.width, self.height, self.wraps = width, height, wraps
        self.normal = Screen()
        self.alternate: Screen | None = None
        self.cursor_shown = True
        self.lost = 0  # rows that have scrolled off the alternate screen
        self.pictures = 0
        self.styles: set[str] = set()
        self._encoding = encoding
        self._begun = ""  # of a sequence

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    @property
    def screen(self) -> list[str]:
        """The visible rows, without blanks at their ends and below them."""
        shown = self._shown
        return Screen(shown.lines[shown.top :]).text.split("\n")

    @property
    def text(self) -> str:
        """Everything on the normal screen, with what has scrolled away."""
        return self.normal.text

    @property
    def _shown(self) -> Screen:
        return self.alternate or self.normal

    def write(self, text: str) -> int:
        self.pictures += 1
        rest = self._begun + text
        while rest and not _BEGUN.fullmatch(rest):
            found = _SEQUENCE.match(rest)
            if found:
                self._obey(found.group(1))
            else:
                self._put(rest[0])
            rest = rest[found.end() if found else 1 :]
        self._begun = rest
        return len(text)

    def resize(self, width: int, height: int) -> None:
        """Wrap the text to a smaller width; the cursor stays visible."""
        self._wrap(self.normal, width, height)
        if self.alternate is not None:
            lines = [line[:width] for line in self.alternate.lines[:height]]
            self.alternate = Screen(lines, min(self.alternate.row, height - 1))
        self.width, self.height = width, height

    def _wrap(self, screen: Screen, width: int, height: int) -> None:
        at = 0
        wrapped: list[str] = []
        for number, line in enumerate(screen.lines):
            if number == screen.row:
                at = len(wrapped)
            filled = line.rstrip() or " "
            wrapped += [filled[i : i + width] for i in range(0, len(filled), width)]
        fetched = max(0, height - self.height)
        screen.lines, screen.row = wrapped, at
        screen.top = max(0, screen.top - fetched, len(wrapped) - height)

    def press_return(self) -> None:
        """The operator's input is echoed at the cursor."""
        self.write("\n")

    def _put(self, char: str) -> None:
        at = self._shown
        match char:
            case "\n":  # as the terminal's driver echoes it, with a carriage return
                at.row, at.column = at.row + 1, 0
                at.lines += [""] * (at.row + 1 - len(at.lines))
                at.top = max(at.top, at.row + 1 - self.height)
                if at is self.alternate:
                    self.lost += at.top
                    del at.lines[: at.top]
                    at.row, at.top = at.row - at.top, 0
            case "\r":
                at.column = 0
            case _:
                assert char.isprintable(), f"a terminal would obey {char!r}"
                if at.column == self.width:
                    assert self.wraps, f"too wide: {at.lines[at.row]!r}"
                    self._put("\n")
                line = at.lines[at.row].ljust(at.column)
                at.lines[at.row] = line[: at.column] + char + line[at.column + 1 :]
                at.column += 1

    def _obey(self, sequence: str) -> None:
        at = self._shown
        match sequence:
            case "H":
                at.row, at.column = at.top, 0
            case "K":
                at.lines[at.row] = at.lines[at.row][: at.column]
            case "?25h" | "?25l":
                self.cursor_shown = sequence == "?25h"
            case "?1049h":
                self.alternate = Screen()
            case "?1049l":
                self.alternate = None
            case _:
                assert sequence.endswith("m"), f"an unknown sequence: {sequence!r}"
                self.styles.add(sequence)
