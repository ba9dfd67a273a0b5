"""Rows of a terminal that are written over in place.

They are written over and never erased first, which is what flickers; all of them are written
each time, so that they heal from whatever else was written there. Where the terminal's size has
changed nobody knows where they stand, as it may have wrapped them, scrolled them off or fetched
them back: they then begin at its top, and take the whole of it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import IO

from sfcutover.output.streams import discard

Size = tuple[int, int]  # columns and rows of a terminal
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_TOP = "\x1b[H"
_ERASE_REST_OF_ROW, _ERASE_BELOW = "\x1b[K", "\x1b[J"


class Paper:
    """Begins in the cursor's row and leaves the cursor in the one below the last."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._written = 0  # rows that stand there
        self._size: Size | None = None  # when they were written

    def write(self, rows: Sequence[str], size: Size) -> None:
        """Put these rows, none of them too wide, in place of the last ones."""
        text = "".join(f"{row}{_ERASE_REST_OF_ROW}\n" for row in rows)
        self._send(f"{self._start(size)}{text}{_ERASE_BELOW}")
        self._written, self._size = len(rows), size

    def _start(self, size: Size) -> str:
        if not self._written:
            return f"{_HIDE_CURSOR}\r"
        return f"\x1b[{self._written}A\r" if size == self._size else _TOP

    def leave(self) -> None:
        """Give the cursor back."""
        if self._written:
            self._send(_SHOW_CURSOR)

    def _send(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except OSError:
            discard(sys.stderr)  # the terminal is gone; the run goes on
