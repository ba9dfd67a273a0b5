"""A terminal for tests: what a person would see of what was written to it.

It knows what the live view uses and fails at anything else. When it is made narrower it wraps
what stands there, and when it is made higher it fetches back what has scrolled away, as terminals
of today do.
"""

from __future__ import annotations

import io
import re

_SEQUENCE = re.compile(r"\x1b\[(\?25[lh]|[0-9;]*[A-Za-z])")
_BEGUN = re.compile(r"\x1b(\[[?0-9;]*)?")


class Terminal(io.StringIO):
    """A file that shows its text. row, and top of the screen, count from the first line written.

    wraps: too wide a row goes on in the next one, and is no failure.
    """

    def __init__(
        self, width: int = 80, height: int = 24, encoding: str = "utf-8", *, wraps: bool = False
    ) -> None:
        super().__init__()
        self.width, self.height, self.wraps = width, height, wraps
        self.lines: list[str] = [""]
        self.row = self.column = self.top = 0
        self.cursor_shown = True
        self.pictures = 0
        self.styles: set[str] = set()
        self._encoding = encoding
        self._begun = ""  # of a sequence

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    @property
    def screen(self) -> list[str]:
        """The rows in sight, without what is blank at their ends."""
        return [line.rstrip() for line in self.lines[self.top :]]

    @property
    def text(self) -> str:
        """Everything, with what has scrolled away."""
        return "\n".join(line.rstrip() for line in self.lines).rstrip("\n")

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
        """Wrap what stands there to a smaller width; the cursor stays in sight."""
        at = 0
        wrapped: list[str] = []
        for number, line in enumerate(self.lines):
            if number == self.row:
                at = len(wrapped)
            filled = line.rstrip() or " "
            wrapped += [filled[i : i + width] for i in range(0, len(filled), width)]
        fetched = max(0, height - self.height)
        self.lines, self.row = wrapped, at
        self.width, self.height = width, height
        self.top = max(0, self.top - fetched, len(wrapped) - height)

    def press_return(self) -> None:
        """What a person types is echoed where the cursor is."""
        self.write("\n")

    def _put(self, char: str) -> None:
        match char:
            case "\n":  # as the terminal's driver has it, with a carriage return
                self.row, self.column = self.row + 1, 0
                self.lines += [""] * (self.row + 1 - len(self.lines))
                self.top = max(self.top, self.row + 1 - self.height)
            case "\r":
                self.column = 0
            case _:
                assert char.isprintable(), f"a terminal would obey {char!r}"
                if self.column == self.width:
                    assert self.wraps, f"too wide: {self.lines[self.row]!r}"
                    self._put("\n")
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + char + line[self.column + 1 :]
                self.column += 1

    def _obey(self, sequence: str) -> None:
        match sequence[-1]:
            case "A":
                self.row = max(self.top, self.row - int(sequence[:-1]))
            case "H":
                assert sequence == "H", f"to the top only: {sequence!r}"
                self.row, self.column = self.top, 0
            case "K":
                self.lines[self.row] = self.lines[self.row][: self.column]
            case "J":
                self.lines[self.row] = self.lines[self.row][: self.column]
                del self.lines[self.row + 1 :]
            case "h" | "l":
                self.cursor_shown = sequence[-1] == "h"
            case "m":
                self.styles.add(sequence)
            case _:
                raise AssertionError(f"an unknown sequence: {sequence!r}")
