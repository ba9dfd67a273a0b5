"""Runs sfcutover as an operator does: in its own process, which ends before the demo does."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from sfcutover.errors import ExitCode
from sfcutover.runs.event import Event, EventDocument
from sfcutover.util.clock import Clock
from sfcutover.util.document import Document

TIMEOUT_SECONDS = 120.0  # then a command is killed; each takes far less
_GRACE_SECONDS = 1.0
_STARTING_SECONDS = 10.0
# Popen.wait with a limit polls. Without a limit it may miss a Ctrl-C that comes as it starts to
# wait, and see it only at the end of the command.
_WAIT_SECONDS = 2 * TIMEOUT_SECONDS
_ACTIVITIES = {"deployment-sent": "the org deploys", "switching": "the traffic moves"}


class DemoCommandDocument(Document):
    """One command of the demo."""

    command: str
    """The command line."""
    exit_code: int
    """Its exit code; minus the signal's number where a signal killed it."""
    expected_exit_code: int
    """The exit code that the demo expects."""


@dataclass(frozen=True)
class Display:
    """Where the demo writes.

    say: prints a line. show: prints an event of a run that will be killed. options: global options
    of every command. on_stderr: whether the commands' own output goes to stderr.
    """

    say: Callable[[str], None]
    show: Callable[[Event], None]
    options: tuple[str, ...] = ()
    on_stderr: bool = False


@dataclass(frozen=True)
class Commands:
    """Runs commands in a folder, with these environment variables."""

    folder: Path
    variables: Mapping[str, str]
    display: Display

    def run(self, *words: str, expected: ExitCode = ExitCode.DONE) -> DemoCommandDocument:
        """Run a command to its end."""
        line = self._announce(words)
        with self._process(words, sys.stderr if self.display.on_stderr else None) as process:
            code = process.wait(_WAIT_SECONDS)
        self.display.say(f"(exit code {code})\n")
        return DemoCommandDocument(command=line, exit_code=code, expected_exit_code=int(expected))

    def run_and_kill(
        self, *words: str, at: str, once: Callable[[], bool], after: int = 0
    ) -> DemoCommandDocument:
        """Run a command and kill it at its first event of the kind ``at``.

        once: true when what the event announces has started. after: the number of the last event
        that was shown before.
        """
        line = self._announce(words)
        with self._process((*words, "--json"), subprocess.PIPE) as process:
            for event in _events(process.stdout or ()):
                if event.seq > after:
                    self.display.show(event)
                if event.kind == at:
                    _await(once)
                    process.kill()
                    break
            code = process.wait(_WAIT_SECONDS)
        self.display.say(f"(killed while {_ACTIVITIES[at]})\n")
        return DemoCommandDocument(command=line, exit_code=code, expected_exit_code=-signal.SIGKILL)

    def _announce(self, words: Iterable[str]) -> str:
        line = f"sfcutover {' '.join(words)}"
        self.display.say(f"$ {line}")
        return line

    @contextmanager
    def _process(
        self, words: Iterable[str], out: int | IO[str] | None
    ) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "sfcutover", *self.display.options, *words]
        with subprocess.Popen(  # noqa: S603 - this program itself
            command,
            cwd=self.folder,
            env=dict(self.variables),
            stdin=subprocess.DEVNULL,
            stdout=out,
            text=True,
        ) as process:
            watchdog = threading.Timer(TIMEOUT_SECONDS, process.kill)
            watchdog.daemon = True
            try:
                watchdog.start()
                yield process
            finally:
                watchdog.cancel()
                _end(process)


def _events(lines: Iterable[str]) -> Iterator[Event]:
    """The events that --json prints; other lines, such as an error, are ignored."""
    for line in lines:
        with suppress(ValidationError):
            found = EventDocument.model_validate_json(line)
            moment = datetime.fromisoformat(found.time).timestamp()
            yield Event(
                found.seq, found.run, moment, found.kind, found.step, found.target, found.data
            )


def _await(condition: Callable[[], bool]) -> None:
    """A process is slow to start on a busy machine. Returns after _STARTING_SECONDS in any case."""
    for _ in Clock().polls(_STARTING_SECONDS):
        if condition():
            return


def _end(process: subprocess.Popen[str]) -> None:
    """End the process. The terminal sends Ctrl-C to it as well, but not SIGTERM."""
    for signal_it in (process.poll, process.terminate, process.kill):
        signal_it()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
            return
