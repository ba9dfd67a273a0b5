"""A deployment to one org that keeps what other users save on its list meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sfcutover.allowlist.diff import ReadBack
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.deploymentobserver import DeploymentObserver
from sfcutover.cutover.externalchanges import EXTERNAL_CHANGE, SaveWatch
from sfcutover.cutover.removalgate import RemovalPermit
from sfcutover.cutover.resending import until_not_busy
from sfcutover.cutover.rollout import Rollout, RolloutOptions
from sfcutover.cutover.sentdeployments import BUSY, SentDeployments
from sfcutover.errors import (
    BusyError,
    NetworkError,
    SfcutoverError,
    StillRunningError,
)
from sfcutover.salesforce.answers import NotTakenError
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.results import DeployResult, ExternalChangeDocument

ADDITIONS = 2  # entries are added again so often, as others may save again meanwhile
WATCH_DELAY_SECONDS = 30.0  # a removal's watch may wait this long for such an addition
T = TypeVar("T")


@dataclass
class PreservingRollout:
    """Rolls packages of one phase out; entries of others that a read has seen are kept.

    permit: needed by a phase that removes addresses. planned: what was sent last. deployments:
    those that were waited for. changes: what others saved meanwhile.
    """

    context: TargetContext
    connection: Connection
    planned: PlannedPhase
    options: RolloutOptions
    permit: RemovalPermit | None = None
    deployments: list[DeployResult] = field(default_factory=list)
    changes: list[ExternalChangeDocument] = field(default_factory=list)
    _additions: int = field(default=0, init=False)

    def start(self) -> None:
        """Send it and don't wait. Raises what Rollout.start raises."""
        self._known(self._rollout(self.planned, None).start)

    def run(self) -> ReadBack | None:
        """Deploy and read back, and add again what others have lost by it; None after a
        validation. Raises what Rollout.run raises."""
        saves = SaveWatch(self.context, self.connection, self.planned.start, self.planned.after)
        if self._phase is not Phase.RESTORE_OLD and not self.options.check_only:
            saves.begin()  # old addresses are restored first of all
        rollout = self._rollout(self.planned, None if self.options.check_only else saves.look)
        try:
            state = self._known(rollout.run)
        finally:
            self.deployments += rollout.deployments
        self.planned = rollout.planned
        if state is None or not rollout.deployments:
            return state
        return self._keep(saves, rollout.deployments[-1], state)

    @property
    def _phase(self) -> Phase:
        return self.planned.phase

    @property
    def _sent(self) -> SentDeployments:
        return SentDeployments(self.context.memory, self.context.target.name, self._phase)

    @property
    def _ids_of_run(self) -> list[str]:
        """Of every phase: what an earlier one has saved is no change of another user."""
        memory, target = self.context.memory, self.context.target.name
        return [each for phase in Phase for each in SentDeployments(memory, target, phase).ids]

    def _rollout(
        self, planned: PlannedPhase, on_pending: Callable[[DeployResult], None] | None
    ) -> Rollout:
        observer = DeploymentObserver(
            self.context, self.connection, planned.phase, self.options.check_only, on_pending
        )
        return Rollout(
            self.connection,
            planned,
            self.options,
            observer,
            templates=self.context.templates,
            permit=self.permit,
        )

    def _known(self, act: Callable[[], T]) -> T:
        """Do it; what the org has refused need not be looked for."""
        try:
            return act()
        except (BusyError, NotTakenError):
            self._note_never_received()
            raise
        except (NetworkError, StillRunningError):
            raise  # the org may have started it, or continued it
        except SfcutoverError:
            self._note_never_received()
            raise

    def _note_never_received(self) -> None:
        if self._sent.is_open:
            DeploymentObserver(self.context, self.connection, self._phase).never_received()

    def _keep(self, saves: SaveWatch, own: DeployResult, state: ReadBack) -> ReadBack:
        self._tell(saves, own, state.live)
        if not saves.lost(state.live) or self._additions >= ADDITIONS:
            return state
        self._additions += 1
        if (live := self._added(saves)) is not None:
            self._tell(saves, own, live)
            state = replace(state, live=live)
        return state

    def _tell(self, saves: SaveWatch, own: DeployResult, live: Snapshot) -> None:
        """Each change as it stands now, once."""
        told = {each.text for each in self.changes}
        found = saves.changes(own, self._ids_of_run, live)
        for each in found:
            if each.text not in told:
                self.context.tell(EXTERNAL_CHANGE, **each.model_dump(mode="json"))
        is_same = {(each.source, each.by, each.time) for each in found}
        kept = [each for each in self.changes if (each.source, each.by, each.time) not in is_same]
        self.changes = [*kept, *found]

    def _added(self, saves: SaveWatch) -> Snapshot | None:
        """The list with what was lost; None where what comes next can't wait for it: the watch of
        a removal, or of restored addresses."""

        def attempt() -> Snapshot:
            live = self.connection.read()
            if lost := saves.lost(live):
                self.planned = self.context.planner.extend(self._phase, live, lost)
                state = self.run()
                live = state.live if state else live
            return live

        if self._phase is Phase.ADD_NEW:
            return until_not_busy(attempt, self.options.wait, self.context.clock, self._note_busy)
        whole = self.options
        self.options = replace(whole, wait=min(whole.wait, WATCH_DELAY_SECONDS))
        try:
            return attempt()
        except SfcutoverError as error:
            self.context.note(f"other users' entries could not be added again: {error}")
            return None
        finally:
            self.options = whole

    def _note_busy(self, error: BusyError, pause: float) -> None:
        text = f"{error}; retrying in {pause:g} s"
        self.context.tell(BUSY, phase=self._phase.value, text=text, seconds=pause)
