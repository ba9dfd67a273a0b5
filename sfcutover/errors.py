"""One tree of errors; each class owns its exit code and says what comes next.

An error answers five questions: what happened, where, what it means for the
customers' tokens, what to do next, and with which code the process ends.
"""

from __future__ import annotations

import enum
from typing import Any, ClassVar

UNCHANGED = "nothing was changed in the org; customers' refresh tokens keep working"


class ExitCode(enum.IntEnum):
    """The exit codes of every command; the README shows the same table."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CHANGES_PENDING = 3
    DRIFT = 4
    GATE = 5
    AUTH = 6
    NETWORK = 7
    LIMIT = 8
    INTERRUPTED = 9
    PARTIAL = 68
    STILL_RUNNING = 69


EXIT_CODE_MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "done, or no change",
    ExitCode.FAILED: "the operation failed (deploy failed, canceled)",
    ExitCode.USAGE: "usage or config error",
    ExitCode.CHANGES_PENDING: "`diff --exit-code`: changes pending",
    ExitCode.DRIFT: "drift: the org is not in the state the plan expects",
    ExitCode.GATE: "a gate did not pass",
    ExitCode.AUTH: "authentication or permission",
    ExitCode.NETWORK: "network or service unavailable",
    ExitCode.LIMIT: "limit (128 ranges / 256 addresses, an empty list, size)",
    ExitCode.INTERRUPTED: "interrupted, nothing half-done",
    ExitCode.PARTIAL: "partial success",
    ExitCode.STILL_RUNNING: "still running when the wait ended",
}


class SfcutoverError(Exception):
    """Base of every error this tool raises on purpose.

    message: what happened, in one line.
    hint: what to do next.
    where: file and line (``cutover.yaml:7``), template and line, or an id.
    tokens: what it means for the customers' refresh tokens.
    """

    exit_code: ExitCode = ExitCode.FAILED
    tokens_default: ClassVar[str] = UNCHANGED

    def __init__(
        self, message: str, *, hint: str, where: str | None = None, tokens: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where
        self.tokens = tokens if tokens is not None else self.tokens_default

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way to copy and pickle passes only the message.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[SfcutoverError], args: tuple[Any, ...], attributes: dict[str, Any]
) -> SfcutoverError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class OperationFailedError(SfcutoverError):
    """The org said no, or an operation on this machine failed."""


class ConfigError(SfcutoverError):
    """Something the person wrote (YAML, an option, a file, a template) is wrong."""

    exit_code = ExitCode.USAGE


class DriftError(SfcutoverError):
    """The org is not in the state the plan or the phase expects."""

    exit_code = ExitCode.DRIFT


class GateError(SfcutoverError):
    """A check that must pass before the next phase did not pass."""

    exit_code = ExitCode.GATE


class AuthError(SfcutoverError):
    """The org does not know the session, or the user lacks a permission."""

    exit_code = ExitCode.AUTH


class NetworkError(SfcutoverError):
    """The org or something on the way to it did not answer usefully."""

    exit_code = ExitCode.NETWORK


class LimitError(SfcutoverError):
    """A list or a file is larger (or emptier) than what is allowed."""

    exit_code = ExitCode.LIMIT


class InterruptedRunError(SfcutoverError):
    """A person or the system asked the process to stop."""

    exit_code = ExitCode.INTERRUPTED


class PartialSuccessError(SfcutoverError):
    """The org kept only a part of a deployment."""

    exit_code = ExitCode.PARTIAL


class StillRunningError(SfcutoverError):
    """The wait ended before the deployment did; it may still land."""

    exit_code = ExitCode.STILL_RUNNING
