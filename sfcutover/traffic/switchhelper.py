"""The helper process that runs the switch command: it outlives the run, and records how it ended.

It imports little, because the run waits for it to start.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from sfcutover.util.boundedfile import TooLargeError, read_file
from sfcutover.util.files import process_lock, write_durably
from sfcutover.util.processes import run_in_group

_MAX_RECORD_BYTES = 1024 * 1024
_NOT_RUN = 127  # the exit status by which a shell says it


@dataclass(frozen=True)
class SwitchRecord:
    """What a helper records of the command it runs.

    started: seconds since 1970. status: the exit status, None until it has ended. words: how it
    ended, for display. cut_short: ended by its time limit or a signal.
    """

    started: float
    status: int | None = None
    seconds: float = 0.0
    cut_short: bool = False
    words: str = ""

    @property
    def succeeded(self) -> bool:
        return self.status == 0 and not self.cut_short

    @property
    def could_not_run(self) -> bool:
        """True if the command was not even started."""
        return self.status == _NOT_RUN and not self.seconds


def read_record(path: Path) -> SwitchRecord | None:
    """What is on disk, None if nothing is."""
    with suppress(FileNotFoundError, ValueError, TooLargeError):
        text = read_file(path, _MAX_RECORD_BYTES)
        from pydantic import TypeAdapter  # a helper that starts has no record to read

        return TypeAdapter(SwitchRecord).validate_json(text)
    return None


def await_end(path: Path, timeout: float) -> SwitchRecord | None:
    """The record once no helper works on it: without a status if its helper was killed.

    timeout: seconds to wait at most.
    """
    with suppress(Timeout), process_lock(_lock(path)).acquire(timeout=timeout):
        pass
    return read_record(path)


def serve(record: str, timeout: str, *argv: str) -> None:
    """The helper itself. A second one for the same record finds it, and does nothing."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where it was ignored at start, too
    path = Path(record)
    with process_lock(_lock(path)):
        if read_record(path) is None:
            _run(path, argv, float(timeout))


def _run(path: Path, argv: Sequence[str], timeout: float) -> None:
    started = time.time()
    _write(path, SwitchRecord(started))
    try:
        ended = run_in_group(argv, os.environ, timeout=timeout, output=_pass_on)
    except OSError as error:
        reason = f"cannot be run: {error.strerror}"
        _write(path, SwitchRecord(started, _NOT_RUN, words=reason))
    else:
        record = SwitchRecord(started, ended.status, ended.seconds, ended.cut_short, str(ended))
        _write(path, record)


def _pass_on(line: str) -> None:
    """To the run, while it still reads."""
    with suppress(OSError):
        print(line, flush=True)


def _write(path: Path, record: SwitchRecord) -> None:
    write_durably(path, json.dumps(vars(record)))


def _lock(path: Path) -> Path:
    return path.with_suffix(".lock")
