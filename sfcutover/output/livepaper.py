"""Rows of a terminal that are written over in place.

They are written over and never erased first, which is what flickers; all of them are written
each time, so that they heal from whatever else was written there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import IO

from sfcutover.output.streams import discard

Row = tuple[str, int]  # as the terminal takes it, with colours, and how many columns it fills
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_ERASE_REST_OF_ROW, _ERASE_BELOW = "\x1b[K", "\x1b[J"


class Paper:
    """Begins in the cursor's row and leaves the cursor in the one below the last."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._filled: list[int] = []  # columns of the rows that stand there

    def write(self, rows: Sequence[Row], width: int) -> None:
        """Put these rows in place of the last ones. width: of the terminal, in columns."""
        up = sum(max(1, -(-columns // width)) for columns in self._filled)  # narrower, they wrap
        start = f"\x1b[{up}A\r" if up else f"{_HIDE_CURSOR}\r"
        text = "".join(f"{row}{_ERASE_REST_OF_ROW}\n" for row, _ in rows)
        self._send(f"{start}{text}{_ERASE_BELOW}")
        self._filled = [columns for _, columns in rows]

    def leave(self) -> None:
        """Give the cursor back."""
        if self._filled:
            self._send(_SHOW_CURSOR)

    def _send(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except OSError:
            discard(sys.stderr)  # the terminal is gone; the run goes on
