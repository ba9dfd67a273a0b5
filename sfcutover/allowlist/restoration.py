"""A rollback of a list and of the policies: restores what the cutover changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sfcutover.allowlist.component import Component, Field
from sfcutover.allowlist.ranges import Allowlist, IpRange, subtract

# From the loosest value to the strictest. The values are those that users report (types 1.9.0
# have plain strings); their order is assumed.
_STRICTNESS: Mapping[str, tuple[str, ...]] = {
    "ipRelaxationPolicyType": ("Bypass", "Bypass_2factor", "Enforce_RelaxRefresh", "Enforce"),
    "permittedUsersPolicyType": ("AllSelfAuthorized", "AdminApprovedPreAuthorized"),
    "refreshTokenPolicyType": ("Infinite", "SpecificInactivity", "SpecificLifetime", "Zero"),
    "requiredSessionLevel": ("LOW", "STANDARD", "HIGH_ASSURANCE"),
}
_LOOSER_IF_LONGER = ("sessionTimeoutInMinutes", "refreshTokenValidityPeriod", "namedUserJwtTimeout")


def restore_entries(live: Allowlist, owned: Sequence[IpRange], baseline: Allowlist) -> Allowlist:
    """The list with every owned address on it, as the baseline has it: descriptions and places.

    No entry that is on the list moves. What the baseline does not have is appended.
    """
    result = live
    for entry in baseline:
        if subtract([entry], owned) != (entry,):
            result = _with_entry(result, entry, owned, baseline)
    return result.add(owned)


def _with_entry(
    live: Allowlist, entry: IpRange, owned: Sequence[IpRange], baseline: Allowlist
) -> Allowlist:
    """An entry that is whole again, or as much of it as was removed and is missing."""
    if any(each.span == entry.span for each in live):
        return live
    left = subtract([entry], owned)  # what a removal leaves of it
    if left and set(left) <= set(live) and not _others_in(live, entry, left):
        rest = tuple(each for each in live if each not in left)
        return _inserted(Allowlist(rest), (entry,), live.ranges.index(left[0]))
    missing = live.uncovered(subtract([entry], left))
    return _inserted(live, missing, _place(live, entry, baseline))


def _others_in(live: Allowlist, entry: IpRange, left: Sequence[IpRange]) -> bool:
    return any(each.overlaps(entry) and each not in left for each in live)


def _inserted(live: Allowlist, entries: Sequence[IpRange], place: int) -> Allowlist:
    return Allowlist((*live.ranges[:place], *entries, *live.ranges[place:]))


def _place(live: Allowlist, entry: IpRange, baseline: Allowlist) -> int:
    """Behind the entry that was before it, or in front of the one that was behind it."""
    at = baseline.ranges.index(entry)
    for neighbour in reversed(baseline.ranges[:at]):
        if places := _places_of(neighbour, live):
            return places[-1] + 1
    for neighbour in baseline.ranges[at + 1 :]:
        if places := _places_of(neighbour, live):
            return places[0]
    return len(live)


def _places_of(entry: IpRange, live: Allowlist) -> list[int]:
    """Where it stands, or what is left of it."""
    return [place for place, each in enumerate(live) if entry.contains(each)]


@dataclass(frozen=True)
class RestoredPolicies:
    """The policies with the values that were there before the cutover. notes: one sentence a
    field, where restoring it loosens a control, and where it stays as others have set it."""

    component: Component
    notes: tuple[str, ...]


def restore_policies(
    live: Component, baseline: Component, values: Mapping[str, Collection[str]]
) -> RestoredPolicies:
    """Only what the cutover changed: a value that is none of those it set stays.

    values: what the cutover set, by field each text that it ever was.
    """
    notes: list[str] = []
    result = live
    for name, texts in values.items():
        before, now = baseline.text(name), live.text(name)
        if before == now:
            continue
        if now is None or now not in {Field.of_text(name, each).content for each in texts}:
            notes.append(
                f"{name} stays {now!r}: another user has changed it since ({before!r} before)"
            )
            continue
        result = result.with_field_of(baseline, name)
        notes.append(f"{name} is restored from {now!r} to {before!r}{_effect(name, now, before)}")
    return RestoredPolicies(result, tuple(notes))


def _effect(name: str, now: str, before: str | None) -> str:
    loosens = _loosens(name, now, before)
    if loosens is None:
        return "; whether that loosens a control is unknown"
    return ", which loosens this control" if loosens else ""


def _loosens(name: str, now: str, before: str | None) -> bool | None:
    """None where it is unknown."""
    order = _STRICTNESS.get(name, ())
    if before in order and now in order:
        return order.index(before) < order.index(now)
    if name in _LOOSER_IF_LONGER and before is not None and (before + now).isdecimal():
        return int(before) > int(now)
    return None
