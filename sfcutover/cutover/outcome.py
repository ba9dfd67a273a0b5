"""How a step ended, as data that can be kept: its evidence, or its problem. No secrets."""

from __future__ import annotations

import enum
from typing import Literal

from pydantic import Field

from sfcutover.cutover.refusals import BlockedError, UndecidedError
from sfcutover.cutover.removal import StillInUseError
from sfcutover.errors import (
    Advice,
    AuthError,
    ConfigError,
    InterruptedRunError,
    NetworkError,
    SfcutoverError,
    StillRunningError,
    Text,
)
from sfcutover.salesforce.deployer import InterruptedWaitError
from sfcutover.salesforce.metadata import OrgLockedError
from sfcutover.util.document import Document
from sfcutover.util.secrets import redact


class ProblemKind(enum.StrEnum):
    """What a problem asks for.

    failed: the step can't be, or was disproven: go back. blocked: failed, and it was an
    address that was refused. inconclusive: nobody can say; try again, then ask. person: only a
    person can help (a session, a token, a file). later: it goes on in the org; look again.
    """

    FAILED = "failed"
    BLOCKED = "blocked"
    INCONCLUSIVE = "inconclusive"
    PERSON = "person"
    LATER = "later"


_KINDS: tuple[tuple[tuple[type[SfcutoverError], ...], ProblemKind], ...] = (
    ((BlockedError,), ProblemKind.BLOCKED),
    ((StillInUseError, OrgLockedError, NetworkError), ProblemKind.INCONCLUSIVE),
    ((StillRunningError, InterruptedWaitError), ProblemKind.LATER),
    ((UndecidedError, AuthError, ConfigError, InterruptedRunError), ProblemKind.PERSON),
)


class Problem(Document):
    """An error as a person is told it, and what it asks for."""

    kind: Literal["failed", "blocked", "inconclusive", "person", "later"]
    message: str
    where: str | None
    tokens: str
    next: Text
    exit_code: int

    @classmethod
    def of(cls, error: SfcutoverError) -> Problem:
        kinds = (kind for classes, kind in _KINDS if isinstance(error, classes))
        return cls(
            kind=next(kinds, ProblemKind.FAILED).value,
            message=redact(error.message),
            where=None if error.where is None else redact(error.where),
            tokens=redact(error.tokens),
            next=_masked(error.advice),
            exit_code=int(error.exit_code),
        )

    @property
    def text(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


def _masked(text: Text) -> Text:
    if isinstance(text, str):
        return redact(text)
    return Advice(*(redact(each) if isinstance(each, str) else each for each in text.advice))


class Outcome(Document):
    """evidence: what the step found, JSON values only. problem: None if it did what it should."""

    evidence: dict[str, object] = Field(default_factory=dict)
    problem: Problem | None = None

    @property
    def ok(self) -> bool:
        return self.problem is None
