"""A phase into one target, never sent twice: begun again, it first finds what it had begun.

What the org was sent is in the journal before it is on its way. A step that is begun again
and finds a sending without an end looks for deployments that are newer than it, waits for
them, and reads the list back.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from sfcutover.allowlist.diff import ReadBack
from sfcutover.allowlist.documents import PhaseDocument
from sfcutover.allowlist.phases import Phase, check_order
from sfcutover.allowlist.plan import PlannedPhase, plan_phase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.deployment import Rollout, RolloutOptions
from sfcutover.cutover.refusals import Clearance
from sfcutover.cutover.step import Evidence, TargetWork
from sfcutover.errors import (
    Advice,
    Command,
    DriftError,
    GateError,
    InterruptedRunError,
    NetworkError,
    OperationFailedError,
    SfcutoverError,
    StillRunningError,
)
from sfcutover.runs.journal import Event, Journal
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.deployer import Watcher
from sfcutover.salesforce.documents import AllowlistDocument, ResultDocument
from sfcutover.salesforce.results import DeployResult
from sfcutover.util.clock import Clock, next_interval

SENDING = "deployment-sending"
SENT = "deployment-sent"
UNSEEN = "deployment-unseen"
PROGRESS = "deployment-progress"


@dataclass(frozen=True)
class Sendings:
    """The deployments of one phase to one target."""

    journal: Journal
    target: str
    phase: Phase

    @property
    def sent(self) -> list[str]:
        """The ids the org has given, the oldest first."""
        return [each.text("id") for each in self._events(SENT)]

    @property
    def latest_before(self) -> str | None:
        """The org's newest deployment before the last one was sent; None if it didn't say."""
        events = self._events(SENDING)
        return events[-1].text("latest") or None if events else None

    @property
    def is_open(self) -> bool:
        """True if a package was about to be sent, and nobody knows what became of it."""
        known = len(self._events(SENT)) + len(self._events(UNSEEN))
        return known < len(self._events(SENDING))

    @property
    def may_still_land(self) -> bool:
        """True unless everything that was sent is known to be over."""
        over = {
            each.text("id")
            for each in self.journal.all(PROGRESS, target=self.target)
            if each.data.get("done") is True
        }
        return self.is_open or not over.issuperset(self.sent)

    def _events(self, kind: str) -> list[Event]:
        found = self.journal.all(kind, target=self.target)
        return [each for each in found if each.text("phase") == self.phase.value]


SENT_UNSEEN_SECONDS = 3.0  # so long a request of a process that died may still be on its way


class UnknownFateError(GateError):
    """A removal may have been sent, and the org does not say whether it has it."""


@dataclass
class PhaseDeployment:
    """One phase for one target of a run.

    wait: seconds for one deployment; one that takes longer is looked for again. baseline: the
    lists before anything changed, where known.
    """

    work: TargetWork
    connection: Connection
    phase: Phase
    wait: float = 3600.0
    baseline: Snapshot | None = None

    @property
    def sendings(self) -> Sendings:
        return Sendings(self.work.journal, self.work.target.name, self.phase)

    def find_earlier(self) -> None:
        """Wait for what an earlier try has sent, or may have.

        Raises what waiting raises, and UnknownFateError for a removal that nobody can find.
        """
        for identifier in self.sendings.sent[-1:]:
            with suppress(OperationFailedError):  # the org has forgotten it: it is over
                self._await(identifier)
        if self.sendings.is_open:
            self._look_for_newer_than(self.sendings.latest_before)

    def require_first(self) -> None:
        """A run sends a removal to a list once. Raises DriftError for one that was sent, is over,
        and is not on the list: it failed, or somebody has put the addresses back since."""
        if not (sent := self.sendings.sent):
            return
        raise DriftError(
            f"{self.phase} was deployed to this list by {sent[-1]}, and the addresses are on it: "
            "the deployment failed, or somebody has put them back since",
            hint=Advice(Command("deployment", "report", sent[-1])),
            tokens="the addresses stay on the list, and this run takes them off no more",
        )

    def bring(
        self, live: Snapshot, clearance: Clearance | None = None, *, even_if_unchanged: bool = False
    ) -> Evidence:
        """Deploy what is missing, wait and read back. Raises what Rollout.run raises.

        even_if_unchanged: send it all the same, behind something that may still land.
        """
        for component in live.carriers:
            check_order(self.phase, component.allowlist, self.work.cutover.change)
        planned = plan_phase(
            self.phase, live, self.work.cutover, self.work.templates, self.baseline
        )
        self.work.tell("planned", phase=PhaseDocument.of(planned).model_dump(mode="json"))
        if not planned.changed and not even_if_unchanged:
            return self._evidence(planned, None)
        rollout = Rollout(
            self.connection,
            planned,
            RolloutOptions(wait=self.wait),
            JournalObserver(self),
            templates=self.work.templates,
            clearance=clearance,
        )
        state = self._rolled_out(rollout)
        return self._evidence(rollout.planned, state, rollout.deployments)

    def note_sending(self) -> str | None:
        """On disk before the request is on its way; the org's newest deployment by now.

        Raises NetworkError if this process may act no more.
        """
        latest = self.connection.deployer.find_latest()
        if self.phase is Phase.RESTORE_OLD:
            self.work.tell(SENDING, phase=self.phase.value, latest=latest)
            return latest  # always safe, whoever does it and whatever else is away
        self.work.tell_durably(SENDING, phase=self.phase.value, latest=latest)
        try:
            self.work.require_to_act()
        except SfcutoverError:
            self.work.tell(UNSEEN, phase=self.phase.value)
            raise
        return latest

    def note_sent(self, identifier: str) -> None:
        self.work.tell(SENT, phase=self.phase.value, id=identifier)

    def _rolled_out(self, rollout: Rollout) -> ReadBack | None:
        try:
            return rollout.run()
        except (NetworkError, StillRunningError, InterruptedRunError):
            raise  # the org may have begun it, or gone on with it
        except SfcutoverError:
            if self.sendings.is_open:  # the org has refused it: there is nothing to look for
                self.work.tell(UNSEEN, phase=self.phase.value)
            raise

    def _await(self, identifier: str) -> DeployResult:
        observer = JournalObserver(self)
        watcher = Watcher(on_progress=observer.progress, on_problem=lambda e: observer.note(str(e)))
        return self.connection.deployer.wait(identifier, self.wait, watcher)

    def _look_for_newer_than(self, before: str | None) -> None:
        """A request was sent, or not; its answer is known to nobody. An org works on one
        deployment after the other, so all that are newer are waited for."""
        clock = Clock()
        started = clock.now()
        newer = self.connection.deployer.find_newer(before)
        while not newer and (elapsed := clock.now() - started) <= SENT_UNSEEN_SECONDS:
            clock.pause(next_interval(elapsed))
            newer = self.connection.deployer.find_newer(before)
        for identifier in newer or ():
            self._await(identifier)
        if newer:
            self.note_sent(newer[-1])
        elif newer is None and self.phase.removes:
            raise UnknownFateError(
                f"{self.phase} may have been sent, and the org does not say which deployments it "
                "has",
                hint="look at Deployment Status in Setup, wait until nothing is under way there, "
                "then approve",
                tokens="the old addresses may come off the list at any time",
            )
        else:
            self.work.tell(UNSEEN, phase=self.phase.value)

    def _evidence(
        self,
        planned: PlannedPhase,
        state: ReadBack | None,
        deployments: list[DeployResult] | None = None,
    ) -> Evidence:
        live = state.live if state else planned.start
        return {
            "phase": self.phase.value,
            "changed": planned.changed,
            "deployments": [
                ResultDocument.of(each).model_dump(mode="json") for each in deployments or ()
            ],
            "sent": self.sendings.sent,
            "live": [each.model_dump(mode="json") for each in AllowlistDocument.all_of(live)],
            "diff": PhaseDocument.of(planned).model_dump(mode="json"),
        }


class JournalObserver:
    """Tells the journal how a rollout goes on; a change of status or count is one event."""

    def __init__(self, deployment: PhaseDeployment) -> None:
        self._deployment = deployment
        self._last: tuple[str, int] | None = None

    def stage(self, name: str) -> None:
        self._deployment.work.tell("stage", name=name)

    def sending(self) -> str | None:
        return self._deployment.note_sending()

    def sent(self, deployment_id: str) -> None:
        self._deployment.note_sent(deployment_id)

    def progress(self, result: DeployResult) -> None:
        now = (result.status, result.components_deployed)
        if now != self._last:
            self._last = now
            self._deployment.work.tell(
                PROGRESS,
                id=result.id,
                status=result.status,
                done=result.done,
                deployed=result.components_deployed,
                total=result.components_total,
            )

    def note(self, text: str) -> None:
        self._deployment.work.note(text)
