"""Keys at the terminal of a paused run: ``a`` approves the step it awaits, ``c`` cancels the run.

Each counts with Enter, and alone on its line: the letters of a command that is typed into the wrong
window answer nothing. Keys are read only while the run is paused, and not by a process in the
background of a shell. What was typed before the pause is discarded.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

from sfcutover.cutover.answers import approve, cancel
from sfcutover.cutover.progress import Pause, RunProgress
from sfcutover.cutover.runfollower import View
from sfcutover.runs.background import BackgroundThread
from sfcutover.runs.event import Event
from sfcutover.runs.store import RunStore
from sfcutover.util.ciprovider import current_actor

_ANSWER_SECONDS = 10.0  # for the state to record an answer; typed later again, it is repeated
_MANY = 1024  # bytes of one read


class Keyboard:
    """Lines of a terminal, which does not show them. fd: of the terminal."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._typed = ""
        self._modes: list[int | list[bytes | int]] | None = None

    def open(self) -> None:
        """Discard what was typed before, and show nothing of what is typed from now on."""
        if self._modes is not None or not self._is_ours():
            return
        with suppress(termios.error):  # the terminal is gone: the run continues without it
            modes = termios.tcgetattr(self._fd)
            tty.setcbreak(self._fd, termios.TCSANOW)
            self._modes = modes
            termios.tcflush(self._fd, termios.TCIFLUSH)
            self._typed = ""

    def close(self) -> None:
        """Restore the terminal's modes."""
        if self._modes is not None and self._is_ours():
            with suppress(termios.error):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._modes)
        self._modes = None

    def line(self) -> str:
        """The newest line that was ended since the last call; empty for none."""
        if self._modes is None or not self._is_ours():
            return ""
        with suppress(OSError):
            if select.select([self._fd], [], [], 0)[0]:
                self._typed += os.read(self._fd, _MANY).decode(errors="replace")
        *lines, self._typed = self._typed.replace("\r", "\n").split("\n")
        return lines[-1].strip().lower() if lines else ""

    def _is_ours(self) -> bool:
        """False in the background, where the system stops a process that uses its terminal."""
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:  # it does not control this process, and stops it for nothing
            return True


@dataclass
class AnsweringView(AbstractContextManager["AnsweringView"]):
    """A view that also takes the operator's answer to a pause."""

    view: View
    store: RunStore
    keyboard: Keyboard = field(default_factory=lambda: Keyboard(sys.stdin.fileno()))
    _thread: BackgroundThread = field(default_factory=lambda: BackgroundThread("answer"))
    _run: str = ""
    _answered: int | None = None  # number of the pause

    @property
    def whole(self) -> bool:
        """As the view's."""
        return self.view.whole

    def __exit__(self, *details: object) -> None:
        self.keyboard.close()

    def show(self, event: Event, progress: RunProgress) -> None:
        """Show one more event."""
        self._run = event.run
        self._open(progress)  # before the view says that keys are taken
        self.view.show(event, progress)

    def tick(self, progress: RunProgress) -> None:
        """Take an answer, if the run awaits one."""
        pause = self._open(progress)
        self.view.tick(progress)
        if pause is not None and self._answer(pause, self.keyboard.line()):
            self._answered = pause.number

    def _open(self, progress: RunProgress) -> Pause | None:
        """The pause that keys answer now; None where there is none."""
        pause = progress.pause
        if pause is None or progress.is_cancel_requested or pause.number == self._answered:
            self.keyboard.close()
            return None
        self.keyboard.open()
        return pause

    def _answer(self, pause: Pause, key: str) -> bool:
        """True once the answer that the key gives is recorded."""

        def record() -> bool:
            if key == "a":
                approve(self.store, self._run, pause, current_actor(), None)
            else:
                cancel(self.store, self._run, current_actor(), None)
            return True

        return key in ("a", "c") and bool(self._thread.do(record, _ANSWER_SECONDS))
