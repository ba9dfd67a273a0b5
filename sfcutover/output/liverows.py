"""Lines as the rows of a terminal: cleaned, wrapped or cut at words, and with colours."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from sfcutover.output.livelines import Line, shortened
from sfcutover.output.livelook import ASCII, Marks
from sfcutover.output.streams import presentable

_COMMAND_GOES_ON = " \\"
_STYLES = {
    "": "",
    "dim": "dim",
    "bold": "bold",
    "good": "green",
    "warn": "bold yellow",
    "bad": "bold red",
    "alarm": "bold white on red",
}


class Rows:
    """Makes the rows of a line. No row is wider than it is told."""

    def __init__(self, marks: Marks, *, color: bool) -> None:
        self._marks = marks
        self._painter = _painter(color=color)

    def of(self, line: Line, width: int) -> list[str]:
        """One row, or as many as the line takes. width: columns."""
        text = Text.assemble(*((self._clean(part), _STYLES[style]) for part, style in line.spans))
        indent = line.indent
        if line.command:
            indent = max(0, min(indent, width - text.cell_len))
        room = max(1, width - indent)
        rows = self._wrapped(text, room, line) if line.whole else [text]
        for row in rows:
            self._shorten(row, room)
            row.rstrip()
            row.pad_left(indent)
        return [self._painted(row) for row in rows]

    def _wrapped(self, text: Text, room: int, line: Line) -> list[Text]:
        if text.cell_len <= room:
            return [text]
        joint = _COMMAND_GOES_ON if line.command else ""
        rows = list(text.wrap(self._painter, max(1, room - len(joint))))
        for row in rows[:-1]:
            row.rstrip()
            row.append(joint)
        return rows

    def _shorten(self, row: Text, room: int) -> None:
        """Cut a row that is too wide at a word, with a sign."""
        if row.cell_len <= room:
            return
        kept, sign = shortened(row.plain, room, self._marks.cut)
        row.right_crop(len(row.plain) - len(kept))
        row.truncate(max(0, room - len(sign)), overflow="crop")  # a wide character
        row.append(sign)
        row.truncate(room, overflow="crop")

    def _painted(self, text: Text) -> str:
        with self._painter.capture() as captured:
            self._painter.print(text, end="", no_wrap=True, overflow="ignore", crop=False)
        return captured.get()

    def _clean(self, text: str) -> str:
        """Masked, and with nothing that a terminal would obey or can't show."""
        shown = "".join(char if char.isprintable() else "·" for char in presentable(text))
        return shown.encode("ascii", "backslashreplace").decode() if self._marks is ASCII else shown


def _painter(*, color: bool) -> Console:
    """Writes nothing anywhere: rich ends the process where it can't."""
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system="standard" if color else None,
        highlight=False,
    )
