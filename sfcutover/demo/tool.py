"""sfcutover as a person starts it: in a process of its own, which never outlives the demo."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from sfcutover.runs.documents import EventDocument
from sfcutover.runs.journal import Event

LONGEST_SECONDS = 120.0  # no command takes as long
_GRACE_SECONDS = 1.0
# A wait with a limit looks every now and then. One without may sleep through a Ctrl-C that comes
# as it begins, and heed it only at the end of the command.
_EVER_SECONDS = 2 * LONGEST_SECONDS


@dataclass(frozen=True)
class Tool:
    """Runs commands in a folder. options: global ones, for each of them.

    on_stderr: what they print goes to stderr, as stdout is taken.
    """

    folder: Path
    environment: Mapping[str, str]
    options: tuple[str, ...] = ()
    on_stderr: bool = False

    def run(self, *words: str) -> int:
        """Run a command to its end; the exit code."""
        with self._started(words, sys.stderr if self.on_stderr else None) as process:
            return process.wait(_EVER_SECONDS)

    def run_until(self, kind: str, show: Callable[[Event], None], *words: str) -> int:
        """Run a command and kill it when it tells of an event of this kind; minus the signal, or
        the exit code if it ended before."""
        with self._started((*words, "--json"), subprocess.PIPE) as process:
            for event in _events(process.stdout or ()):
                show(event)
                if event.kind == kind:
                    process.kill()
                    break
            return process.wait(_EVER_SECONDS)

    @contextmanager
    def _started(
        self, words: tuple[str, ...], out: int | IO[str] | None
    ) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "sfcutover", *self.options, *words]
        with subprocess.Popen(  # noqa: S603 - this program itself
            command,
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            text=True,
        ) as process:
            watchdog = threading.Timer(LONGEST_SECONDS, process.kill)
            watchdog.daemon = True
            try:
                watchdog.start()
                yield process
            finally:
                watchdog.cancel()
                _end(process)


def _events(lines: Iterator[str] | IO[str] | tuple[str, ...]) -> Iterator[Event]:
    """What --json prints, without what is no event, such as an error."""
    for line in lines:
        with suppress(ValidationError):
            found = EventDocument.model_validate_json(line)
            moment = datetime.fromisoformat(found.time).timestamp()
            yield Event(
                found.seq, found.run, moment, found.kind, found.step, found.target, found.data
            )


def _end(process: subprocess.Popen[str]) -> None:
    """See that it is gone. A terminal's Ctrl-C has reached it, too; another signal has not."""
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        if number is not None:
            process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
            return
