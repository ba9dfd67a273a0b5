"""One tree of errors; each class owns its exit code.

An error states what happened, where, its impact on customers' tokens where it has one, what to do
next, and the exit code.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self

DEFAULT_CONFIG = "cutover.yaml"
DONE_SO_FAR = "what the command had changed in the org before that stays changed"
UNCHANGED = "nothing was changed in the org"


class ExitCode(enum.IntEnum):
    """The exit codes of every command; docs/reference/schemas.md has the same table."""

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
    ExitCode.DONE: "done, or nothing to change",
    ExitCode.FAILED: "the operation failed (deploy failed, canceled)",
    ExitCode.USAGE: "usage or configuration error",
    ExitCode.CHANGES_PENDING: "`diff --exit-code`: changes are pending, or with `--exact`, "
    "the allowlist differs",
    ExitCode.DRIFT: "drift: the org is not in the state the plan expects",
    ExitCode.GATE: "a gate failed",
    ExitCode.AUTH: "authentication failed, or a permission is missing",
    ExitCode.NETWORK: "network or service unavailable",
    ExitCode.LIMIT: "a limit is exceeded (128 ranges, 256 addresses, a file size), or an "
    "allowlist would be empty",
    ExitCode.INTERRUPTED: "interrupted; the last lines state what is live",
    ExitCode.PARTIAL: "partial success",
    ExitCode.STILL_RUNNING: "still running when the wait ended; refused because a run is in "
    "progress; or a run paused because something failed or is unclear",
    ExitCode.WAITING: "a run awaits approval: of a step, or to continue without a proof; "
    "nothing has failed",
}


@dataclass(frozen=True, init=False)
class Command:
    """A command of this tool that a text suggests: its arguments, without the option --config."""

    command: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "command", words)

    def line(self, config: str = DEFAULT_CONFIG) -> str:
        """The command, quoted for a shell, with --config unless the file has the default name."""
        import shlex  # --help shows no command

        option = () if config == DEFAULT_CONFIG else ("--config", config)
        return shlex.join(("sfcutover", *option, *self.command))


@dataclass(frozen=True, init=False)
class Advice:
    """A text that suggests commands, which stay data until output/ shows the text."""

    advice: tuple[str | Command, ...]

    def __init__(self, *parts: str | Command | Advice) -> None:
        inner = (part.advice if isinstance(part, Advice) else (part,) for part in parts)
        object.__setattr__(self, "advice", tuple(each for some in inner for each in some))


Text = str | Advice


def written(text: Text | Command, config: str = DEFAULT_CONFIG) -> str:
    """The text with its commands written out. config: path of cutover.yaml, as given."""
    parts: Sequence[str | Command] = text.advice if isinstance(text, Advice) else (text,)
    return "".join(part if isinstance(part, str) else part.line(config) for part in parts)


def commands_in(text: Text) -> list[Command]:
    """The commands that the text suggests, in order."""
    parts = () if isinstance(text, str) else text.advice
    return [part for part in parts if isinstance(part, Command)]


class Answer(enum.StrEnum):
    """Whether a request that failed may be repeated.

    final: a repetition fails the same way. passing: nothing was done, and the obstacle clears by
    itself. unknown: what was done is read back before anything is repeated.
    """

    FINAL = "final"
    PASSING = "passing"
    UNKNOWN = "unknown"


class SfcutoverError(Exception):
    """Base of every error this tool raises on purpose.

    message: what happened, in one line.
    advice: what to do next; hint is the same as a plain text.
    where: file and line (``cutover.yaml:7``), template and line, or an id.
    also: further problems found at the same time, each with its place.
    impact: on the customers' refresh tokens; empty where there is none to state.
    answer: whether a request that failed so is worth repeating.
    """

    exit_code: ExitCode = ExitCode.FAILED
    heading: ClassVar[str] = "error"  # another one where nothing failed
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
        """A copy of the error with these texts; the original does not change."""
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
    """An option, a file or a template that the operator supplied is wrong.

    It states no impact unless it is given one: such an error precedes any change.
    """

    exit_code = ExitCode.USAGE
    default_impact = ""


class DriftError(SfcutoverError):
    """The org is not in the state the plan or the phase expects."""

    exit_code = ExitCode.DRIFT


class IdentityError(DriftError):
    """An org, component or canary is not the one that the cutover is bound to."""


class ExternalChangeError(DriftError):
    """Another user saved an allowlist between the last read and the deployment, which is live."""


class GateError(SfcutoverError):
    """A check that must pass before the next phase did not pass."""

    exit_code = ExitCode.GATE


class AuthError(SfcutoverError):
    """The org rejects the session, or the user lacks a permission."""

    exit_code = ExitCode.AUTH


class NetworkError(SfcutoverError):
    """The org, or a proxy in front of it, returned no usable answer."""

    exit_code = ExitCode.NETWORK
    answer = Answer.UNKNOWN


class BusyError(NetworkError):
    """A lock, a limit or a busy server prevented the request: nothing was done."""

    answer = Answer.PASSING


class LimitError(SfcutoverError):
    """An allowlist or a file is larger (or emptier) than allowed."""

    exit_code = ExitCode.LIMIT


class LockLostError(NetworkError):
    """This process lost its lock, or the run ended elsewhere: this process does nothing more."""


class InterruptedRunError(SfcutoverError):
    """The operator or the system asked the process to stop."""

    exit_code = ExitCode.INTERRUPTED


class PartialSuccessError(SfcutoverError):
    """The org applied only a part of a deployment."""

    exit_code = ExitCode.PARTIAL


class StillRunningError(SfcutoverError):
    """Something has not ended: a deployment that may still land, another run, or this run, which
    is paused because something failed or is unclear."""

    exit_code = ExitCode.STILL_RUNNING


class WaitingForApprovalError(SfcutoverError):
    """A run awaits approval, and nothing has failed."""

    exit_code = ExitCode.WAITING
    heading = "paused"
