"""How a step ended, as data that can be kept: its evidence, or its problem. No secrets."""

from __future__ import annotations

import enum
from typing import Literal

from pydantic import SerializeAsAny

from sfcutover.cutover.redemptionerrors import (
    BlockedError,
    StillInUseError,
    UndecidedError,
    UnseenTrafficError,
    UserRuleError,
)
from sfcutover.cutover.resending import StillBusyError
from sfcutover.errors import (
    UNCHANGED,
    Advice,
    AuthError,
    ConfigError,
    ExternalChangeError,
    GateError,
    IdentityError,
    InterruptedRunError,
    NetworkError,
    SfcutoverError,
    StillRunningError,
    Text,
)
from sfcutover.runs.runcontrol import ListClaimedError
from sfcutover.traffic.switch import SwitchNotRunError
from sfcutover.util.document import Document
from sfcutover.util.secrets import redact
from sfcutover.util.secretsources import MissingVariableError


class AnnouncementChangedError(GateError):
    """A step would change something else than what it was announced with."""


class ProblemKind(enum.StrEnum):
    """What a problem asks for.

    failed: the step is impossible, or was disproven: roll back. blocked: failed, and an address was
    refused. user-rule: refused, but probably not by this list: only the operator can help, and no
    traffic moves for it. inconclusive: unknown; try again, then ask. person: only the operator can
    help (a session, a token, a file). environment: as person, but what is missing reaches only a
    process that starts with it. identity: another org, component or canary answers than the
    one that was bound to; the operator loads the right one. later: it continues in the org; check
    again. doubt: nothing says that customers have left the addresses to be removed; the operator
    does. changed: it is not what was announced; announce it again.
    """

    FAILED = "failed"
    BLOCKED = "blocked"
    USER_RULE = "user-rule"
    INCONCLUSIVE = "inconclusive"
    PERSON = "person"
    ENVIRONMENT = "environment"
    IDENTITY = "identity"
    LATER = "later"
    DOUBT = "doubt"
    CHANGED = "changed"


_KINDS: tuple[tuple[tuple[type[SfcutoverError], ...], ProblemKind], ...] = (
    ((BlockedError,), ProblemKind.BLOCKED),
    ((UserRuleError,), ProblemKind.USER_RULE),
    ((UnseenTrafficError,), ProblemKind.DOUBT),
    ((AnnouncementChangedError,), ProblemKind.CHANGED),
    ((SwitchNotRunError,), ProblemKind.FAILED),
    ((IdentityError,), ProblemKind.IDENTITY),
    ((MissingVariableError,), ProblemKind.ENVIRONMENT),
    # Tried until the time was over; another run is the operator's, too; and what other users lost
    # only the operator can decide.
    ((StillBusyError, ListClaimedError, ExternalChangeError), ProblemKind.PERSON),
    ((NetworkError,), ProblemKind.INCONCLUSIVE),
    ((StillRunningError,), ProblemKind.LATER),
    (
        (StillInUseError, UndecidedError, AuthError, ConfigError, InterruptedRunError),
        ProblemKind.PERSON,
    ),
)


class Problem(Document):
    """An error as the operator reads it, and what it asks for."""

    kind: Literal[
        "failed",
        "blocked",
        "user-rule",
        "inconclusive",
        "person",
        "environment",
        "identity",
        "later",
        "doubt",
        "changed",
    ]
    message: str
    where: str | None
    impact: str
    next: Text
    exit_code: int

    @classmethod
    def of(cls, error: SfcutoverError) -> Problem:
        kinds = (kind for classes, kind in _KINDS if isinstance(error, classes))
        return cls(
            kind=next(kinds, ProblemKind.FAILED).value,
            message=redact(error.message),
            where=None if error.where is None else redact(error.where),
            impact=redact(error.impact or UNCHANGED),
            next=_masked(error.advice),
            exit_code=int(error.exit_code),
        )

    @property
    def text(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message

    @property
    def is_failure(self) -> bool:
        """True if the step is known not to hold."""
        return self.kind in ("failed", "blocked")


def _masked(text: Text) -> Text:
    if isinstance(text, str):
        return redact(text)
    return Advice(*(redact(each) if isinstance(each, str) else each for each in text.advice))


class StepEvidence(Document):
    """Base of what the steps find. Each step's own is beside it."""

    @property
    def is_canceled(self) -> bool:
        """True if the step ended because the run is to be canceled."""
        return False

    @property
    def is_rolled_back(self) -> bool:
        """True if the old addresses were restored: the run must not continue."""
        return False


class Canceled(StepEvidence):
    """The step ended, with nothing half done, as the run is to be canceled."""

    canceled: Literal[True] = True

    @property
    def is_canceled(self) -> bool:
        return True


class StepResult(Document):
    """evidence: what the step found. problem: None if it did what it should."""

    evidence: SerializeAsAny[StepEvidence] | None = None
    problem: Problem | None = None

    @property
    def ok(self) -> bool:
        return self.problem is None

    @property
    def is_user_rule(self) -> bool:
        """True if the canary was refused, but probably not by this list."""
        return self.problem is not None and self.problem.kind == "user-rule"

    @property
    def is_canceled(self) -> bool:
        return self.evidence is not None and self.evidence.is_canceled

    @property
    def is_rolled_back(self) -> bool:
        return self.evidence is not None and self.evidence.is_rolled_back

    @property
    def is_changed(self) -> bool:
        """True if the step would not have done what was announced, and did nothing."""
        return self.problem is not None and self.problem.kind == "changed"
