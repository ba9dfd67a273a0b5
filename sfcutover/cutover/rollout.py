"""Deploys one phase to one org: deploy, wait, read back, and only then report success.

The deployment's own answer never decides. After each answer (Succeeded, Canceled, or lost), the org
is read back, and that decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sfcutover.allowlist.diff import ReadBack, read_back
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.allowlist.ranges import IpRange, subtract
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.cutover.crosscheck import compare_readings
from sfcutover.cutover.removalgate import RemovalPermit, require_permit
from sfcutover.cutover.resending import require_idle
from sfcutover.cutover.resources import SHUTDOWN_GUARD
from sfcutover.errors import (
    Advice,
    Answer,
    BusyError,
    Command,
    NetworkError,
    OperationFailedError,
    PartialSuccessError,
    SfcutoverError,
)
from sfcutover.salesforce.answers import OTHER_ADDRESS, AccessRefusedError, is_about_address
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.deployer import LostAnswerError
from sfcutover.salesforce.results import DeployResult, DeployState
from sfcutover.util.clock import Clock
from sfcutover.util.signals import deferred

LOST_ANSWER_SECONDS = 30.0
NONE_BEGAN_SECONDS = 5.0  # where the org names no newer deployment: it may still be on its way
READ_BACK_SECONDS = 30.0  # how long to retry reading an org that does not answer
MAX_DEPLOYMENTS = 2  # a list that did not take is deployed once more, never more often
NOT_READ_BACK = (
    "the allowlist could not be read back: it is as it was or as planned; check it before moving "
    "traffic"
)


class Observer(Protocol):
    """Receives the progress of a rollout."""

    def stage(self, name: str) -> None:
        """A new stage: Preparing, Waiting for the org, Deploying, Reading back, Done."""

    def sending(self) -> str | None:
        """The package is about to be sent. What this raises keeps it from being sent.

        May give the org's newest deployment before it, so that a lost one is told from that.
        """

    def never_received(self) -> None:
        """The package was not sent, although sending() said so."""

    def sent(self, deployment_id: str) -> None:
        """The org has taken the package and given this id."""

    def found(self, deployment_id: str) -> None:
        """The package's answer was lost; this one is newer, and may be it."""

    def progress(self, result: DeployResult) -> None:
        """How the deployment stands."""

    def note(self, text: str) -> None:
        """Something worth a line."""


@dataclass(frozen=True)
class RolloutOptions:
    """wait: seconds until the wait for one deployment ends. check_only: validate only. behind:
    ids of deployments that must have ended, too, before the list is read back."""

    wait: float = 1800.0
    check_only: bool = False
    behind: tuple[str, ...] = ()


@dataclass
class Rollout:
    """One phase on its way into one target.

    permit: needed by a phase that removes addresses; without it nothing is sent.
    deployments: every deployment that was waited for, with its last known result.
    """

    connection: Connection
    planned: PlannedPhase
    options: RolloutOptions
    observer: Observer
    clock: Clock = field(default_factory=Clock)
    templates: Templates = field(default_factory=Templates)
    permit: RemovalPermit | None = None
    deployments: list[DeployResult] = field(default_factory=list)
    _before: str | None = field(default=None, init=False)

    def run(self) -> ReadBack | None:
        """Deploy and read back; None after a validation, which changes nothing.

        Raises OperationFailedError, PartialSuccessError, LostAnswerError, BusyError for what was
        not done and can be sent again, and what sending, waiting and reading raise.
        """
        self.observer.stage("Preparing")
        result = self._deploy()
        if self.options.check_only:
            self._require_valid(result)
            return None
        state = self._read(result)
        if not state.taken and _claims_success(result) and len(self.deployments) < MAX_DEPLOYMENTS:
            self.observer.note(
                f"the change did not take effect ({_problems(state)}); deploying once more"
            )
            planner = self.connection.cutover.planner(self.templates)
            self.planned = planner.repeat(self.planned, state.live)
            result = self._deploy()
            state = self._read(result)
        self._judge(result, state)
        if self.planned.phase is Phase.ADD_NEW:  # behind the others a watch, or traffic, waits
            for difference in compare_readings(self.connection, state.live):
                self.observer.note(difference)
        return state

    def start(self) -> str:
        """Send the package and don't wait; the deployment's id."""
        return self._send()

    def _deploy(self) -> DeployResult | None:
        """The finished deployment, or None if its answer was lost and the org can't name it."""
        try:
            deployment_id = self._send()
        except LostAnswerError as error:
            return self._recover(error)
        result = self._wait(deployment_id)
        self.deployments.append(result)
        for each in self.options.behind:
            self._see_ended(each)
        return result

    def _see_ended(self, deployment_id: str) -> None:
        """The list is not final before that."""
        try:
            self._wait(deployment_id)
        except OperationFailedError as error:
            self.observer.note(error.message)  # the org has forgotten it

    def _send(self) -> str:
        if not self.options.check_only:
            require_permit(self.planned.phase, self.permit)
        with SHUTDOWN_GUARD, deferred():  # the id of what was sent must be known at the end
            self._before = self.observer.sending()
            self._require_current()
            deployment_id = self.connection.deployer.start(
                self.planned.package.to_zip(), check_only=self.options.check_only
            )
            self.observer.sent(deployment_id)
        self.observer.stage("Waiting for the org")
        return deployment_id

    def _require_current(self) -> None:
        """Directly before the package is sent. Pending deployments do not delay a restore."""
        if self.planned.phase is Phase.RESTORE_OLD or self.options.check_only:
            return
        try:
            require_current(self.connection, self.planned.start)
        except SfcutoverError:
            self.observer.never_received()
            raise

    def _wait(self, deployment_id: str) -> DeployResult:
        return self.connection.deployer.wait(
            deployment_id,
            self.options.wait,
            on_progress=self.observer.progress,
            on_problem=lambda error: self.observer.note(f"{error}; polling again"),
        )

    def _recover(self, error: LostAnswerError) -> DeployResult | None:
        """After a lost answer: look the deployment up, and read back until it shows."""
        self.observer.note(f"{error.message}; nothing is sent again; reading the org back")
        if self.options.check_only:
            raise error
        latest = self.connection.deployer.find_latest()
        is_new = latest is not None and latest != self._before
        if latest is not None and is_new:
            self.observer.found(latest)
            result = self._wait(latest)
            if self._read(result).taken:
                self.deployments.append(result)
                return result
            self.observer.note(
                f"the org's newest deployment {latest} ended as {result.status}{_reasons(result)}"
            )
        none_began = latest is not None and self._before is not None and not is_new
        self._read_until_taken(error, NONE_BEGAN_SECONDS if none_began else LOST_ANSWER_SECONDS)
        return None

    def _read_until_taken(self, error: LostAnswerError, seconds: float) -> None:
        started, seen = self.clock.now(), ""
        for _ in self.clock.polls(seconds):
            state = self._try_to_read()
            if isinstance(state, ReadBack) and state.taken:
                return
            seen = (
                "the allowlist is unchanged"
                if isinstance(state, ReadBack)
                else f"the allowlist cannot be read ({state})"
            )
        raise LostAnswerError(
            f"{error.message}, and after {self.clock.now() - started:.0f} s {seen}",
            hint="run this again: it reads the org first and sends only what is missing",
            impact=error.impact,
        ) from error

    def _read(self, own: DeployResult | None) -> ReadBack:
        """Reading changes nothing, so an org that doesn't answer is asked again for a while."""
        problem: NetworkError | None = None
        for _ in self.clock.polls(READ_BACK_SECONDS):
            state = self._try_to_read(own)
            if isinstance(state, ReadBack):
                return state
            problem = state
        raise problem or RuntimeError("a clock polls at least once")

    def _try_to_read(self, own: DeployResult | None = None) -> ReadBack | NetworkError:
        self.observer.stage("Reading back")
        try:
            live = self.connection.read(policies=self.planned.after.policies is not None or None)
        except NetworkError as error:
            self.observer.note(f"{error}; reading again")
            return error.replaced(impact=NOT_READ_BACK)
        except SfcutoverError as error:
            raise error.replaced(impact=NOT_READ_BACK) from error
        sets = self.connection.cutover.policies.of(self.planned.phase)
        return read_back(
            self.planned.start,
            self.planned.after,
            live,
            {*sets, *self.planned.changed_fields},
            self._removed_by_others(own, live),
        )

    def _removed_by_others(self, own: DeployResult | None, live: Snapshot) -> list[IpRange]:
        """What another user has removed since our deployment has saved the list: that is theirs.

        The addresses of this cutover are none of them.
        """
        change, found = self.connection.cutover.change, list[IpRange]()
        for component in live.carriers:
            saved, wanted = component.properties, self.planned.after.same_as(component)
            if own is None or own.created_by is None or saved is None or wanted is None:
                continue
            if saved.modified_by != own.created_by:
                missing = component.allowlist.uncovered(wanted.allowlist)
                found += subtract(missing, (*change.old, *change.new))
        return found

    def _require_valid(self, result: DeployResult | None) -> None:
        if result is None or result.state is not DeployState.SUCCEEDED:
            raise _failure(result, "the org would refuse this package; nothing was changed")

    def _judge(self, result: DeployResult | None, state: ReadBack) -> None:
        """Raise unless the phase is live. The org's list decides, not the status."""
        for mismatch in state.cosmetic:
            self.observer.note(f"the org differs from the package: {mismatch}")
        if state.taken:
            if result is not None and not _claims_success(result):
                self.observer.note(
                    f"the deployment status is {result.status}, but the phase is live"
                )
            return
        if result is not None and result.state is DeployState.PARTIAL:
            raise PartialSuccessError(
                f"deployment {result.id} took effect only in part: {_problems(state)}",
                hint=Advice(
                    Command("diff", self.planned.phase.value),
                    " shows what is missing; run the deploy again",
                ),
                impact=self._meaning(state),
            )
        raise _failure(result, self._meaning(state), state)

    def _meaning(self, state: ReadBack) -> str:
        added = self.connection.cutover.change.added
        return _meaning(self.planned.phase, state, added)


def require_current(connection: Connection, start: Snapshot) -> None:
    """Raise BusyError unless start is what the org holds, and nothing is about to change it.

    A deployment replaces the list, and an org compares nothing: what is pending would be undone,
    and what was saved since the list was read would be lost. What the org does not say, it
    can't keep from being sent.
    """
    require_idle(connection)
    if (saved := connection.retriever.modified_since(start)) is not None:
        raise BusyError(
            f"{saved.modified_by} saved the allowlist at {saved.last_modified:%H:%M:%SZ}, after "
            "it was read",
            hint="run this again: it reads the allowlist first",
        )


def _claims_success(result: DeployResult | None) -> bool:
    return result is None or result.state is DeployState.SUCCEEDED


def _failure(
    result: DeployResult | None, impact: str, state: ReadBack | None = None
) -> SfcutoverError:
    if result is None:
        return NetworkError("the deployment cannot be found", hint="run this again", impact=impact)
    if result.state is DeployState.SUCCEEDED and state is not None:
        return OperationFailedError(
            f"deployment {result.id} reports Succeeded, but the change did not take effect: "
            f"{_problems(state)}",
            hint="check the allowlist in Setup; the org may lock it or change it on saving",
            impact=impact,
        )
    if result.answer is Answer.PASSING:
        return BusyError(
            f"deployment {result.id} ended as {result.status}{_reasons(result)}",
            hint="this is temporary: run this again in a moment",
            impact=impact,
        )
    ended = f"deployment {result.id} ended as {result.status}{_reasons(result)}"
    if is_about_address(_reasons(result)):
        return AccessRefusedError(ended, hint=OTHER_ADDRESS, impact=impact)
    return OperationFailedError(
        ended,
        hint=Advice(
            "fix what the org reports, then run this again; ",
            Command("deployment", "report", result.id),
            " shows all details",
        ),
        impact=impact,
    )


def _reasons(result: DeployResult) -> str:
    reasons = [str(each) for each in result.failures]
    reasons += [f"{each.name}.{each.method}: {each.message}" for each in result.test_failures]
    reasons += [_error(result)] if _error(result) else []
    reasons += [f"canceled by {result.canceled_by}"] if result.canceled_by else []
    return f": {'; '.join(reasons)}" if reasons else ""


def _error(result: DeployResult) -> str:
    """errorStatusCode and errorMessage, the code once."""
    code, message = result.error_status_code or "", result.error_message or ""
    return message if code in message else ": ".join(filter(None, (code, message)))


def _problems(state: ReadBack) -> str:
    return "; ".join(map(str, state.blocking))


def _meaning(phase: Phase, state: ReadBack, added: Sequence[IpRange]) -> str:
    """What the list, as it was read back, means for the customers' tokens.

    added: what the cutover adds; nothing leaves from there before add-new is live.
    """
    missing = [entry for mismatch in state.blocking for entry in mismatch.missing]
    lost = subtract(missing, added) if phase is Phase.ADD_NEW else missing
    names = ", ".join(map(str, lost))
    if phase is Phase.RESTORE_POLICIES:
        return "the policies were read back and differ from before; the addresses are unchanged"
    if (phase.removes or phase is Phase.ADD_NEW) and lost:
        return f"{names} is missing from the allowlist: redemptions from there fail"
    return (
        "the allowlist was read back: every address that traffic uses now is still on it; do not "
        "move traffic to the new ones yet"
        if phase is Phase.ADD_NEW
        else "the allowlist was read back and is not as planned; do not move traffic now"
    )
