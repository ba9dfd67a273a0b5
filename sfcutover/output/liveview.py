"""A run as it goes, at a terminal: one screen that is drawn over in place, and stays at the end."""

from __future__ import annotations

import io
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from sfcutover.output.events import event_line
from sfcutover.output.livelines import Line, fitting
from sfcutover.output.livelook import ASCII, Look, marks_for
from sfcutover.output.livepaper import Paper, Row
from sfcutover.output.livescreen import NOTES, Command, screen
from sfcutover.output.settings import Settings
from sfcutover.output.streams import presentable
from sfcutover.runs.journal import Event
from sfcutover.runs.progress import RunProgress

_INTERVAL = 0.2  # seconds between two pictures where nothing has happened
_STYLES = {
    "": "",
    "dim": "dim",
    "bold": "bold",
    "good": "green",
    "warn": "bold yellow",
    "bad": "bold red",
    "alarm": "bold white on red",
}
_NOTED = (
    *("note", "approved", "verify-again", "deployment-unseen"),
    *("run-resumed", "taken-over", "rolling-back"),
)


def _sfcutover(*words: str) -> str:
    return " ".join(("sfcutover", *words))


class LiveView(AbstractContextManager["LiveView"]):
    """Shows one run. command: makes a command line that can be pasted.

    clock: seconds since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        command: Command = _sfcutover,
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._console = console or _console(settings)
        self._painter = _painter(self._console)
        self._command = command
        self._clock = clock
        self._marks = marks_for(getattr(self._console.file, "encoding", None), os.environ)
        self._paper = Paper(self._console.file)
        self._notes: deque[str] = deque(maxlen=NOTES)
        self._run = ""
        self._progress: RunProgress | None = None
        self._next = 0.0

    def show(self, event: Event, progress: RunProgress) -> None:
        """Take one more event into the next picture."""
        self._run, self._progress, self._next = event.run, progress, 0.0
        if event.kind in _NOTED and (line := event_line(event)):
            self._notes.append(line)

    def tick(self, progress: RunProgress) -> None:
        """Draw what is new, or how time goes on."""
        if (now := self._clock()) >= self._next:
            self._next = now + _INTERVAL
            self._draw(now)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._draw(self._clock(), left=True)
        finally:
            self._paper.leave()

    def _draw(self, now: float, *, left: bool = False) -> None:
        if self._progress is None:
            return
        width, height = self._console.size
        look = Look(self._progress, self._marks, now, width - 1, left)
        lines = screen(self._run, look, list(self._notes), self._command)
        rows = [self._rows(line, width - 1) for line in lines]
        if not left:  # the cursor has a row of its own
            heights = [(line, len(each)) for line, each in zip(lines, rows, strict=True)]
            rows = [rows[place] for place in fitting(heights, height - 1)]
        flat = [self._row(text) for texts in rows for text in texts]
        self._paper.write(flat if left else flat[-max(1, height - 1) :], width)

    def _rows(self, line: Line, width: int) -> list[Text]:
        """One row, or as many as it takes."""
        text = Text.assemble(*((self._clean(part), _STYLES[style]) for part, style in line.spans))
        room = max(1, width - line.indent)
        rows = list(text.wrap(self._painter, room)) if line.whole else [text]
        for row in rows:
            row.truncate(room, overflow="crop" if self._marks is ASCII else "ellipsis")
            row.rstrip()
            row.pad_left(line.indent)
        return rows

    def _row(self, text: Text) -> Row:
        with self._painter.capture() as captured:
            self._painter.print(text, end="", no_wrap=True, overflow="ignore", crop=False)
        return captured.get(), text.cell_len

    def _clean(self, text: str) -> str:
        """Masked, and with nothing that a terminal would obey or can't show."""
        shown = "".join(char if char.isprintable() else "·" for char in presentable(text))
        return shown.encode("ascii", "backslashreplace").decode() if self._marks is ASCII else shown


def _console(settings: Settings) -> Console:
    plain = settings.color is False
    return Console(
        stderr=True, color_system=None if plain else "auto", highlight=False, emoji=False
    )


def _painter(console: Console) -> Console:
    """Has colours where that one has, and writes nothing: rich ends the process where it can't."""
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system="standard" if console.color_system else None,
        highlight=False,
    )
