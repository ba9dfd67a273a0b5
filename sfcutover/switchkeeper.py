"""A process of its own that runs the switch command, and keeps on disk how it ended.

A run may be killed while traffic moves. The command then goes on, and whoever continues the
run on this machine learns from the record whether it was begun and how it ended, so that it
is run once. The record holds nothing that the command printed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sfcutover.util.files import try_lock, write_durably
from sfcutover.util.processes import run_in_group

_LOOK_SECONDS = 0.05
_NOT_RUN = 127  # as a shell says it
_CHILD = (
    "import json, sys; job = json.load(sys.stdin); sys.path[:] = job['path']; "
    "from sfcutover.switchkeeper import serve; serve(job['record'], job['argv'], job['timeout'])"
)


@dataclass(frozen=True)
class SwitchRecord:
    """begun: seconds since 1970. status: the exit status, None until it has ended.

    words: how it ended, for a person. cut_short: ended by its time limit or a signal.
    """

    begun: float
    status: int | None = None
    seconds: float = 0.0
    cut_short: bool = False
    words: str = ""

    @property
    def succeeded(self) -> bool:
        return self.status == 0 and not self.cut_short


def read_record(path: Path) -> SwitchRecord | None:
    """What is on disk, None if nothing is."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        return SwitchRecord(**json.loads(path.read_text(encoding="utf-8")))
    return None


def run_kept(
    argv: Sequence[str],
    environment: Mapping[str, str],
    record: Path,
    *,
    timeout: float,
    output: Callable[[str], None],
) -> None:
    """Run the command under a process that outlives this one; returns when it has ended.

    timeout: seconds for the command. output: gets each line it prints, as it is.
    """
    job = {"path": sys.path, "record": str(record), "argv": list(argv), "timeout": timeout}
    with subprocess.Popen(  # noqa: S603 - this program itself
        [sys.executable, "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        if process.stdin is not None and process.stdout is not None:
            process.stdin.write(json.dumps(job))
            process.stdin.close()
            for line in process.stdout:
                output(line.rstrip("\n"))


def await_end(path: Path, timeout: float) -> SwitchRecord | None:
    """The record once nobody works on it any more: without a status if its keeper was killed.

    timeout: seconds to wait at most.
    """
    deadline = time.monotonic() + timeout
    while (descriptor := try_lock(_lock(path))) is None and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    if descriptor is not None:
        os.close(descriptor)
    return read_record(path)


def serve(record: str, argv: list[str], timeout: float) -> None:
    """The process itself. A second one for the same record finds it, and does nothing."""
    path = Path(record)
    while (descriptor := try_lock(_lock(path))) is None:
        time.sleep(_LOOK_SECONDS)
    try:
        if read_record(path) is None:
            _run(path, argv, timeout)
    finally:
        os.close(descriptor)


def _run(path: Path, argv: list[str], timeout: float) -> None:
    begun = time.time()
    _write(path, SwitchRecord(begun))
    try:
        ended = run_in_group(argv, os.environ, timeout=timeout, output=_pass_on)
    except OSError as error:
        reason = f"can't be run: {error.strerror}; check its name, PATH and permissions"
        _write(path, SwitchRecord(begun, _NOT_RUN, words=reason))
    else:
        _write(path, SwitchRecord(begun, ended.status, ended.seconds, ended.cut_short, str(ended)))


def _pass_on(line: str) -> None:
    """To the run, while somebody reads."""
    with suppress(OSError):
        print(line, flush=True)


def _write(path: Path, record: SwitchRecord) -> None:
    write_durably(path, json.dumps(vars(record)))


def _lock(path: Path) -> Path:
    return path.with_suffix(".lock")
