"""Records a deployment in the memory: before it is sent, when it is sent, and after that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sfcutover.allowlist.phases import Phase
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.sentdeployments import (
    NEVER_RECEIVED,
    PROGRESS,
    SENDING,
    SENT,
    SentDeployments,
)
from sfcutover.errors import GateError, OperationFailedError, SfcutoverError
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.results import DeployResult
from sfcutover.util.clock import Clock

RECEIVING_SECONDS = 3.0  # how long a request of a process that died may still be on its way


class UnknownFateError(GateError):
    """A removal may have been sent, and the org does not say whether it has it."""


@dataclass
class DeploymentObserver:
    """Tells the memory how a rollout proceeds; a change of status or count is one event."""

    context: TargetContext
    connection: Connection
    phase: Phase
    check_only: bool = False
    on_pending: Callable[[DeployResult], None] | None = (
        None  # after each poll of one that has not ended
    )
    _last: tuple[str, int, int] | None = field(default=None, init=False)

    def stage(self, name: str) -> None:
        self.context.tell("stage", name=name)

    def sending(self) -> str | None:
        """On disk before the request is on its way; the org's newest deployment by now.

        Raises LockLostError if another process continues the run.
        """
        latest = self.connection.deployer.find_latest()
        if self.phase is Phase.RESTORE_OLD:
            self.context.tell(SENDING, phase=self.phase.value, latest=latest)
            return latest  # always safe, from every process and without the state
        self.context.tell_durably(SENDING, phase=self.phase.value, latest=latest)
        try:
            self.context.control.require_lock()
        except SfcutoverError:
            self.never_received()
            raise
        return latest

    def sent(self, deployment_id: str) -> None:
        self.context.tell(SENT, phase=self.phase.value, id=deployment_id)
        if self.phase is Phase.REMOVE_OLD and not self.check_only:
            self.context.baselines.note_removal(self.context.target.name, deployment_id)

    def found(self, deployment_id: str) -> None:
        """It may be another user's, so it is waited for and never canceled."""
        self.context.tell(SENT, phase=self.phase.value, id=deployment_id, found=True)

    def never_received(self) -> None:
        """The org has no such package: there is nothing to look for."""
        self.context.tell(NEVER_RECEIVED, phase=self.phase.value)

    def progress(self, result: DeployResult) -> None:
        now = (result.status, result.components_deployed, result.tests_total)
        if now != self._last:
            self._last = now
            self.context.tell(
                PROGRESS,
                id=result.id,
                status=result.status,
                done=result.done,
                answer=result.answer.value,
                deployed=result.components_deployed,
                total=result.components_total,
                tests=result.tests_total,
            )
        if self.on_pending is not None and not result.done:
            self.on_pending(result)

    def note(self, text: str) -> None:
        self.context.note(text)

    def wait(self, identifier: str, seconds: float) -> DeployResult:
        """Raises what Deployer.wait raises."""
        return self.connection.deployer.wait(
            identifier,
            seconds,
            on_progress=self.progress,
            on_problem=lambda error: self.note(f"{error}; polling again"),
        )


def find_earlier(observer: DeploymentObserver, sent: SentDeployments, seconds: float) -> None:
    """Wait for what an earlier try of a phase has sent, or may have.

    seconds: for each. Raises what waiting raises, and UnknownFateError for a removal that can't
    be found.
    """
    for identifier in sent.ids[-1:]:
        try:
            observer.wait(identifier, seconds)
        except OperationFailedError:
            continue  # the org has forgotten it: it has ended
    if sent.is_open:
        _find_newer(observer, sent.latest_before, seconds)


def _find_newer(observer: DeploymentObserver, before: str | None, seconds: float) -> None:
    """A request was sent, or not; its answer is lost. An org works on one deployment after
    the other, so all that are newer are waited for."""
    newer = _newer_than(observer, before)
    for identifier in newer or ():
        observer.wait(identifier, seconds)
    if newer:
        observer.found(newer[-1])
    elif newer is None and observer.phase.removes:
        raise UnknownFateError(
            f"{observer.phase} may have been sent, and the org does not list its deployments",
            hint="check Deployment Status in Setup, wait until no deployment is running, then "
            "approve",
            impact="the old addresses may be removed from the allowlist at any time",
        )
    else:
        observer.never_received()


def _newer_than(observer: DeploymentObserver, before: str | None) -> list[str] | None:
    for _ in Clock().polls(RECEIVING_SECONDS):
        if newer := observer.connection.deployer.find_newer(before):
            break
    return newer
