"""The entries that phases change on several targets: alike targets stand together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sfcutover.allowlist.diff import ComponentDiffDocument, FieldDocument, RangeDocument
from sfcutover.allowlist.plan import PhaseDocument
from sfcutover.allowlist.ranges import IpRange, joined, subtract
from sfcutover.output.markdown.detail import Detail
from sfcutover.output.markdown.gfm import (
    block,
    codes,
    counted,
    folded,
    one_line,
    shortened,
    table_or_folded,
)

UNDOES = {"remove-new": "add-new", "restore-old": "remove-old"}
_MANY = 5  # targets, whose number is said, too
_LINES = 20  # of a block that is not folded where it removes nothing


@dataclass(frozen=True)
class Change:
    """What a phase makes of one component on one target."""

    target: str
    phase: str
    component: ComponentDiffDocument

    @property
    def list_name(self) -> str:
        return self.component.carrier or "OAuth policies"

    @property
    def changed(self) -> bool:
        return bool(self.component.added or self.component.removed or self.component.fields)


def changes_of(phases: Iterable[tuple[str, PhaseDocument]]) -> list[Change]:
    """Every component of every phase, with its target."""
    return [
        Change(target, phase.phase, component)
        for target, phase in phases
        for component in phase.components
    ]


def change_lines(changes: Sequence[Change], detail: Detail, every: int) -> Iterator[str]:
    """Each change with its entries, removals first; alike ones once. every: how many targets there
    are."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Change]] = {}
    for each in changes:
        body = tuple(_body(each.component, detail))
        groups.setdefault((each.phase, each.list_name, body), []).append(each)
    for (phase, name, body), alike in groups.items():
        where = targets_words([each.target for each in alike], every)
        yield f"**{phase}**{_undoing(phase)} on {where}, {name}: {_counts(alike[0])}"
        yield ""
        is_short = alike[0].component.removed or len(body) <= _LINES
        lines = block(body, "diff")
        yield from lines if is_short else folded(counted(len(body), "line"), lines)
        yield ""


def targets_words(names: Sequence[str], every: int) -> str:
    """The names, or that it is all of many."""
    unique = list(dict.fromkeys(names))
    if len(unique) == every > 1:
        return f"all {every} targets"
    if len(unique) > _MANY:
        return f"{len(unique)} targets ({codes(unique)})"
    return codes(unique)


def entry_text(entry: RangeDocument, detail: Detail) -> str:
    """An entry with its description, as far as that is shown."""
    if not entry.description or not detail.descriptions:
        return entry.range
    return f"{entry.range}  # {shortened(one_line(entry.description), detail.descriptions)}"


def _undoing(phase: str) -> str:
    return f" (undoes {UNDOES[phase]})" if phase in UNDOES else ""


def _counts(change: Change) -> str:
    component = change.component
    if component.carrier is None:
        return f"{counted(len(component.fields), 'policy', 'policies')} set"
    parts = {"removed": len(component.removed), "added": len(component.added)}
    words = [f"{count} {word}" for word, count in parts.items() if count]
    return ", ".join([*words, f"{component.unchanged} unchanged"])


def _body(component: ComponentDiffDocument, detail: Detail) -> Iterator[str]:
    if detail.entries:
        yield from (f"- {entry_text(each, detail)}" for each in component.removed)
    else:
        yield from (f"- {each}" for each in _addresses(component))
    if detail.additions:
        yield from (f"+ {entry_text(each, detail)}" for each in component.added)
    elif component.added:
        yield f"+ {counted(len(component.added), 'entry', 'entries')}"
    for field in component.fields:
        yield from _field_lines(field, detail)


def _addresses(component: ComponentDiffDocument) -> tuple[IpRange, ...]:
    """The addresses that leave the list: those of an entry that is cut only as far as they do."""
    removed, added = (
        [IpRange.parse(each.range) for each in entries]
        for entries in (component.removed, component.added)
    )
    return joined(subtract(removed, added))


def _field_lines(field: FieldDocument, detail: Detail) -> Iterator[str]:
    for sign, value in (("-", field.before), ("+", field.after)):
        if value is not None:
            yield f"{sign} {field.name}: {shortened(one_line(value), detail.values)}"


def capacity_table(changes: Iterable[Change], every: int) -> list[str]:
    """What each phase counts on each list, and how much room it leaves; alike rows once."""
    targets: dict[tuple[str, ...], list[str]] = {}
    lists = [each for each in changes if each.component.carrier is not None]
    for each in lists:
        targets.setdefault(_row(each), []).append(each.target)
    head = ("phase", "target", "list", "removed#", "added#", "unchanged#", "ranges", "addresses")
    rows = [(row[0], targets_words(names, every), *row[1:]) for row, names in targets.items()]
    return table_or_folded(_fullest(lists), head, rows) if rows else []


def _fullest(lists: Sequence[Change]) -> str:
    """What is to be seen of a table that is folded."""
    capacities = [each.component.capacity for each in lists]
    ranges = max(capacities, key=lambda each: each.ranges).of_ranges
    addresses = max(capacities, key=lambda each: each.addresses).of_addresses
    return f"Every phase; the fullest list holds {ranges} ranges, {addresses} addresses"


def _row(change: Change) -> tuple[str, ...]:
    component = change.component
    counts = (len(component.removed), len(component.added), component.unchanged)
    capacity = component.capacity
    limits = (capacity.of_ranges, capacity.of_addresses)
    return (change.phase, change.list_name, *map(str, counts), *limits)
