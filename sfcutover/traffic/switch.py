"""Step 3, moving application traffic: what the switch command learns, and running it once.

A helper process that outlives this one runs the command, and records its end in a file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import Timeout
from pydantic import TypeAdapter

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config.cutover import Cutover
from sfcutover.config.egress import Switch
from sfcutover.errors import ConfigError, OperationFailedError
from sfcutover.util.boundedfile import TooLargeError, read_file
from sfcutover.util.files import process_lock, write_durably
from sfcutover.util.knownsecrets import SECRET_PLACES
from sfcutover.util.processes import python_call, run_in_group
from sfcutover.util.secrets import redact

Direction = Literal["apply", "revert"]
DRAIN_SECONDS = 1.0  # LoginTime has whole seconds: a proof must not share one with old traffic
_MAX_RECORD_BYTES = 1024 * 1024
_NOT_RUN = 127  # the exit status by which a shell says it
SWITCH_IMPACT = "the allowlist was not changed; some traffic may already have moved"


def facts_of(cutover: Cutover, direction: Direction) -> dict[str, str]:
    """What the command learns; none of it is secret. The ranges are separated by commas.

    direction: apply (traffic goes to new) or revert (back to old).
    """
    return {
        "SFCUTOVER_CUTOVER": cutover.name,
        "SFCUTOVER_APP": cutover.app,
        "SFCUTOVER_DIRECTION": direction,
        "SFCUTOVER_OLD": _joined(cutover.change.old),
        "SFCUTOVER_NEW": _joined(cutover.change.new),
    }


def question_of(cutover: Cutover, direction: Direction) -> str:
    """The question to an operator who moves the traffic by hand."""
    away, to = _joined(cutover.change.old), _joined(cutover.change.new)
    if direction == "revert":
        away, to = to, away
    return f"Move the traffic of {cutover.app} to {to} (away from {away}). Is this done?"


def _joined(ranges: Sequence[IpRange]) -> str:
    return ",".join(map(str, ranges))


def command_of(config: Switch, direction: Direction) -> tuple[str, ...]:
    """The argv that moves traffic there. Raises ConfigError if cutover.yaml has none."""
    argv = config.apply if direction == "apply" else config.revert
    if not argv:
        raise ConfigError(
            f"there is no command for switch.{direction}",
            where=config.where,
            hint=f"add {direction}: [argv] to switch:, or move the traffic by hand",
        )
    return argv


class SwitchNotRunError(ConfigError):
    """The switch command can't be started: no traffic was moved by it."""


def command_failed(
    how: str, program: str, direction: Direction, where: str
) -> OperationFailedError:
    """The error of a switch command that failed. how: how it ended, in words."""
    other = (
        "with --revert to move traffic back"
        if direction == "apply"
        else "without --revert to move traffic to the new addresses"
    )
    return OperationFailedError(
        f"the switch command {program} failed: {how}",
        where=where,
        hint=f"find out where traffic leaves now; then run this again, or run it {other}",
        impact=SWITCH_IMPACT,
    )


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
        return TypeAdapter(SwitchRecord).validate_json(read_file(path, _MAX_RECORD_BYTES))
    return None


def run_in_helper(
    argv: Sequence[str],
    environment: Mapping[str, str],
    record: Path,
    *,
    timeout: float,
    output: Callable[[str], None],
) -> None:
    """Run the command in a helper process that outlives this one; returns when it has ended.

    Ctrl-C is passed on to the command, and raised here. timeout: seconds for the command.
    output: gets each line it prints, secrets masked: all that cutover.yaml names are known before
    it starts.
    """
    SECRET_PLACES.learn()
    with subprocess.Popen(  # noqa: S603 - this Python, no shell
        python_call(f"{__name__}:serve", str(record), str(timeout), *argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            _show_lines(process, output)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # the helper passes it on, and records the end
            _show_lines(process, output)
            process.wait()
            raise


def _show_lines(process: subprocess.Popen[str], output: Callable[[str], None]) -> None:
    for line in process.stdout or ():
        output(redact(line.rstrip("\n")))


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
