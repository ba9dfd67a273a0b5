"""Deployments: a queue that moves by the clock, not by the number of polls.

One deployment runs at a time; the others wait as Pending (Metadata API). There is no
thread behind it: each look at it brings the queue up to the present.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sfcutover.emulator.components import Store
from sfcutover.emulator.edits import DEPLOYMENT, Edits
from sfcutover.emulator.faults import Fault, Kind
from sfcutover.emulator.formats import Clock, IdSequence, User, is_same
from sfcutover.emulator.lists import drop_address
from sfcutover.emulator.outcome import Checker, Message, Outcome
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.validation import Problem

PENDING_SHARE = 0.1  # of a deployment's time
FINALIZING_SHARE = 0.8  # from here on; between the two it is in progress
_REFUSED = "FIELD_INTEGRITY_EXCEPTION: the organization does not accept this value"  # assumed
NO_CANCEL_WHILE_FINALIZING = 65.0  # from this API version on


class Status(StrEnum):
    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    FINALIZING = "Finalizing"
    FINALIZING_FAILED = "FinalizingFailed"
    SUCCEEDED = "Succeeded"
    SUCCEEDED_PARTIAL = "SucceededPartial"
    FAILED = "Failed"
    CANCELING = "Canceling"
    CANCELED = "Canceled"
    UNKNOWN = "Reconciling"  # not one of Salesforce's; the fault unknown_status shows it


@dataclass(frozen=True)
class Options:
    """The DeployOptions that make a difference here."""

    check_only: bool = False
    ignore_warnings: bool = False
    rollback_on_error: bool = False
    single_package: bool = False
    test_level: str = ""


@dataclass
class Deployment:
    """One deploy request and its progress. Public fields are for tests.

    seconds: what it takes once it is its turn.
    """

    id: str
    zip_bytes: bytes = field(repr=False)
    options: Options
    created: datetime
    by: User
    fault: Fault | None = None
    seconds: float = 0
    status: Status = Status.PENDING
    started: datetime | None = None
    ended: datetime | None = None
    modified: datetime | None = None
    cancel_requested: datetime | None = None
    outcome: Outcome = field(default_factory=Outcome)
    components_total: int = 0
    components_deployed: int = 0
    error_code: str | None = None
    error_message: str | None = None
    zip_size: int = 0
    file_count: int | None = None

    @property
    def affliction(self) -> Kind | None:
        """The kind of fault that happens to it."""
        return self.fault.kind if self.fault else None

    @property
    def check_only(self) -> bool:
        return self.options.check_only

    @property
    def done(self) -> bool:
        return self.ended is not None

    @property
    def success(self) -> bool:
        return self.status in (Status.SUCCEEDED, Status.SUCCEEDED_PARTIAL)

    @property
    def failures(self) -> tuple[Message, ...]:
        return self.outcome.failures if self.done else ()

    @property
    def successes(self) -> tuple[Message, ...]:
        return self.outcome.successes if self.done else ()


class Plan:
    """When a deployment that starts at a moment reaches which status; seconds is its time."""

    def __init__(self, start: datetime, seconds: float, fault: Fault | None) -> None:
        unknown = fault.seconds if fault and fault.kind == "unknown_status" else 0.0
        self.in_progress_at = start + timedelta(seconds=seconds * PENDING_SHARE)
        self.finalizing_at = start + timedelta(seconds=seconds * FINALIZING_SHARE)
        self.known_at = self.finalizing_at + timedelta(seconds=unknown)
        self.ends_at = start + timedelta(seconds=seconds + unknown)

    def progress(self, now: datetime) -> float:
        """From 0 to 1 while it is in progress."""
        whole = self.finalizing_at - self.in_progress_at
        return min(1.0, (now - self.in_progress_at) / whole) if whole else 1.0


class CancelRefusedError(Exception):
    """The deployment can no longer be canceled; the message states why."""


class Queue:
    """All deployments of one org. The caller holds the org's lock."""

    def __init__(
        self,
        scenario: Scenario,
        store: Store,
        ids: IdSequence,
        clock: Clock,
        edits: Edits,
        owner: User,
    ) -> None:
        self._scenario = scenario
        self._store = store
        self._checker = Checker(scenario, store)
        self._ids = ids
        self._clock = clock
        self._edits = edits
        self._owner = owner
        self._deployments: list[Deployment] = []

    def __iter__(self) -> Iterator[Deployment]:
        return iter(list(self._deployments))

    def add(self, zip_bytes: bytes, options: Options, fault: Fault | None) -> Deployment:
        """Line a deployment up."""
        deployment = self._new(zip_bytes, options, self._clock(), self._owner)
        deployment.fault = fault
        deployment.seconds = self._scenario.deploy_seconds
        return deployment

    def add_foreign(self, zip_bytes: bytes, moment: datetime, by: User, seconds: float) -> None:
        """Line up another user's deployment; without seconds it has just been done."""
        deployment = self._new(zip_bytes, Options(single_package=True), moment, by)
        deployment.seconds = seconds
        if not seconds:
            self._begin(deployment, moment)
            self._finish(deployment, moment, partial=False)

    def _new(self, zip_bytes: bytes, options: Options, moment: datetime, by: User) -> Deployment:
        deployment = Deployment(self._ids.make("0Af"), zip_bytes, options, moment, by)
        deployment.zip_size = len(zip_bytes)
        self._deployments.append(deployment)
        return deployment

    def find(self, deployment_id: str) -> Deployment | None:
        """By its 15- or 18-character id."""
        return next((one for one in self._deployments if is_same(one.id, deployment_id)), None)

    def cancel(self, deployment: Deployment, version: float) -> None:
        """Ask for a cancel; version is that of the caller's API."""
        self.advance()
        if deployment.done:
            raise CancelRefusedError("Deployment already completed")
        finalizing = deployment.status == Status.FINALIZING
        if finalizing and version >= NO_CANCEL_WHILE_FINALIZING:
            raise CancelRefusedError("Deployment is being finalized and can't be canceled")
        if finalizing:
            self._commit(deployment, self._clock())  # below 65.0 a canceled one may have committed
        deployment.cancel_requested = deployment.cancel_requested or self._clock()
        self.advance()

    def advance(self) -> None:
        """Bring every deployment up to the present."""
        now = self._clock()
        free_since: datetime | None = None
        for deployment in self._deployments:
            if not deployment.done:
                start = max(deployment.created, free_since or deployment.created)
                self._move(deployment, start, now)
            if not deployment.done:
                self._cancel_waiting(now)
                return
            free_since = max(filter(None, (free_since, deployment.ended)))

    def _cancel_waiting(self, now: datetime) -> None:
        for deployment in self._deployments:
            waits = not deployment.done and deployment.started is None
            if waits and deployment.cancel_requested:
                self._end(deployment, Status.CANCELED, now)

    def _move(self, deployment: Deployment, start: datetime, now: datetime) -> None:
        if deployment.cancel_requested is not None:
            self._move_canceled(deployment, deployment.cancel_requested, now)
            return
        plan = Plan(start, deployment.seconds, deployment.fault)
        if now < plan.in_progress_at:
            return
        self._begin(deployment, plan.in_progress_at)
        deployment.components_deployed = int(plan.progress(now) * len(deployment.outcome.changes))
        if now >= plan.finalizing_at:
            self._judge(deployment, plan, now)

    def _begin(self, deployment: Deployment, moment: datetime) -> None:
        if deployment.started is not None:
            return
        deployment.status = Status.IN_PROGRESS
        deployment.started = deployment.modified = moment
        deployment.outcome = _afflicted(
            self._checker.check(
                deployment.zip_bytes, single_package=deployment.options.single_package
            ),
            deployment.fault,
        )
        deployment.components_total = deployment.outcome.total
        deployment.file_count = deployment.outcome.file_count

    def _judge(self, deployment: Deployment, plan: Plan, now: datetime) -> None:
        outcome = deployment.outcome
        partial = bool(outcome.failures) and self._allows_partial(deployment)
        if deployment.affliction == "canceling":
            deployment.cancel_requested = plan.finalizing_at
            self._move_canceled(deployment, plan.finalizing_at, now)
        elif outcome.error or (outcome.failures and not partial):
            self._fail(deployment, plan.finalizing_at)
        elif now < plan.known_at:
            deployment.status = Status.UNKNOWN
        elif now < plan.ends_at:
            deployment.status = Status.FINALIZING
            deployment.modified = plan.finalizing_at
        else:
            self._finish(deployment, plan.ends_at, partial)

    def _allows_partial(self, deployment: Deployment) -> bool:
        if deployment.affliction in ("succeeded_partial", "failed"):
            return deployment.affliction == "succeeded_partial"
        return bool(deployment.outcome.changes) and not deployment.options.rollback_on_error

    def _finish(self, deployment: Deployment, moment: datetime, partial: bool) -> None:
        if deployment.affliction == "finalizing_failed":
            deployment.error_code = "UNKNOWN_EXCEPTION"
            deployment.error_message = "The deployment could not be finalized"
            self._end(deployment, Status.FINALIZING_FAILED, moment)
            return
        self._commit(deployment, moment)
        deployment.components_deployed = len(deployment.outcome.changes)
        self._end(deployment, Status.SUCCEEDED_PARTIAL if partial else Status.SUCCEEDED, moment)

    def _fail(self, deployment: Deployment, moment: datetime) -> None:
        if deployment.outcome.error:
            deployment.error_message = deployment.outcome.error
            deployment.error_code = deployment.outcome.error.partition(":")[0]
        deployment.components_deployed = len(deployment.outcome.changes)
        self._end(deployment, Status.FAILED, moment)

    def _move_canceled(self, deployment: Deployment, requested: datetime, now: datetime) -> None:
        gone = requested + timedelta(seconds=self._scenario.cancel_seconds)
        if deployment.started is None:
            self._end(deployment, Status.CANCELED, requested)
        elif now < gone:
            deployment.status = Status.CANCELING
        else:
            self._end(deployment, Status.CANCELED, gone)

    def _commit(self, deployment: Deployment, moment: datetime) -> None:
        if deployment.check_only:
            return
        is_own = deployment.by == self._owner
        if is_own:
            self._edits.reach(DEPLOYMENT, "before", moment)
        if deployment.affliction != "save_does_not_take":
            self._save(deployment, moment)
        if is_own:
            self._edits.reach(DEPLOYMENT, "after", moment)

    def _save(self, deployment: Deployment, moment: datetime) -> None:
        for change in deployment.outcome.changes:
            place = (change.metadata_type, change.full_name)
            if change.xml is None:
                self._store.delete(*place, moment)
            else:
                xml = _without_address(change.metadata_type, change.xml, deployment.fault)
                self._store.save(*place, xml, moment, deployment.by)

    def _end(self, deployment: Deployment, status: Status, moment: datetime) -> None:
        deployment.status = status
        deployment.ended = deployment.modified = moment
        deployment.zip_bytes = deployment.zip_bytes if deployment.check_only else b""


def _without_address(metadata_type: str, xml: bytes, fault: Fault | None) -> bytes:
    """The file, or what a fault lets a save make of it: a range lost without a word."""
    if fault is None or fault.kind != "save_drops_address":
        return xml
    return drop_address(metadata_type, xml, fault.address)


def _afflicted(outcome: Outcome, fault: Fault | None) -> Outcome:
    """The outcome with the failure that a fault asks for."""
    if fault is None or fault.kind not in ("failed", "succeeded_partial"):
        return outcome
    if fault.refusal:
        code, message = fault.refusal
        return Outcome(error=f"{code}: {message}", total=outcome.total)
    struck = [one for one in outcome.successes if one.component_type][:1]
    names = {(one.component_type, one.full_name) for one in struck}
    problem = Problem(fault.message or _REFUSED)
    failures = (replace(one, problem=problem, is_changed=False) for one in struck)
    changes = (one for one in outcome.changes if (one.metadata_type, one.full_name) not in names)
    return replace(
        outcome,
        successes=tuple(one for one in outcome.successes if one not in struck),
        failures=(*outcome.failures, *failures),
        changes=tuple(changes),
    )
