"""The moments of a run that a chart of its traffic is cut by. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from sfcutover.documents.reports import BoundaryDocument, BoundaryKind, ReportPhaseDocument
from sfcutover.report.facts import Facts
from sfcutover.report.lists import found_so, read_backs
from sfcutover.report.people import switched_by_hand
from sfcutover.runs.documents import moment_text
from sfcutover.runs.journal import Event

_WAVES_SHOWN = 4  # of more, the first and the last
_BACK = {  # where the run changed something, and where it had nothing to change
    "restore-old": ("old back on the list", "old found on the list"),
    "remove-new": ("new taken off", "new found off"),
}
FoundSo = Set[tuple[str, str]]  # targets and phases
Ends = dict[str, float]  # by target, in seconds since 1970


@dataclass(frozen=True)
class Boundary:
    """A moment at which what the addresses are for has changed; seconds since 1970."""

    time: float
    name: str
    kind: BoundaryKind = "phase"

    def document(self) -> BoundaryDocument:
        return BoundaryDocument(time=moment_text(self.time), name=self.name, kind=self.kind)


def boundaries(facts: Facts, phases: Iterable[ReportPhaseDocument]) -> list[Boundary]:
    """In the order of time. phases: as the report has them; what was found so is no change."""
    so, added = found_so(phases), _ends(facts, "add-new")
    found = [
        *_on_all(facts, _name("add-new", added, so), added),
        *_moved(facts, "switch", "switch"),
        *_on_all(facts, "verified", _ends(facts, "verify")),
        *_removals(facts, _ends(facts, "remove-old"), so),
        *_back(facts, so),
        *_canceled(facts),
    ]
    return sorted(found, key=lambda each: each.time)


def _ends(facts: Facts, step: str) -> Ends:
    return _first((event for event, _ in facts.succeeded(step)))


def _first(events: Iterable[Event]) -> Ends:
    ends: Ends = {}
    for event in events:
        ends.setdefault(event.target or "", event.time)
    return ends


def _on_all(facts: Facts, name: str, ends: Ends) -> Iterator[Boundary]:
    """When the last target had come that far."""
    if ends:
        count, total = len(ends), len(facts.targets)
        some = f" on {count} of {total}" if count < total else ""
        yield Boundary(max(ends.values()), f"{name}{some}")


def _moved(facts: Facts, step: str, name: str) -> Iterator[Boundary]:
    by_command = (event for event, _ in facts.succeeded(step))
    for event in (*by_command, *switched_by_hand(facts, step)):
        yield Boundary(event.time, name)


def _removals(facts: Facts, ends: Ends, so: FoundSo) -> Iterator[Boundary]:
    """One a wave."""
    waves = [_wave(event, ends) for event in facts.all("wave")]
    done = [(number, max(each.values())) for number, each in enumerate(waves, 1) if each]
    if len(waves) <= 1:
        yield from (Boundary(time, _name("remove-old", ends, so)) for _, time in done)
        return
    shown = done if len(done) <= _WAVES_SHOWN else [done[0], done[-1]]
    for number, time in shown:
        name = _name("remove-old", waves[number - 1], so)
        yield Boundary(time, f"{name}, wave {number}")


def _name(phase: str, targets: Iterable[str], so: FoundSo) -> str:
    """Live where the run changed at least one of the targets."""
    return f"{phase} {'found so' if all((each, phase) in so for each in targets) else 'live'}"


def _wave(event: Event, ends: Ends) -> Ends:
    names = event.data.get("targets")
    mine = set(map(str, names)) if isinstance(names, list) else set()
    return {name: time for name, time in ends.items() if name in mine}


def _back(facts: Facts, so: FoundSo) -> Iterator[Boundary]:
    begun = facts.all("rolling-back", "rollback-started")
    for event in begun[:1]:
        yield Boundary(event.time, "rollback", "rollback")
    for phase, name in _BACK.items():
        ends = _first(event for event, _ in read_backs(facts, phase))
        if ends:
            found = all((each, phase) in so for each in ends)
            yield Boundary(max(ends.values()), name[found], "rollback")
    for each in _moved(facts, "switch-back", "switched back"):
        yield Boundary(each.time, each.name, "rollback")


def _canceled(facts: Facts) -> Iterator[Boundary]:
    ended = facts.progress.ended
    if ended is not None and ended.text("outcome") == "canceled":
        yield Boundary(ended.time, "canceled", "rollback")
