"""Running a configured command: no shell, no secrets, a time limit, and nothing left behind.

The command leads a process group of its own, so that everything it starts can be ended with
it.
"""

from __future__ import annotations

import enum
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sfcutover.util.knownsecrets import SECRET_PLACES
from sfcutover.util.secrets import redact

MAX_LINE_BYTES = 64 * 1024
GRACE_SECONDS = 5.0  # between asking a group to end and ending it
_POLL_SECONDS = 0.1
_CHUNK_BYTES = 64 * 1024


class Cause(enum.Enum):
    """Why a command ended."""

    ITSELF = "itself"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Ended:
    """status: the exit status, or minus the signal. seconds: how long it ran."""

    status: int
    seconds: float
    cause: Cause

    @property
    def cut_short(self) -> bool:
        return self.cause is not Cause.ITSELF

    @property
    def is_interrupted(self) -> bool:
        """True if Ctrl-C ended it."""
        return self.cause is Cause.INTERRUPTED

    def __str__(self) -> str:
        if self.cause is Cause.TIMEOUT:
            return f"ended after its time limit ({self.seconds:.1f} s)"
        if self.status < 0:
            return f"ended by {_signal_name(-self.status)}"
        return f"exit status {self.status}"


def run_in_group(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    timeout: float,
    output: Callable[[str], None],
    with_errors: bool = True,
) -> Ended:
    """Run a command and hand every line it prints to output, secrets masked: all that cutover.yaml
    names are known before it starts.

    with_errors: False drops what it prints to stderr. timeout: seconds, after which its whole group
    is ended. Ctrl-C is passed on to the group, which is then given GRACE_SECONDS to end by itself.
    Raises OSError if it can't be started.
    """
    SECRET_PLACES.learn()
    started = time.monotonic()
    with subprocess.Popen(  # noqa: S603 - the configured argv, no shell
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if with_errors else subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    ) as process:
        cause = _Command(process, output).run(started + timeout)
    return Ended(process.returncode, time.monotonic() - started, cause)


class _Command:
    """A running command and the lines it prints."""

    def __init__(self, process: subprocess.Popen[bytes], output: Callable[[str], None]) -> None:
        self._process = process
        self._lines = _Lines(output)

    def run(self, deadline: float) -> Cause:
        """Wait for its end, or end it."""
        finished = False
        try:
            finished = self._follow(deadline)
            if not finished:
                self._stop(signal.SIGTERM)
            return Cause.ITSELF if finished else Cause.TIMEOUT
        except KeyboardInterrupt:
            self._stop(signal.SIGINT)
            return Cause.INTERRUPTED
        finally:
            if not finished:
                self._signal(signal.SIGKILL)  # also what its leader has left behind
            self._lines.end()

    def _stop(self, number: signal.Signals) -> None:
        self._signal(number)
        self._follow(time.monotonic() + GRACE_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(
            ProcessLookupError, PermissionError
        ):  # the group is empty; macOS says the latter
            os.killpg(self._process.pid, number)

    def _follow(self, deadline: float) -> bool:
        """Read what it prints until it has ended (True) or the deadline has come.

        A child that outlives the command may hold its output open for ever.
        """
        stream = self._process.stdout
        with selectors.DefaultSelector() as selector:
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                if stream is None or not selector.select(min(left, _POLL_SECONDS)):
                    if self._process.poll() is not None:
                        return True
                elif part := os.read(stream.fileno(), _CHUNK_BYTES):
                    self._lines.feed(part)
                else:
                    return self._wait(left)
        return self._process.poll() is not None

    def _wait(self, seconds: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll() is not None


class _Lines:
    """Bytes in, whole lines out: half a line could hold half a secret."""

    def __init__(self, output: Callable[[str], None]) -> None:
        self._output = output
        self._rest = b""
        self._too_long = False

    def feed(self, part: bytes) -> None:
        *whole, self._rest = re.split(rb"\r\n|[\r\n]", self._rest + part)
        for line in whole:
            self._show(line)
        if len(self._rest) > MAX_LINE_BYTES:
            self._too_long, self._rest = True, b""

    def end(self) -> None:
        if self._rest or self._too_long:
            self._show(self._rest)
        self._rest = b""

    def _show(self, line: bytes) -> None:
        if self._too_long or len(line) > MAX_LINE_BYTES:
            self._output(f"(a line of more than {MAX_LINE_BYTES:,} bytes was omitted)")
        else:
            self._output(redact(line.decode("utf-8", "replace")))
        self._too_long = False


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def python_call(function: str, *arguments: str) -> list[str]:
    """The argv of a Python process that imports what this one can, and calls a function.

    function: ``module:name``; it gets the arguments as texts.
    """
    module, _, name = function.partition(":")
    end = 1 + len(arguments)
    code = (
        f"import sys; arguments, sys.path[:] = sys.argv[1:{end}], sys.argv[{end}:]; "
        f"from {module} import {name}; {name}(*arguments)"
    )
    return [sys.executable, "-P", "-c", code, *arguments, *sys.path]
