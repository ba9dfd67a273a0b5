"""What a deployment did is what the org says afterwards: wanted against live. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sfcutover.component import Component
from sfcutover.diff import FieldChange, compare
from sfcutover.ipranges import IpRange
from sfcutover.snapshot import Snapshot


@dataclass(frozen=True)
class Mismatch:
    """How a component reads back different from what was deployed.

    missing: addresses that should be on the list and aren't. unexpected: the reverse.
    fields: everything else, before = wanted, after = live; a description counts here.
    """

    path: str
    missing: tuple[IpRange, ...]
    unexpected: tuple[IpRange, ...]
    fields: tuple[FieldChange, ...]
    descriptions: tuple[IpRange, ...]

    def __str__(self) -> str:
        parts = []
        if self.missing:
            parts.append(f"missing {', '.join(map(str, self.missing))}")
        if self.unexpected:
            parts.append(f"not expected {', '.join(map(str, self.unexpected))}")
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


def read_back(wanted: Snapshot, live: Snapshot, set_fields: frozenset[str]) -> ReadBack:
    """Hold the live components against the wanted ones.

    set_fields: the policy fields the cutover sets; these must have taken. Any other
    field was sent as it had been retrieved, so a difference is the org's own doing.
    """
    blocking: list[Mismatch] = []
    cosmetic: list[Mismatch] = []
    for component in wanted.components:
        now = live.same_as(component)
        mismatch = _mismatch(component, now) if now else _absent(component)
        if mismatch is None:
            continue
        policy_lost = component.carrier is None and any(
            each.name in set_fields for each in mismatch.fields
        )
        lost = mismatch.missing or mismatch.unexpected or policy_lost or now is None
        (blocking if lost else cosmetic).append(mismatch)
    return ReadBack(live, tuple(blocking), tuple(cosmetic))


def _mismatch(wanted: Component, live: Component) -> Mismatch | None:
    missing = live.allowlist.uncovered(wanted.allowlist)
    unexpected = wanted.allowlist.uncovered(live.allowlist)
    difference = compare(wanted, live)
    descriptions = () if missing or unexpected else difference.removed
    mismatch = Mismatch(wanted.path, missing, unexpected, difference.fields, descriptions)
    return mismatch if missing or unexpected or difference.changed else None


def _absent(wanted: Component) -> Mismatch:
    return Mismatch(wanted.path, wanted.allowlist.ranges, (), (), ())
