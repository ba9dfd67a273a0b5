"""A run on a terminal: one screen that is redrawn in place, and a last picture that stays."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sfcutover.cutover.progress import RunProgress
from sfcutover.output.console import Settings, presentable
from sfcutover.output.events import detail_text, event_line
from sfcutover.output.live.lines import ASCII, Line, Picture, fitting, marks_for, shortened
from sfcutover.output.live.screen import NOTES, screen
from sfcutover.runs.event import Event

_INTERVAL = 0.2  # seconds between two pictures where nothing has happened
_NOTED = (
    *("note", "approved", "verify-again", "deployment-never-received"),
    *("run-resumed", "taken-over", "rolling-back"),
)
_COMMAND_CONTINUES = " \\"
_STYLES = {
    "": "",
    "dim": "dim",
    "bold": "bold",
    "good": "green",
    "warn": "bold yellow",
    "bad": "bold red",
    "alarm": "bold white on red",
}


class LiveView(AbstractContextManager["LiveView"]):
    """Shows one run on the terminal's alternate screen, where a new size leaves nothing of an old
    picture. clock: seconds since 1970. takes_keys: True if keys answer a pause. ends_at_pause: True
    if the command ends at a pause, with an error that states it. executes: True if this process
    executes the run, which stops with it.
    """

    whole = True

    def __init__(
        self,
        settings: Settings,
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.time,
        takes_keys: bool = False,
        ends_at_pause: bool = False,
        executes: bool = True,
    ) -> None:
        self._console = console or _console(settings)
        self._clock = clock
        self._takes_keys = takes_keys
        self._ends_at_pause = ends_at_pause
        self._executes = executes
        self._marks = marks_for(getattr(self._console.file, "encoding", None), os.environ)
        self._live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._notes: deque[str] = deque(maxlen=NOTES)
        self._details: dict[tuple[str, str | None], str] = {}
        self._run = ""
        self._progress: RunProgress | None = None
        self._next = 0.0
        self._is_gone = False

    def show(self, event: Event, progress: RunProgress) -> None:
        """Take one more event into the next picture."""
        self._run, self._progress, self._next = event.run, progress, 0.0
        if event.step is not None and (event.kind == "step-started" or detail_text(event)):
            self._details[event.step, event.target] = detail_text(event)
        if event.kind in _NOTED and (line := event_line(event)):
            self._notes.append(line)

    def tick(self, progress: RunProgress) -> None:
        """Draw what is new, or that time has passed."""
        if (now := self._clock()) >= self._next:
            self._next = now + _INTERVAL
            self._write(lambda: self._draw(now))

    def __exit__(self, *details: object) -> None:
        self._write(self._live.stop)
        self._write(self._leave)

    def _write(self, write: Callable[[], None]) -> None:
        if not self._is_gone:
            try:
                write()
            except OSError:
                self._is_gone = True  # the run continues without its terminal

    def _draw(self, now: float) -> None:
        if self._progress is None:
            return
        width, height = self._console.size
        picture = Picture(
            self._progress,
            self._details,
            self._marks,
            now,
            width - 1,
            takes_keys=self._takes_keys,
        )
        lines = screen(self._run, picture, self._notes)
        lines = fitting(
            lines, height, lambda line: len(self._rows(line, width - 1)), self._marks.cut
        )
        self._live.update(Group(*self._texts(lines, width - 1)[-height:]))
        self._live.start()
        self._live.refresh()

    def _leave(self) -> None:
        """Print the last picture where the shell continues."""
        if self._progress is None:
            return
        width = self._console.width - 1
        picture = Picture(
            self._progress,
            self._details,
            self._marks,
            self._clock(),
            width,
            left=True,
            ends_at_pause=self._ends_at_pause,
            executes=self._executes,
        )
        for row in self._texts(screen(self._run, picture, self._notes), width):
            self._console.print(row)

    def _texts(self, lines: Iterable[Line], width: int) -> list[Text]:
        return [row for line in lines for row in self._rows(line, width)]

    def _rows(self, line: Line, width: int) -> list[Text]:
        """A line as rows, none wider than these columns: one, or as many as the line takes."""
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
            row.no_wrap, row.overflow = True, "crop"
        return rows

    def _wrapped(self, text: Text, room: int, line: Line) -> list[Text]:
        if text.cell_len <= room:
            return [text]
        joint = _COMMAND_CONTINUES if line.command else ""
        rows = list(text.wrap(self._console, max(1, room - len(joint))))
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

    def _clean(self, text: str) -> str:
        """Masked, and with nothing that a terminal would obey or can't show."""
        printable = "".join(char if char.isprintable() else "·" for char in presentable(text))
        ascii_only = self._marks is ASCII
        return printable.encode("ascii", "backslashreplace").decode() if ascii_only else printable


def _console(settings: Settings) -> Console:
    plain = settings.color is False
    return Console(
        stderr=True, color_system=None if plain else "auto", highlight=False, emoji=False
    )
