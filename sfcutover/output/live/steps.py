"""The steps of a run as lines: a mark, a title, the time, and its targets below. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sfcutover.cutover.progress import STOPPED, Deployment, StepMark, StepState
from sfcutover.cutover.stepnames import BACK, FORWARDS, OCCASIONAL, TITLES
from sfcutover.output.live.lines import (
    Line,
    Picture,
    Span,
    Style,
    Weight,
    shortened,
)
from sfcutover.output.text import clock, duration

ON_TARGETS = ("snapshot", "control", "add-new", "verify-new", "verify", "remove-old", "watch")
_TITLE = max(map(len, TITLES.values()))
_SHORTEST_TITLE = 27  # columns; enough to tell them apart
_NAMED = 3  # of many targets: so many have a line of their own
_BAR = 12
_INDENT = 4


def step_lines(picture: Picture) -> Iterator[Line]:
    """The steps forwards that are not ruled out, and the steps of a rollback that have started."""
    states: dict[str, list[StepState]] = defaultdict(list)
    for state in picture.progress.steps.values():
        states[state.name].append(state)
    missed = [
        name
        for name in FORWARDS
        if picture.goes_no_further and not states[name] and name not in OCCASIONAL
    ]
    forwards = [
        _Step(picture, name, states[name])
        for name in FORWARDS
        if name not in missed and (states[name] or name not in OCCASIONAL)
    ]
    back = [_Step(picture, name, states[name]) for name in BACK if states[name]]
    room = picture.width - max(step.beside_title for step in (*forwards, *back))
    room = max(_SHORTEST_TITLE, min(_TITLE, room))
    for step in forwards:
        yield from step.lines(room)
    if missed:
        text = f"{picture.marks.skipped} not reached: {', '.join(missed)}"
        yield Line.of(text, "dim", Weight.DETAIL)
    for step in back:
        yield from step.lines(room)


def _columns(spans: Sequence[Span]) -> int:
    return sum(len(text) for text, _ in spans)


@dataclass(frozen=True)
class _Step:
    """One step on all its targets."""

    picture: Picture
    name: str
    states: Sequence[StepState]

    def lines(self, room: int) -> Iterator[Line]:
        """The step and its details. room: columns for the title."""
        style, mark, weight = self._mark()
        title = TITLES[self.name]
        if len(title) > room:
            title = "".join(shortened(title, room, self.picture.marks.cut))
        named = (f"{title:<{room}}", self._style(weight))
        yield Line(((f"{mark} ", style), named, *self._after_title()), weight)
        yield from _detail_lines(self.picture, self.states)

    @property
    def beside_title(self) -> int:
        """Columns that its line takes without its title."""
        return len(self._mark()[1]) + 1 + _columns(self._after_title())

    def _after_title(self) -> list[Span]:
        """The time, and the remarks that have room: a part of an id is of no use."""
        _, mark, weight = self._mark()
        style = self._style(weight)
        spans: list[Span] = [(f"  {self._time():>6}", style)]
        if len(self.picture.progress.targets) > 1:
            count = f"{self._done}/{self._total}" if self._total > 1 else ""
            spans.insert(0, (f"  {count:>7}", style))
        room = self.picture.width - len(mark) - 1 - _SHORTEST_TITLE
        for text, shown in self._remarks():
            if _columns(spans) + len(text) + 2 <= room:
                spans.append((f"  {text}", shown))
        return spans

    def _style(self, weight: Weight) -> Style:
        return "dim" if weight is Weight.TO_COME else "bold" if self._running else ""

    @property
    def _total(self) -> int:
        on_targets = self.name in ON_TARGETS
        return max(len(self.picture.progress.targets) if on_targets else 1, len(self.states))

    @property
    def _done(self) -> int:
        return sum(state.mark in ("done", "skipped", "unproven") for state in self.states)

    @property
    def _open(self) -> set[StepMark]:
        """skipped or unproven, on some target."""
        return {state.mark for state in self.states} & {"skipped", "unproven"}

    @property
    def _running(self) -> list[StepState]:
        return [state for state in self.states if state.mark == "running"]

    @property
    def _waits(self) -> bool:
        pause = self.picture.progress.pause
        return pause is not None and pause.step == self.name

    def _mark(self) -> tuple[Style, str, Weight]:
        marks = self.picture.marks
        failed = [state for state in self.states if state.mark == "failed"]
        if self._waits:
            return "warn", marks.paused, Weight.RUNNING
        if self._running:
            return "bold", self.picture.running, Weight.RUNNING
        if any(not state.undecided for state in failed):
            return "bad", marks.failed, Weight.ALARM
        if failed:
            return "warn", marks.undecided, Weight.ALARM
        if self._done < self._total:
            mark = marks.skipped if self.picture.goes_no_further else marks.waiting
            return "dim", mark, Weight.TO_COME
        if "unproven" in self._open:
            return "warn", marks.undecided, Weight.DONE
        is_made = self._was_needed and not self._open
        return "good", marks.done if is_made else marks.skipped, Weight.DONE

    @property
    def _was_needed(self) -> bool:
        """True if it changed something: in its last try, or in an earlier one of this run."""
        sent = _deployments_of(self.picture, self.name)
        in_earlier_try = any(each.status == "Succeeded" for each in sent)
        return in_earlier_try or any(state.needed for state in self.states)

    def _time(self) -> str:
        if not self.states:
            return ""
        if self._running:
            return clock(self.picture.now - min(state.newest_start for state in self._running))
        ends = [state.ended for state in self.states if state.ended is not None]
        return duration(max(ends) - min(state.newest_start for state in self.states))

    def _remarks(self) -> Iterator[Span]:
        progress = self.picture.progress
        if self._waits:
            yield "paused", "warn"
        ends = [until for (name, _), until in progress.wakes.items() if name == self.name]
        if ends and self._running:
            yield f"{clock(math.ceil(max(ends) - self.picture.now))} left", "bold"
        if self._done == self._total:
            yield from self._remarks_when_done()
        if self.name == "remove-old" and self._total > 1 and progress.wave:
            yield f"wave {progress.wave}", "dim"
        if (tries := max((state.tries for state in self.states), default=1)) > 1:
            yield f"try {tries}", "dim"

    def _remarks_when_done(self) -> Iterator[Span]:
        sent = _deployments_of(self.picture, self.name)
        for mark in sorted(self._open):
            yield mark, "warn"
        if not self._was_needed:
            yield "already in place", "dim"
        elif len(self.states) == 1 and sent:
            yield sent[-1].id, "dim"


def _detail_lines(picture: Picture, states: Sequence[StepState]) -> Iterator[Line]:
    """One step on its targets. What failed comes first, then what has run longest."""
    failed = [_problem(picture, state) for state in states if state.mark == "failed"]
    yield from _some(failed, "failed", "bad")
    open_ = [_open_line(state) for state in states if state.mark in ("skipped", "unproven")]
    yield from _some(open_, "of them", "dim")
    running = [state for state in states if state.mark == "running"]
    several = len(picture.progress.targets) > 1
    lagging = (_running_line(picture, state, several) for state in sorted(running, key=_begun))
    yield from _some([line for line in lagging if line], "running", "dim")


def _deployments_of(picture: Picture, step: str) -> list[Deployment]:
    """Those that a step sent, the newest last: it is named as its phase."""
    return [each for each in picture.progress.deployments.values() if each.phase == step]


def _begun(state: StepState) -> float:
    return state.newest_start


def _some(lines: Sequence[Line], what: str, style: Style) -> Iterator[Line]:
    """The first few, and how many more there are."""
    yield from lines[:_NAMED]
    if (more := len(lines) - _NAMED) > 0:
        weight = max(line.weight for line in lines)
        yield Line.of(f"and {more} more {what}", style, weight, _INDENT)


def _problem(picture: Picture, state: StepState) -> Line:
    mark, word = picture.marks.failed, "FAILED"
    style: Style = "bad"
    if state.undecided:
        mark, word, style = picture.marks.undecided, "UNDECIDED", "warn"
    elif state.kind == STOPPED:
        word = STOPPED
    place = f"{state.target}: " if state.target else ""
    text = f"{mark.strip()} {place}{word}: {state.problem}"
    return Line.of(text, style, Weight.ALARM, _INDENT, whole=picture.left)


def _open_line(state: StepState) -> Line:
    place = f"{state.target}: " if state.target else ""
    return Line.of(f"{place}{state.mark}: {state.open}", "dim", Weight.DETAIL, _INDENT)


def _running_line(picture: Picture, state: StepState, several: bool) -> Line | None:
    sent = [each for each in _deployments_of(picture, state.name) if _is_of(each, state)]
    since = f"  {clock(picture.now - state.newest_start)}" if several else ""
    place = f"{state.target}{since}  " if state.target else ""
    if sent:
        spans: tuple[Span, ...] = ((place, ""), *_bar(picture, sent[-1], state))
        return Line(spans, Weight.RUNNING, _INDENT)
    detail = picture.detail_of(state)
    if several or (detail and state.name != "watch"):  # which has a line of its own
        return Line.of(f"{place}{detail}", "dim", Weight.DETAIL, _INDENT)
    return None


def _is_of(deployment: Deployment, state: StepState) -> bool:
    """True if it belongs to this try, or to an earlier one that this try waits for."""
    same = deployment.target == state.target
    return same and (deployment.sent >= state.newest_start or not deployment.done)


def _bar(picture: Picture, deployment: Deployment, state: StepState) -> tuple[Span, ...]:
    marks = picture.marks
    filled = _BAR * deployment.deployed // max(1, deployment.total)
    counts = f" {deployment.deployed}/{deployment.total}" if deployment.total else ""
    detail = picture.detail_of(state)
    said = f"  {detail}" if deployment.done and deployment.status not in detail else ""
    return (
        (marks.full * filled, "good"),
        (marks.empty * (_BAR - filled), "dim"),
        (f"{counts}  {deployment.status}  {deployment.id}{said}", ""),
    )
