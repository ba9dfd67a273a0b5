"""Running a configured command for what it prints: the probe of an egress, and the application."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from sfcutover.errors import ConfigError
from sfcutover.util.childenvironment import child_environment
from sfcutover.util.processes import Ended, run_in_group

COMMAND_SECONDS = 60.0  # for one run
MAX_OUTPUT_BYTES = 64 * 1024


@dataclass(frozen=True)
class Printed:
    """How a command ended, and its stdout with known secrets masked.

    text: None where it printed more than MAX_OUTPUT_BYTES.
    """

    ended: Ended
    text: str | None


def require_program(argv: Sequence[str], where: str) -> None:
    """Raise ConfigError with this place if there is no such program."""
    if shutil.which(argv[0]) is None:
        raise ConfigError(
            f"the program {argv[0]} was not found",
            where=where,
            hint="check the name and PATH; a command runs without a shell",
        )


def run_for_output(argv: Sequence[str], where: str) -> Printed:
    """Run a command (no shell, no secrets in its environment) for at most COMMAND_SECONDS.

    What it prints to stderr is dropped. Raises ConfigError if it can't be started, and
    KeyboardInterrupt, which the command gets too.
    """
    lines: list[str] = []
    size = 0

    def keep(line: str) -> None:
        nonlocal size
        size += len(line.encode()) + 1
        if size <= MAX_OUTPUT_BYTES:
            lines.append(line)

    environment = child_environment()
    try:
        ended = run_in_group(
            argv, environment, timeout=COMMAND_SECONDS, output=keep, with_errors=False
        )
    except OSError as error:
        raise ConfigError(
            f"the command {argv[0]} cannot be run: {error.strerror}",
            where=where,
            hint="check its name, PATH and permissions; it runs without a shell",
        ) from error
    if ended.is_interrupted:
        raise KeyboardInterrupt
    return Printed(ended, "\n".join(lines) if size <= MAX_OUTPUT_BYTES else None)
