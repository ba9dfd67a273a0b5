"""The steps of a run as lines: a mark, a title, the time, and what is under way below it. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sfcutover.output.livedetails import deployments_of, detail_lines
from sfcutover.output.livelines import Line, Span, Style, Weight, clock, duration
from sfcutover.output.livelook import Look
from sfcutover.runs.progress import BACK, FORWARDS, TITLES, StepState

ON_TARGETS = ("snapshot", "add-new", "verify-new", "verify", "remove-old", "watch")
_TITLE = max(map(len, TITLES.values()))
_SHORTEST_TITLE = 20
_BESIDE_TITLE = 24  # columns: a mark, a count, a time


def step_lines(look: Look) -> Iterator[Line]:
    """The steps forwards, as far as they are still to come, and those back that were begun."""
    states: dict[str, list[StepState]] = defaultdict(list)
    for state in look.progress.steps.values():
        states[state.name].append(state)
    missed = [name for name in FORWARDS if look.goes_no_further and not states[name]]
    for name in FORWARDS:
        if name not in missed:
            yield from _step_lines(look, name, states[name])
    if missed:
        text = f"{look.marks.skipped} not reached: {', '.join(missed)}"
        yield Line.of(text, "dim", Weight.TO_COME)
    for name in BACK:
        if states[name]:
            yield from _step_lines(look, name, states[name])


def _step_lines(look: Look, name: str, states: Sequence[StepState]) -> Iterator[Line]:
    yield _Step(look, name, states).line()
    yield from detail_lines(look, states)


@dataclass(frozen=True)
class _Step:
    """One step on all its targets."""

    look: Look
    name: str
    states: Sequence[StepState]

    def line(self) -> Line:
        style, mark, weight = self._mark()
        title: Style = "dim" if weight is Weight.TO_COME else "bold" if self._running else ""
        room = max(_SHORTEST_TITLE, min(_TITLE, self.look.width - _BESIDE_TITLE))
        spans: list[Span] = [(f"{mark} ", style), (f"{TITLES[self.name][:room]:<{room}}", title)]
        if len(self.look.progress.targets) > 1:
            count = f"{self._done}/{self._total}" if self._total > 1 else ""
            spans.append((f"  {count:>7}", title))
        spans.append((f"  {self._time():>6}", title))
        spans += [(f"  {text}", shown) for text, shown in self._remarks()]
        return Line(tuple(spans), weight)

    @property
    def _total(self) -> int:
        on_targets = self.name in ON_TARGETS
        return max(len(self.look.progress.targets) if on_targets else 1, len(self.states))

    @property
    def _done(self) -> int:
        return sum(state.mark == "done" for state in self.states)

    @property
    def _running(self) -> list[StepState]:
        return [state for state in self.states if state.mark == "running"]

    @property
    def _waits(self) -> bool:
        pause = self.look.progress.pause
        return pause is not None and pause.step == self.name

    def _mark(self) -> tuple[Style, str, Weight]:
        marks = self.look.marks
        failed = [state for state in self.states if state.mark == "failed"]
        if self._waits:
            return "warn", marks.paused, Weight.RUNNING
        if self._running:
            return "bold", self.look.running, Weight.RUNNING
        if any(not state.undecided for state in failed):
            return "bad", marks.failed, Weight.ALARM
        if failed:
            return "warn", marks.undecided, Weight.ALARM
        if self._done < self._total:
            mark = marks.skipped if self.look.goes_no_further else marks.waiting
            return "dim", mark, Weight.TO_COME
        return "good", marks.done if self._was_needed else marks.skipped, Weight.DONE

    @property
    def _was_needed(self) -> bool:
        return any(state.needed for state in self.states)

    def _time(self) -> str:
        if not self.states:
            return ""
        if self._running:
            return clock(self.look.now - min(state.begun for state in self._running))
        ends = [state.ended for state in self.states if state.ended is not None]
        return duration(max(ends) - min(state.begun for state in self.states))

    def _remarks(self) -> Iterator[Span]:
        progress = self.look.progress
        if self._waits:
            yield "waits for a person", "warn"
        ends = [until for (name, _), until in progress.wakes.items() if name == self.name]
        if ends and self._running:
            yield f"{clock(math.ceil(max(ends) - self.look.now))} left", "bold"
        if self._done == self._total:
            yield from self._remarks_when_done()
        if self.name == "remove-old" and self._total > 1 and progress.wave:
            yield f"wave {progress.wave}", "dim"
        if (tries := max((state.tries for state in self.states), default=1)) > 1:
            yield f"try {tries}", "dim"

    def _remarks_when_done(self) -> Iterator[Span]:
        sent = deployments_of(self.look, self.name)
        if not self._was_needed:
            yield "not needed", "dim"
        elif len(self.states) == 1 and sent:
            yield sent[-1].id, "dim"
