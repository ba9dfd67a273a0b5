"""Secret values: from the environment, a file or a command, and never into any output.

Every value that passes through here is remembered, and ``redact`` takes it out of
whatever is about to be shown.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

from sfcutover.errors import ConfigError

MASK = "***"
COMMAND_TIMEOUT_SECONDS = 30
MAX_SECRET_BYTES = 64 * 1024
_SHORTEST_REDACTED = 4  # anything shorter would blank out ordinary words

_known: set[str] = set()


class Secret:
    """A value that doesn't show itself: not in repr, str, logs or tracebacks."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        remember([value])

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def remember(values: Iterable[str]) -> None:
    """Take these values, and their URL-encoded forms, out of all later output."""
    for value in values:
        forms = {value, quote(value, safe=""), quote_plus(value)}
        _known.update(form for form in forms if len(form) >= _SHORTEST_REDACTED)


def redact(text: str) -> str:
    """The text with every known secret masked, the longest first."""
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def environment_value(name: str, where: str) -> str:
    """An environment variable that is no secret. Raises ConfigError if it is unset or empty."""
    value = os.environ.get(name, "")
    if not value:
        state = "is empty" if name in os.environ else "is not set"
        raise ConfigError(
            f"the environment variable {name} {state}",
            where=where,
            hint=f"export {name}=… in this shell, or add it to the CI job's secrets",
        )
    return value


def secret_from_environment(name: str, where: str) -> Secret:
    """Read an environment variable. Raises ConfigError if it is unset or empty."""
    return Secret(environment_value(name, where))


def secret_from_file(path: Path, where: str) -> Secret:
    """Read a small text file, one trailing line break removed. Raises ConfigError."""
    try:
        if path.stat().st_size > MAX_SECRET_BYTES:
            raise ConfigError(
                f"{path} is larger than {MAX_SECRET_BYTES:,} bytes",
                where=where,
                hint="a secret's file holds the secret and nothing else",
            )
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(
            f"the secret's file {path} can't be read: {reason}",
            where=where,
            hint="check the path and its permissions",
        ) from error
    if not text:
        raise ConfigError(
            f"the secret's file {path} is empty", where=where, hint="write the secret into it"
        )
    return Secret(text)


def secret_from_command(argv: list[str], where: str) -> Secret:
    """Run a command (no shell, at most 30 seconds); its stdout is the secret.

    Raises ConfigError; the command's own output is never part of the message.
    """
    try:
        result = subprocess.run(  # noqa: S603 - the argv is the person's own, no shell
            argv, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise _command_failed(argv, type(error).__name__, where) from error
    if result.returncode != 0 or not result.stdout.strip():
        reason = f"exit code {result.returncode}" if result.returncode else "it printed nothing"
        raise _command_failed(argv, reason, where)
    return Secret(result.stdout.strip())


def _command_failed(argv: list[str], reason: str, where: str) -> ConfigError:
    return ConfigError(
        f"the command {argv[0]} gave no secret: {reason}",
        where=where,
        hint="run it by hand and check that it prints the secret and exits 0",
    )
