"""A run as it goes, at a terminal: one screen that is drawn over in place, and stays at the end."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from rich.console import Console

from sfcutover.output.events import event_line
from sfcutover.output.livelines import fitting
from sfcutover.output.livelook import Look, marks_for
from sfcutover.output.livepaper import Paper
from sfcutover.output.liverows import Rows
from sfcutover.output.livescreen import NOTES, Command, screen
from sfcutover.output.settings import Settings
from sfcutover.runs.journal import Event
from sfcutover.runs.progress import RunProgress

_INTERVAL = 0.2  # seconds between two pictures where nothing has happened
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

    whole = True

    def __init__(
        self,
        settings: Settings,
        command: Command = _sfcutover,
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._console = console or _console(settings)
        self._command = command
        self._clock = clock
        self._marks = marks_for(getattr(self._console.file, "encoding", None), os.environ)
        self._rows = Rows(self._marks, color=bool(self._console.color_system))
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
        room = max(1, height - 1)  # the cursor has a row of its own
        if not left:
            lines = fitting(
                lines, room, lambda line: len(self._rows.of(line, look.width)), self._marks.cut
            )
        rows = [row for line in lines for row in self._rows.of(line, look.width)]
        self._paper.write(rows if left else rows[-room:], (width, height))


def _console(settings: Settings) -> Console:
    plain = settings.color is False
    return Console(
        stderr=True, color_system=None if plain else "auto", highlight=False, emoji=False
    )
