"""What an org holds after a deployment, compared with what was deployed, as data and as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from sfcutover.allowlist.component import Component
from sfcutover.allowlist.diff import FieldChange, RangeDocument, compare
from sfcutover.allowlist.ranges import Allowlist, IpRange, subtract
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.util.document import Document


@dataclass(frozen=True)
class Mismatch:
    """How a component reads back different from what was deployed.

    missing: addresses that should be on the list and are not. left_over: addresses that
    should have been removed. foreign: addresses that were neither there before nor deployed,
    so others have added them meanwhile. descriptions: entries whose description differs.
    fields: everything else, before = wanted, after = live.
    """

    path: str
    missing: tuple[IpRange, ...] = ()
    left_over: tuple[IpRange, ...] = ()
    foreign: tuple[IpRange, ...] = ()
    descriptions: tuple[IpRange, ...] = ()
    fields: tuple[FieldChange, ...] = ()

    def __str__(self) -> str:
        parts = []
        if self.missing:
            parts.append(f"missing {_join(self.missing)}")
        if self.left_over:
            parts.append(f"still there {_join(self.left_over)}")
        if self.foreign:
            parts.append(f"added by others meanwhile {_join(self.foreign)}")
        parts += [f"<{each.name}> is {each.after!r}, not {each.before!r}" for each in self.fields]
        parts += [f"{each} has another description" for each in self.descriptions]
        return f"{self.path}: {'; '.join(parts)}"


@dataclass(frozen=True)
class ReadBack:
    """The org after a deployment. blocking: the phase is not live. cosmetic: it is, but."""

    live: Snapshot
    blocking: tuple[Mismatch, ...]
    cosmetic: tuple[Mismatch, ...]

    @property
    def taken(self) -> bool:
        return not self.blocking


def read_back(
    start: Snapshot, wanted: Snapshot, live: Snapshot, set_fields: frozenset[str]
) -> ReadBack:
    """Compare the live components with the wanted ones.

    start: what was there before. set_fields: the policy fields the cutover sets; these
    must have taken effect. Any other field was sent as it had been retrieved, so the org
    itself makes a difference.
    """
    blocking: list[Mismatch] = []
    cosmetic: list[Mismatch] = []
    for component in wanted.components:
        now = live.same_as(component)
        before = start.same_as(component) or component
        if now is None:
            blocking.append(Mismatch(component.path, missing=component.allowlist.ranges))
        elif mismatch := _mismatch(before, component, now):
            lost = mismatch.missing or mismatch.left_over or _lost_policy(mismatch, set_fields)
            (blocking if lost else cosmetic).append(mismatch)
    return ReadBack(live, tuple(blocking), tuple(cosmetic))


def _mismatch(start: Component, wanted: Component, live: Component) -> Mismatch | None:
    unexpected = wanted.allowlist.uncovered(live.allowlist)
    foreign = start.allowlist.uncovered(unexpected)
    missing = live.allowlist.uncovered(wanted.allowlist)
    difference = compare(wanted, live)
    mismatch = Mismatch(
        wanted.path,
        missing=missing,
        left_over=subtract(unexpected, foreign),
        foreign=foreign,
        descriptions=() if missing or unexpected else difference.removed,
        fields=difference.fields,
    )
    return None if mismatch == Mismatch(wanted.path) else mismatch


def _lost_policy(mismatch: Mismatch, set_fields: frozenset[str]) -> bool:
    return any(each.name in set_fields for each in mismatch.fields)


def _join(ranges: tuple[IpRange, ...]) -> str:
    return ", ".join(map(str, ranges))


class AllowlistDocument(Document):
    """A carrier's list as it was read back."""

    path: str
    carrier: str
    ranges: list[RangeDocument]

    @property
    def allowlist(self) -> Allowlist:
        return Allowlist(tuple(IpRange.parse(e.range, e.description) for e in self.ranges))

    @classmethod
    def all_of(cls, live: Snapshot) -> list[AllowlistDocument]:
        return [
            cls(path=each.path, carrier=each.carrier.name, ranges=each.allowlist.ranges)
            for each in live.carriers
            if each.carrier is not None
        ]
