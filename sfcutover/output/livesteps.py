"""The steps of a run as lines: a mark, a title, the time, and what is under way below it. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sfcutover.output.livedetails import deployments_of, detail_lines, restored_by_watch
from sfcutover.output.livelines import (
    Line,
    Span,
    Style,
    Weight,
    clock,
    duration,
    shortened,
)
from sfcutover.output.livelook import Look
from sfcutover.runs.progress import BACK, FORWARDS, TITLES, StepState

ON_TARGETS = ("snapshot", "add-new", "verify-new", "verify", "remove-old", "watch")
_TITLE = max(map(len, TITLES.values()))
_SHORTEST_TITLE = 27  # columns; enough to tell them apart


def step_lines(look: Look) -> Iterator[Line]:
    """The steps forwards, as far as they are still to come, and those back that were begun."""
    states: dict[str, list[StepState]] = defaultdict(list)
    for state in look.progress.steps.values():
        states[state.name].append(state)
    missed = [name for name in FORWARDS if look.goes_no_further and not states[name]]
    forwards = [_Step(look, name, states[name]) for name in FORWARDS if name not in missed]
    back = [_Step(look, name, states[name]) for name in BACK if states[name]]
    room = look.width - max(step.beside_title for step in (*forwards, *back))
    room = max(_SHORTEST_TITLE, min(_TITLE, room))
    for step in forwards:
        yield from step.lines(room)
    if missed:
        text = f"{look.marks.skipped} not reached: {', '.join(missed)}"
        yield Line.of(text, "dim", Weight.DETAIL)
    for step in back:
        yield from step.lines(room)


def _columns(spans: Sequence[Span]) -> int:
    return sum(len(text) for text, _ in spans)


@dataclass(frozen=True)
class _Step:
    """One step on all its targets."""

    look: Look
    name: str
    states: Sequence[StepState]

    def lines(self, room: int) -> Iterator[Line]:
        """Itself and what stands below it. room: columns for the title."""
        style, mark, weight = self._mark()
        title = TITLES[self.name]
        if len(title) > room:
            title = "".join(shortened(title, room, self.look.marks.cut))
        named = (f"{title:<{room}}", self._style(weight))
        yield Line(((f"{mark} ", style), named, *self._after_title()), weight)
        yield from detail_lines(self.look, self.states)

    @property
    def beside_title(self) -> int:
        """Columns that its line takes without its title."""
        return len(self._mark()[1]) + 1 + _columns(self._after_title())

    def _after_title(self) -> list[Span]:
        """The remarks only as far as they have room: a part of an id is of no use."""
        _, mark, weight = self._mark()
        style = self._style(weight)
        spans: list[Span] = [(f"  {self._time():>6}", style)]
        if len(self.look.progress.targets) > 1:
            count = f"{self._done}/{self._total}" if self._total > 1 else ""
            spans.insert(0, (f"  {count:>7}", style))
        room = self.look.width - len(mark) - 1 - _SHORTEST_TITLE
        for text, shown in self._remarks():
            if _columns(spans) + len(text) + 2 <= room:
                spans.append((f"  {text}", shown))
        return spans

    def _style(self, weight: Weight) -> Style:
        return "dim" if weight is Weight.TO_COME else "bold" if self._running else ""

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
        did = self._was_needed or self._restored
        return "good", marks.done if did else marks.skipped, Weight.DONE

    @property
    def _was_needed(self) -> bool:
        return any(state.needed for state in self.states)

    @property
    def _restored(self) -> bool:
        return self.name == "restore-old" and restored_by_watch(self.look, self.states)

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
            yield "put back by the watch" if self._restored else "so already", "dim"
        elif len(self.states) == 1 and sent:
            yield sent[-1].id, "dim"
