"""The steps of a run over time, each try on its own. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sfcutover.cutover.progress import RunProgress, StepState
from sfcutover.cutover.stepnames import TITLES
from sfcutover.output.report.rundata import RunData
from sfcutover.runs.event import Event, moment_text
from sfcutover.util.document import Document, UtcTime

INTERRUPTED = "interrupted"  # the kind of a try that no process finished
_MORE_TITLES = {
    "proofs": "  proofs: are still valid before traffic moves",
    "checks": "  checks: results since the switch",
    "announce": "  announce: what the next step changes",
    "state": "  state: read the final allowlists",
    "page": "  page: alert the operator",
}


class ReportStepDocument(Document):
    """One try of a step, on all its targets."""

    step: str
    """Name of the step."""
    title: str
    """Title of the step."""
    attempt: int
    """Number of the try; 1 is the first."""
    targets: int
    """Number of its targets; 0 for a step of the whole run."""
    done: int
    """Targets on which this try is done."""
    failed: int
    """Targets on which this try failed."""
    running: int
    """Targets on which this try runs."""
    skipped: int
    """Targets on which this try was not made."""
    unproven: int
    """Targets on which this try was made and showed nothing."""
    interrupted: int
    """Targets on which the process ended before this try did, so that another try followed."""
    started: UtcTime
    """When this try started first, UTC, ISO 8601."""
    ended: UtcTime | None
    """When this try ended last, UTC, ISO 8601; null while it runs, and where it was interrupted."""
    seconds: float | None
    """Seconds from the first start to the last end; null where there is no end."""
    problems: list[str]
    """Why it failed or was skipped, or what it leaves unproven, by target, in words."""


def steps(data: RunData) -> list[ReportStepDocument]:
    """Every try of every step, on all its targets together, in the order in which they started."""
    groups: dict[tuple[str, int], list[StepState]] = {}
    for state in attempts(data.events):
        groups.setdefault((state.name, state.tries), []).append(state)
    ordered = sorted(groups.values(), key=lambda group: min(each.newest_start for each in group))
    return [_step(group) for group in ordered]


def attempts(events: Iterable[Event]) -> Iterator[StepState]:
    """The states of all tries, each as that try ended; ``started`` is when it started."""
    progress = RunProgress()
    for event in events:
        key = event.step or "", event.target
        before = progress.steps.get(key)
        progress.apply(event)
        if before is not None and progress.steps[key] is not before:
            yield before if before.ended is not None else replace(before, kind=INTERRUPTED)
    yield from progress.steps.values()


def _step(states: list[StepState]) -> ReportStepDocument:
    name, started = states[0].name, min(each.newest_start for each in states)
    ends = [each.ended for each in states if each.ended is not None]
    ended = max(ends) if len(ends) == len(states) else None
    marks = [INTERRUPTED if each.kind == INTERRUPTED else each.mark for each in states]
    return ReportStepDocument(
        step=name,
        title=(TITLES.get(name) or _MORE_TITLES.get(name) or name).strip(),
        attempt=states[0].tries,
        targets=sum(each.target is not None for each in states),
        done=marks.count("done"),
        failed=marks.count("failed"),
        running=marks.count("running"),
        skipped=marks.count("skipped"),
        unproven=marks.count("unproven"),
        interrupted=marks.count(INTERRUPTED),
        started=moment_text(started),
        ended=None if ended is None else moment_text(ended),
        seconds=None if ended is None else round(ended - started, 3),
        problems=[
            f"{each.target}: {words}" if each.target else words
            for each in states
            if (words := each.problem or each.open)
        ],
    )
