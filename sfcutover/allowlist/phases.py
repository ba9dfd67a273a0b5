"""The phases of a cutover and what must hold for each list that gets deployed. Pure.

The order decides: a list that loses an address which traffic still uses logs
customers out, because a refused redemption has no grace. So every function here
either returns a list that keeps the rules or raises the error that names the one
it would break.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sfcutover.allowlist.carriers import TOKEN_IP_RANGES, Carrier
from sfcutover.allowlist.ranges import Allowlist, IpRange, PartialOverlapError, subtract
from sfcutover.allowlist.restoration import restore_entries
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.errors import Advice, Command, ConfigError, DriftError, LimitError, Text


class Phase(enum.StrEnum):
    """A state of the allowlist that gets deployed."""

    ADD_NEW = "add-new"
    REMOVE_OLD = "remove-old"
    RESTORE_OLD = "restore-old"
    REMOVE_NEW = "remove-new"
    RESTORE_POLICIES = "restore-policies"

    @property
    def goes_back(self) -> bool:
        """True if the phase undoes another one: ranges and policies are never in one package."""
        return self not in (Phase.ADD_NEW, Phase.REMOVE_OLD)

    @property
    def removes(self) -> bool:
        """True if the phase removes addresses, so that clients may be locked out."""
        return self in (Phase.REMOVE_OLD, Phase.REMOVE_NEW)


PhaseName = Literal["add-new", "remove-old", "restore-old", "remove-new", "restore-policies"]
LIST_PHASES = (Phase.ADD_NEW, Phase.REMOVE_OLD, Phase.RESTORE_OLD, Phase.REMOVE_NEW)
Side = Literal["old", "new", "kept", "other"]


@dataclass(frozen=True)
class Change:
    """What a cutover does to a list.

    old, new: the ranges traffic leaves and the ranges it moves to.
    split_ranges: an entry of which only a part is removed may be split.
    """

    old: tuple[IpRange, ...]
    new: tuple[IpRange, ...]
    split_ranges: bool = False

    @property
    def added(self) -> tuple[IpRange, ...]:
        """What is new and not old."""
        return subtract(self.new, self.old)

    @property
    def removed(self) -> tuple[IpRange, ...]:
        """What is old and not new."""
        return subtract(self.old, self.new)

    def side_of(self, address: str) -> Side:
        """Which ranges hold an address; kept if both do, other if none does."""
        one = IpRange.parse(address)
        is_old, is_new = (
            any(each.contains(one) for each in ranges) for ranges in (self.old, self.new)
        )
        if is_old and is_new:
            return "kept"
        return "old" if is_old else "new" if is_new else "other"


def apply_phase(
    phase: Phase,
    start: Allowlist,
    change: Change,
    baseline: Allowlist | None = None,
    carrier: Carrier = TOKEN_IP_RANGES,
) -> Allowlist:
    """The list after the phase, computed from start (the live list, or a baseline).

    baseline: the list before anything changed, if known; remove-new then keeps the
    new addresses that were on it already, and restore-old takes entries and places from it.
    carrier: whose limits hold. Raises LimitError for a list that the phase makes empty or
    over-full, ConfigError for an entry that would have to be split.
    """
    match phase:
        case Phase.ADD_NEW:
            result = start.add(change.new)
        case Phase.RESTORE_OLD:
            result = restore_entries(start, change.removed, baseline or Allowlist())
            result = result.add(change.old)
        case Phase.REMOVE_OLD:
            overlap = apply_phase(Phase.ADD_NEW, start, change, carrier=carrier)
            result = _remove(overlap, subtract(change.old, change.new), change.old, change)
            if result != overlap:  # what is removed must fit again, also after a split
                apply_phase(Phase.RESTORE_OLD, result, change, carrier=carrier)
        case Phase.REMOVE_NEW:
            kept = (*change.old, *(baseline or ()))
            result = _remove(start, subtract(change.new, kept), change.new, change)
        case Phase.RESTORE_POLICIES:
            return start  # no list changes
    if result != start:  # what stays as it is, the org has accepted
        check_limits(phase, result, carrier)
    return result


def check_order(phase: Phase, live: Snapshot, change: Change) -> None:
    """Refuse a phase that a live list is not ready for. Raises DriftError naming the list."""
    for component in live.carriers:
        try:
            _check_list(phase, component.allowlist, change)
        except DriftError as error:
            raise error.replaced(where=component.path) from error


def _check_list(phase: Phase, live: Allowlist, change: Change) -> None:
    match phase:
        case Phase.ADD_NEW if live.covers(change.new):
            return  # it is already live, in whichever state the old addresses are
        case Phase.ADD_NEW:
            _require(
                live,
                change.old,
                "the old {} not on the live allowlist",
                hint="correct old: in cutover.yaml, or check that this is the right app and org",
            )
        case Phase.REMOVE_OLD:
            _require(
                live,
                change.new,
                "the new {} not on the live allowlist; traffic from there would be refused",
                hint=Advice("deploy add-new first: ", Command("deploy", "add-new")),
            )
        case Phase.REMOVE_NEW:
            _require(
                live,
                change.old,
                "the old {} not on the live allowlist; without the new addresses, none would "
                "remain",
                hint=Advice("restore the old addresses first: ", Command("rollback", "--yes")),
            )
        case Phase.RESTORE_OLD | Phase.RESTORE_POLICIES:
            return  # adding is always safe, and policies are no addresses


DONE_OR_SWAPPED = (
    "every new address is on the allowlist and no old one: the cutover is done here, or old: and "
    "new: are swapped in cutover.yaml"
)


ADD_NEW_NOT_LIVE = "add-new is not live yet: deploying remove-old now would be refused"


def is_done_or_swapped(live: Allowlist, change: Change) -> bool:
    """True if the list alone can't tell the end of a cutover from one with old and new swapped."""
    gone = change.removed
    return bool(gone) and live.covers(change.new) and not live.covered(gone)


def notes_on(phase: Phase, live: Allowlist, change: Change) -> list[str]:
    """What the operator should know about this phase on this list, one sentence each."""
    notes = []
    if phase in (Phase.ADD_NEW, Phase.REMOVE_OLD) and is_done_or_swapped(live, change):
        return [DONE_OR_SWAPPED]
    if phase is Phase.ADD_NEW:
        notes += [
            f"{entry} is already on the allowlist" for entry in change.new if live.covers([entry])
        ]
    if phase is Phase.REMOVE_OLD and not live.covers(change.new):
        notes.append(ADD_NEW_NOT_LIVE)
    if phase in (Phase.REMOVE_OLD, Phase.REMOVE_NEW):
        both = Allowlist(change.new).covered(change.old)
        notes += [f"{entry} is both old and new, so it stays" for entry in both]
    return notes


def _require(live: Allowlist, ranges: Iterable[IpRange], message: str, *, hint: Text) -> None:
    missing = live.uncovered(ranges)
    if missing:
        are = "address {} is" if len(missing) == 1 else "addresses {} are"
        raise DriftError(message.format(are.format(", ".join(map(str, missing)))), hint=hint)


def _remove(
    start: Allowlist, removed: tuple[IpRange, ...], owned: tuple[IpRange, ...], change: Change
) -> Allowlist:
    """Remove the addresses. An entry wholly inside owned is the cutover's own and may shrink."""
    owned_list = Allowlist(owned)

    def may_split(entry: IpRange) -> bool:
        return change.split_ranges or owned_list.covers([entry])

    try:
        return start.subtract(removed, may_split)
    except PartialOverlapError as error:
        parts = ", ".join(map(str, error.remainder))
        raise ConfigError(
            f"only a part of the live range {_named(error.entry)} would be removed; "
            f"it would have to be split into {parts}",
            hint="if the rest should stay as these parts, set split_ranges: true in cutover.yaml",
        ) from error


def check_limits(phase: Phase, allowlist: Allowlist, carrier: Carrier) -> None:
    """Raise LimitError for a list that no phase may leave: empty, or too long for its carrier."""
    if not allowlist.ranges:
        raise LimitError(
            f"{phase}: the allowlist would be empty; an empty allowlist is never deployed",
            hint="keep at least one address that traffic uses on the allowlist",
        )
    counts = (
        ("ranges", len(allowlist), carrier.max_ranges),
        ("addresses", allowlist.address_count, carrier.max_addresses),
    )
    for what, count, most in counts:
        if most is not None and count > most:
            raise LimitError(
                f"{phase}: the allowlist would have {count} {what}; the limit of "
                f"{carrier.list_element} is {most}, old and new together",
                hint="make room first (remove unused entries, or join adjacent ones into one "
                "range), or move in smaller cutovers",
            )


def _named(entry: IpRange) -> str:
    return f"{entry} ({entry.description})" if entry.description else str(entry)
