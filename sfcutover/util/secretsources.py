"""Where a secret is read from: the environment, a file or a command."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from sfcutover.errors import ConfigError
from sfcutover.util.boundedfile import TooLargeError, read_file, read_pipe
from sfcutover.util.childenvironment import child_environment
from sfcutover.util.secrets import Secret

COMMAND_TIMEOUT_SECONDS = 30
MAX_SECRET_BYTES = 64 * 1024


def environment_value(name: str, where: str) -> str:
    """An environment variable that is no secret, without blanks around it.

    Raises MissingVariableError if it is unset, empty or no text.
    """
    value = os.environ.get(name, "").strip()
    if value and _is_text(value):
        return value
    state = "is not set" if name not in os.environ else "is not UTF-8" if value else "is empty"
    raise MissingVariableError(
        f"the environment variable {name} {state}",
        where=where,
        hint=f"export {name}=… in the shell, or add it to the CI job's secrets; then run the "
        "command again",
    )


def secret_from_environment(name: str, where: str) -> Secret:
    """Read an environment variable, as environment_value does."""
    return Secret(environment_value(name, where))


def secret_from_file(path: Path, where: str) -> Secret:
    """Read a small text file, without blanks around its text. Raises ConfigError."""
    try:
        return Secret(_text_of(read_file(path, MAX_SECRET_BYTES)))
    except (OSError, ValueError, TooLargeError, _NoSecretError) as error:
        raise ConfigError(
            f"the secret's file {path} cannot be read: {_reason(error)}",
            where=where,
            hint="check the path and its permissions; the file must hold the secret and nothing "
            "else",
        ) from None


def secret_from_command(argv: list[str], where: str) -> Secret:
    """Run a command (no shell, at most 30 seconds); its stdout is the secret.

    Raises ConfigError; the command's own output is never part of the message.
    """
    try:
        return Secret(_text_of(_output_of(argv)))
    except (OSError, ValueError, TooLargeError, _NoSecretError) as error:
        raise ConfigError(
            f"the command {argv[0]} returned no secret: {_reason(error)}",
            where=where,
            hint="run it by hand and check that it prints the secret and exits 0",
        ) from None


class MissingVariableError(ConfigError):
    """An environment variable is unset, empty or no text. A process that runs cannot receive it:
    only one that starts with it can."""


class _NoSecretError(Exception):
    """Why there is no secret; never quotes what was found."""


def _text_of(data: bytes) -> str:
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        raise _NoSecretError("it is not UTF-8") from None
    if not text:
        raise _NoSecretError("it is empty")
    return text


def _reason(error: Exception) -> str:
    if isinstance(error, TooLargeError):
        return f"it is larger than {MAX_SECRET_BYTES:,} bytes"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _output_of(argv: list[str]) -> bytes:
    """Not as subprocess reads it: bounded, and not past the deadline."""
    deadline = time.monotonic() + COMMAND_TIMEOUT_SECONDS
    with subprocess.Popen(  # noqa: S603 - the configured argv, no shell
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=child_environment()
    ) as process:
        try:
            output = process.stdout.fileno() if process.stdout else -1
            content = read_pipe(output, MAX_SECRET_BYTES, COMMAND_TIMEOUT_SECONDS)
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise _NoSecretError(f"it took longer than {COMMAND_TIMEOUT_SECONDS} s") from None
        finally:
            process.kill()  # of a process that has ended, this is nothing
    if code:
        raise _NoSecretError(f"exit code {code}")
    return content


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
