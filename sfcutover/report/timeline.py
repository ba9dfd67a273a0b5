"""The course of a run: its steps, what was worth a line, and when nothing went on. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from sfcutover.documents.reports import ReportEventDocument, ReportStepDocument
from sfcutover.output.events import event_text
from sfcutover.report.facts import Facts
from sfcutover.report.people import pauses
from sfcutover.runs.documents import moment_text
from sfcutover.runs.progress import TITLES, StepState

_MORE_TITLES = {
    "state": "the lists as they are in the end",
    "page": "a person was called",
}
_NOTABLE = (
    *("run-started", "run-resumed", "taken-over", "wave", "verify-again", "note"),
    *("deployment-unseen", "rolling-back", "rollback-started", "page", "run-ended"),
)


@dataclass(frozen=True)
class Quiet:
    """A time in which the run did nothing, and why. Seconds since 1970."""

    start: float
    end: float
    reason: str


def steps(facts: Facts) -> list[ReportStepDocument]:
    """Every step, on all its targets together, in the order in which they began."""
    groups: dict[str, list[StepState]] = {}
    for state in facts.progress.steps.values():
        groups.setdefault(state.name, []).append(state)
    ordered = sorted(groups.values(), key=lambda group: min(each.started for each in group))
    return [_step(group) for group in ordered]


def _step(states: list[StepState]) -> ReportStepDocument:
    name, started = states[0].name, min(each.started for each in states)
    ends = [each.ended for each in states if each.ended is not None]
    ended = max(ends) if len(ends) == len(states) else None
    marks = [each.mark for each in states]
    return ReportStepDocument(
        step=name,
        title=(TITLES.get(name) or _MORE_TITLES.get(name) or name).strip(),
        targets=sum(each.target is not None for each in states),
        done=marks.count("done"),
        failed=marks.count("failed"),
        running=marks.count("running"),
        started=moment_text(started),
        ended=None if ended is None else moment_text(ended),
        seconds=None if ended is None else round(ended - started, 3),
        tries=max(each.tries for each in states),
        problems=[
            f"{each.target}: {each.problem}" if each.target else each.problem
            for each in states
            if each.problem
        ],
    )


def events(facts: Facts) -> list[ReportEventDocument]:
    """What is neither a step's end nor a decision, and still worth a line."""
    return [
        ReportEventDocument(
            time=moment_text(event.time),
            target=event.target,
            step=event.step,
            text=event_text(event) or event.kind,
        )
        for event in facts.all(*_NOTABLE)
    ]


def quiet_times(facts: Facts) -> list[Quiet]:
    """Waits for a person, and times in which nobody performed the run; none within another."""
    waits = [
        Quiet(
            each.asked.time,
            each.approved.time if each.approved else facts.end,
            "waits for a person",
        )
        for each in pauses(facts)
    ]
    found: list[Quiet] = []
    for each in sorted((*waits, *_left(facts)), key=lambda quiet: (quiet.start, -quiet.end)):
        if not found or each.end > found[-1].end:
            found.append(each)
    return found


def _left(facts: Facts) -> list[Quiet]:
    resumed = ("run-resumed", "taken-over")
    gaps = [
        Quiet(before.time, after.time, "nobody performed the run")
        for before, after in pairwise(facts.events)
        if after.kind in resumed and before.kind not in resumed
    ]
    if facts.state == "left" and facts.events:
        gaps.append(Quiet(facts.events[-1].time, facts.now, "nobody performed the run"))
    return gaps
