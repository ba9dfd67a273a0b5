"""One tree of errors; each class owns its exit code and says what comes next.

An error answers five questions: what happened, where, what it means for the
customers' tokens, what to do next, and with which code the process ends.
"""

from __future__ import annotations

import enum
import shlex
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self

DEFAULT_CONFIG = "cutover.yaml"
DONE_SO_FAR = "what the command had done in the org by then stays done"
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
    WAITING = 75


EXIT_CODE_MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "done, or no change",
    ExitCode.FAILED: "the operation failed (deploy failed, canceled)",
    ExitCode.USAGE: "usage or config error",
    ExitCode.CHANGES_PENDING: "`diff --exit-code`: changes pending, or with `--exact` a drift",
    ExitCode.DRIFT: "drift: the org is not in the state the plan expects",
    ExitCode.GATE: "a gate did not pass",
    ExitCode.AUTH: "authentication or permission",
    ExitCode.NETWORK: "network or service unavailable",
    ExitCode.LIMIT: "limit (128 ranges / 256 addresses, an empty list, size)",
    ExitCode.INTERRUPTED: "interrupted; the last lines say what is live",
    ExitCode.PARTIAL: "partial success",
    ExitCode.STILL_RUNNING: "still running when the wait ended; refused beside a run; a run paused "
    "because something failed or is unclear",
    ExitCode.WAITING: "a run waits for an approval, and nothing has failed",
}


@dataclass(frozen=True, init=False)
class Command:
    """A command of this tool that a text suggests: its words, without the option --config."""

    command: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "command", words)

    def line(self, config: str = DEFAULT_CONFIG) -> str:
        """The command as a shell takes it, with --config unless the file has its usual name."""
        option = () if config == DEFAULT_CONFIG else ("--config", config)
        return shlex.join(("sfcutover", *option, *self.command))


@dataclass(frozen=True, init=False)
class Advice:
    """A text that suggests commands. They stay data until output/ shows the text."""

    advice: tuple[str | Command, ...]

    def __init__(self, *parts: str | Command | Advice) -> None:
        inner = (part.advice if isinstance(part, Advice) else (part,) for part in parts)
        object.__setattr__(self, "advice", tuple(each for some in inner for each in some))


Text = str | Advice


def written(text: Text | Command, config: str = DEFAULT_CONFIG) -> str:
    """The text with its commands written out. config: the cutover's file, as it was given."""
    parts: Sequence[str | Command] = text.advice if isinstance(text, Advice) else (text,)
    return "".join(part if isinstance(part, str) else part.line(config) for part in parts)


def commands_in(text: Text) -> list[Command]:
    """The commands that the text suggests, in order."""
    parts = () if isinstance(text, str) else text.advice
    return [part for part in parts if isinstance(part, Command)]


class Answer(enum.StrEnum):
    """What an answer to a request is worth.

    final: asked again, it is the same. passing: nothing was done, and what kept it from being done
    clears by itself. unknown: it does not say what was done, so that is looked up first.
    """

    FINAL = "final"
    PASSING = "passing"
    UNKNOWN = "unknown"


class SfcutoverError(Exception):
    """Base of every error this tool raises on purpose.

    message: what happened, in one line.
    advice: what to do next; hint is the same as a plain text.
    where: file and line (``cutover.yaml:7``), template and line, or an id.
    also: what else is wrong, each with its place, where several things were found at once.
    impact: what it means for the customers' refresh tokens.
    answer: what it is worth, where it is the answer to a request.
    """

    exit_code: ExitCode = ExitCode.FAILED
    answer: ClassVar[Answer] = Answer.FINAL
    default_impact: ClassVar[str] = UNCHANGED

    def __init__(
        self,
        message: str,
        *,
        hint: Text,
        where: str | None = None,
        impact: str | None = None,
        also: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = hint
        self.where = where
        self.also = tuple(also)
        self.impact = impact if impact is not None else self.default_impact

    @property
    def hint(self) -> str:
        """What to do next, with commands for a cutover.yaml in this folder."""
        return written(self.advice)

    def replaced(
        self,
        *,
        message: str | None = None,
        impact: str | None = None,
        hint: Text | None = None,
        where: str | None = None,
    ) -> Self:
        """The same error with other words; this one stays as it is."""
        error = copy(self)
        error.message = self.message if message is None else message
        error.where = self.where if where is None else where
        error.impact = self.impact if impact is None else impact
        error.advice = self.advice if hint is None else hint
        return error

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


class IdentityError(DriftError):
    """Another org, component or canary answers than the one that was bound to."""


class ExternalChangeError(DriftError):
    """Others saved a list between the last read and our deployment, which is live all the same."""


class GateError(SfcutoverError):
    """A check that must pass before the next phase did not pass."""

    exit_code = ExitCode.GATE


class AuthError(SfcutoverError):
    """The org does not know the session, or the user lacks a permission."""

    exit_code = ExitCode.AUTH


class NetworkError(SfcutoverError):
    """The org or something on the way to it did not answer usefully."""

    exit_code = ExitCode.NETWORK
    answer = Answer.UNKNOWN


class BusyError(NetworkError):
    """A lock, a limit or a busy server kept the org from doing it: nothing was done."""

    answer = Answer.PASSING


class LimitError(SfcutoverError):
    """A list or a file is larger (or emptier) than what is allowed."""

    exit_code = ExitCode.LIMIT


class LockLostError(NetworkError):
    """This process lost its lock, or the run ended without it: it does nothing more."""


class InterruptedRunError(SfcutoverError):
    """A person or the system asked the process to stop."""

    exit_code = ExitCode.INTERRUPTED


class PartialSuccessError(SfcutoverError):
    """The org kept only a part of a deployment."""

    exit_code = ExitCode.PARTIAL


class StillRunningError(SfcutoverError):
    """Something has not ended: a deployment that may still land, another run, or this one, as it
    is paused for what failed or is unclear."""

    exit_code = ExitCode.STILL_RUNNING


class WaitingForApprovalError(SfcutoverError):
    """A run waits for an approval, and nothing has failed."""

    exit_code = ExitCode.WAITING
