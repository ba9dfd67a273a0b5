"""The allowlists before and after a run, entry by entry. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sfcutover.allowlist.diff import AllowlistDocument, RangeDocument
from sfcutover.allowlist.drift import DescriptionDocument, compare_entries
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.recordedlists import lists_in
from sfcutover.cutover.stepresult import StepEvidence

EntryChange = Literal["kept", "added", "removed", "described", "unknown"]


@dataclass(frozen=True)
class ListRow:
    """An entry of a list before or after. description_before: set where that changed."""

    change: EntryChange
    entry: RangeDocument
    description_before: str | None = None


class ReportListDocument(AllowlistDocument):
    """A list as the run read it last, and as it was before the run."""

    before: list[RangeDocument] | None
    """Entries before the run, in order; null where the list was not read then."""

    @property
    def rows(self) -> list[ListRow]:
        """Every entry once: those of before, in place, then what was added."""
        if self.before is None:
            return [ListRow("unknown", each) for each in self.ranges]
        return list(_rows(self.before, self.ranges))


def _rows(before: Sequence[RangeDocument], after: Sequence[RangeDocument]) -> Iterator[ListRow]:
    found = compare_entries(before, after)
    removed, described = Counter(found.removed), list(found.described)
    for each in before:
        if removed[each]:
            removed[each] -= 1
            yield ListRow("removed", each)
        elif (new := _description(described, each)) is not None:
            described.remove(new)
            entry = RangeDocument(range=each.range, description=new.after)
            yield ListRow("described", entry, each.description or "")
        else:
            yield ListRow("kept", each)
    yield from (ListRow("added", each) for each in found.added)


def _description(
    described: Iterable[DescriptionDocument], entry: RangeDocument
) -> DescriptionDocument | None:
    wanted = entry.range, entry.description
    return next((each for each in described if (each.range, each.before) == wanted), None)


def before_and_after(readings: Sequence[StepEvidence]) -> list[ReportListDocument]:
    """The lists of one target. readings: what its steps read, the oldest first."""
    if not readings:
        return []
    before = {each.path: each.ranges for each in _before(readings[0])}
    return [
        ReportListDocument(**dict(each), before=before.get(each.path))
        for each in lists_in(readings[-1])
    ]


def _before(evidence: StepEvidence) -> list[AllowlistDocument]:
    """The lists as a step found them: a deployment changes them."""
    return evidence.before if isinstance(evidence, DeployEvidence) else lists_in(evidence)


@dataclass(frozen=True)
class ListGroup:
    """Lists that are alike before and after, with the names of their targets."""

    targets: list[str]
    entries: ReportListDocument


def alike(lists: Iterable[tuple[str, ReportListDocument]]) -> list[ListGroup]:
    """Each list once, in the order of the targets. lists: with the name of their target."""
    groups: dict[str, ListGroup] = {}
    for target, each in lists:
        group = groups.setdefault(each.model_dump_json(), ListGroup([], each))
        group.targets.append(target)
    return list(groups.values())
