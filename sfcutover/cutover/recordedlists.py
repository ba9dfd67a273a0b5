"""The lists as the last run of a cutover left them, for comparison with what is live.

A command alone records no list after its deployment, only the baseline before the first one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sfcutover.allowlist.diff import AllowlistDocument
from sfcutover.allowlist.phases import Phase
from sfcutover.cutover.baseline import SnapshotEvidence, StateEvidence
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.progress import result_of
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.errors import Advice, Command, ConfigError, StillRunningError
from sfcutover.runs.event import Event, moment_text
from sfcutover.runs.store import Run, RunStore

LIST_READERS = ("snapshot", *Phase, "state")  # steps whose evidence has the lists as they read them


def lists_in(evidence: StepEvidence) -> list[AllowlistDocument]:
    """The lists as a step read them last; none for a step that reads no list."""
    match evidence:
        case SnapshotEvidence(live=live) | DeployEvidence(live=live) | StateEvidence(live=live):
            return live
        case _:
            return []


@dataclass(frozen=True)
class RecordedLists:
    """The lists of one target. run: whose id it is. read: UTC, ISO 8601."""

    run: str
    read: str
    lists: list[AllowlistDocument]


def recorded_lists(store: RunStore, cutover: str, target: str) -> RecordedLists:
    """As the newest run that has read the lists of this target read them last.

    Raises StillRunningError while a run has not ended, as it changes them, and ConfigError where no
    run has read them.
    """
    runs = sorted(
        (each for each in store.all() if each.cutover == cutover), key=lambda each: -each.number
    )
    for run in runs:
        if run.ended is None:
            raise _not_ended(run)
        for event in reversed(store.journal(run.id).all("step-ended", target=target)):
            if lists := _lists_of(event):
                return RecordedLists(run.id, moment_text(event.time), lists)
    raise ConfigError(
        f"no run of {cutover} has read the allowlist of {target}; there is nothing to compare with",
        where=str(store.database),
        hint=Advice(
            "name a saved list: ",
            Command("diff", "--exact", "--expect", "FILE"),
            "; or use the state (state.url) of the machine that executed the run",
        ),
    )


def _lists_of(event: Event) -> list[AllowlistDocument]:
    if event.step not in LIST_READERS:
        return []
    result = result_of(event)
    return lists_in(result.evidence) if result.ok and result.evidence is not None else []


def _not_ended(run: Run) -> StillRunningError:
    return StillRunningError(
        "this run has not ended and still changes the allowlists",
        where=run.id,
        hint=Advice("compare after it has ended; check its state: ", Command("runs", run.id)),
        impact="this command changed nothing; the run continues",
    )
