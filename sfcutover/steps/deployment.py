"""A phase into one target, never sent twice: begun again, it first finds what it had begun.

Before a package is sent, the org's newest deployment is noted. A step that is begun again
and finds such a note looks for a newer one, waits for it and reads the list back.
"""

from __future__ import annotations

from dataclasses import dataclass

from sfcutover.clearance import Clearance
from sfcutover.connection import Connection
from sfcutover.documents.deployments import AllowlistDocument, ResultDocument
from sfcutover.documents.phases import PhaseDocument
from sfcutover.errors import (
    InterruptedRunError,
    NetworkError,
    SfcutoverError,
    StillRunningError,
)
from sfcutover.metadata.deployer import Watcher
from sfcutover.metadata.results import DeployResult
from sfcutover.phases import Phase, check_order
from sfcutover.plan import PlannedPhase, plan_phase
from sfcutover.polling import Clock, next_interval
from sfcutover.readback import ReadBack
from sfcutover.rollout import Rollout, RolloutOptions
from sfcutover.runs.journal import Event
from sfcutover.snapshot import Snapshot
from sfcutover.steps.work import Evidence, TargetWork

SENT_UNSEEN_SECONDS = 3.0  # so long a request of a process that died may still be on its way
_SENDING = "deployment-sending"
_SENT = "deployment-sent"
_UNSEEN = "deployment-unseen"


@dataclass
class PhaseDeployment:
    """One phase for one target of a run."""

    work: TargetWork
    connection: Connection
    phase: Phase
    wait: float = 3600.0  # seconds for one deployment; a longer one is looked for again

    def find_earlier(self) -> None:
        """Wait for a deployment that an earlier try has sent, or may have. Raises what waiting
        raises."""
        sent = [each.text("id") for each in self._events(_SENT)]
        for identifier in sent[-1:]:
            self._await(identifier)
        if self._is_open():
            self._look_for(self._events(_SENDING)[-1].text("latest"))

    def bring(self, live: Snapshot, clearance: Clearance | None = None) -> Evidence:
        """Deploy what is missing, wait and read back. Raises what Rollout.run raises."""
        for component in live.carriers:
            check_order(self.phase, component.allowlist, self.work.cutover.change)
        planned = plan_phase(self.phase, live, self.work.cutover, self.work.templates)
        self.work.tell("planned", phase=PhaseDocument.of(planned).model_dump(mode="json"))
        if not planned.changed:
            return self._evidence(planned, None)
        rollout = Rollout(
            self.connection,
            planned,
            RolloutOptions(wait=self.wait),
            JournalObserver(self),
            templates=self.work.templates,
            clearance=clearance,
        )
        try:
            state = rollout.run()
        except (NetworkError, StillRunningError, InterruptedRunError):
            raise  # the org may have begun it, or gone on with it
        except SfcutoverError:
            self._close_sending()
            raise
        return self._evidence(rollout.planned, state, rollout.deployments)

    def note_sending(self) -> None:
        """On disk before the request is on its way."""
        self.work.presence.require()
        self.work.tell(
            _SENDING, phase=self.phase.value, latest=self.connection.deployer.find_latest()
        )

    def note_sent(self, identifier: str) -> None:
        self.work.tell(_SENT, phase=self.phase.value, id=identifier)

    def _is_open(self) -> bool:
        """True if a package was about to be sent, and what became of it was not noted."""
        known = len(self._events(_SENT)) + len(self._events(_UNSEEN))
        return known < len(self._events(_SENDING))

    def _close_sending(self) -> None:
        """The org has refused it: there is nothing to look for."""
        if self._is_open():
            self.work.tell(_UNSEEN, phase=self.phase.value)

    def _events(self, kind: str) -> list[Event]:
        return [
            each
            for each in self.work.journal.all(kind, target=self.work.target.name)
            if each.text("phase") == self.phase.value
        ]

    def _await(self, identifier: str) -> DeployResult:
        observer = JournalObserver(self)
        watcher = Watcher(on_progress=observer.progress, on_problem=lambda e: observer.note(str(e)))
        return self.connection.deployer.wait(identifier, self.wait, watcher)

    def _look_for(self, before: str) -> None:
        """A request was sent, or not; its answer is known to nobody."""
        clock = Clock()
        started = clock.now()
        while (elapsed := clock.now() - started) <= SENT_UNSEEN_SECONDS:
            latest = self.connection.deployer.find_latest()
            if latest is not None and latest != before:
                self.note_sent(latest)
                self._await(latest)
                return
            clock.pause(next_interval(elapsed))
        self.work.tell(_UNSEEN, phase=self.phase.value)

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
            "sent": [each.text("id") for each in self._events(_SENT)],
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

    def sending(self) -> None:
        self._deployment.note_sending()

    def sent(self, deployment_id: str) -> None:
        self._deployment.note_sent(deployment_id)

    def progress(self, result: DeployResult) -> None:
        now = (result.status, result.components_deployed)
        if now != self._last:
            self._last = now
            self._deployment.work.tell(
                "deployment-progress",
                id=result.id,
                status=result.status,
                done=result.done,
                deployed=result.components_deployed,
                total=result.components_total,
            )

    def note(self, text: str) -> None:
        self._deployment.work.note(text)
