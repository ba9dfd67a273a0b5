"""Whether a step of a run may continue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfcutover.errors import Advice, Command, LockLostError, StillRunningError
from sfcutover.runs.event import BOUND, CANCEL_REQUESTED
from sfcutover.runs.process import lock_lost

if TYPE_CHECKING:  # SQLAlchemy: a command that no run executes may need none
    from sfcutover.runs.journal import Journal
    from sfcutover.runs.processlock import ProcessLock


class ListClaimedError(StillRunningError):
    """Another run changes the list: this one does not wait for it to be over."""


@dataclass(frozen=True)
class RunControl:
    """By the process's lock, the run's journal, and whether this process executes the step's
    workflow (is_owner)."""

    lock: ProcessLock
    journal: Journal
    is_owner: Callable[[], bool]

    @property
    def place(self) -> str:
        return self.lock.place

    def is_canceled(self) -> bool:
        return self.journal.last(CANCEL_REQUESTED) is not None

    def claim_list(self, organization_id: str, app: str) -> None:
        """Keep other runs from the list of an app: those of this database, and of this machine.

        The run is bound to the list already, so that of two runs at least one sees the other.
        Raises ListClaimedError.
        """
        for other in self.journal.of_other_runs(BOUND):
            if (other.text("organization_id"), other.text("app")) == (organization_id, app):
                raise _claimed(f"run {other.run}, which has not ended, changes", other.run)
        if not self.lock.claim(f"{organization_id} {app}"):
            raise _claimed("a run of another state database on this machine changes", None)

    def require_lock(self) -> None:
        """Directly before an effect. Raises LockLostError if this process lost its lock, another
        one has taken the workflow, or the run has ended without it."""
        self.lock.require()
        if not self.is_owner():
            raise lock_lost()
        if self.journal.last("run-ended") is not None:
            raise LockLostError(
                "the run ended without this process",
                hint=Advice("check how: ", Command("runs")),
                impact="this process changes nothing more",
            )

    def require_lock_soon(self) -> None:
        self.lock.require_soon(self.is_owner)


def _claimed(what: str, run: str | None) -> ListClaimedError:
    return ListClaimedError(
        f"{what} the same allowlist",
        where=run,
        hint=Advice("let it finish, or cancel it: ", Command("cancel", *([run] if run else ()))),
        impact="this run has changed nothing on this allowlist",
    )
