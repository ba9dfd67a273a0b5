"""The lists of addresses that gate redemptions: their history, and what is enforced now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sfcutover.allowlist.carriers import SECURITY_SETTINGS
from sfcutover.allowlist.ranges import Allowlist, IpRange, RangeError
from sfcutover.emulator.components import Saved, Store
from sfcutover.emulator.formats import Clock, child_text, parse_xml
from sfcutover.emulator.lists import entries, holds, range_of
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.schema import APP_ELEMENT

_TYPE = SECURITY_SETTINGS.metadata_type


@dataclass(frozen=True)
class ListVersion:
    """A list as it stood from a moment on. honoured: what of it the org takes into account."""

    time: datetime
    allowlist: Allowlist
    honoured: Allowlist

    def holds(self, address: str) -> bool:
        """True if the address is on the list."""
        return holds(self.allowlist, address)


class KnowsVersions(Protocol):
    """A list with its past, the oldest version first; never empty."""

    def versions(self) -> Sequence[ListVersion]: ...


@dataclass(frozen=True)
class _Records:
    """The entries of one component, with their descriptions, and the honoured ones of them."""

    stored: tuple[IpRange, ...] = ()
    honoured: tuple[IpRange, ...] = ()

    def after_save(self, stored: tuple[IpRange, ...]) -> _Records:
        """As help article 005387022 has it: an added entry is honoured once a later save changes
        a record. That any record of the component will do is assumed."""
        gone = [one for one in self.stored if one not in stored]
        new = [one for one in stored if one not in self.stored]
        added = [one for one in new if not any(_is_one_record(one, other) for other in gone)]
        if len(added) == len(new):  # no record was changed
            return _Records(stored, tuple(one for one in self.honoured if one in stored))
        return _Records(stored, tuple(one for one in stored if one not in added))


def _is_one_record(one: IpRange, other: IpRange) -> bool:
    """True if one is the other with a changed description, or with changed addresses. Files have
    no ids of records, so that the other half tells (assumed)."""
    has_description = bool(one.description) and one.description == other.description
    return has_description or one.span == other.span


class DeployedList:
    """The deployed security settings of an app. The caller holds the org's lock.

    If an app has several, an address on any of them is on the list (assumed).
    """

    def __init__(self, store: Store, app_name: str, scenario: Scenario) -> None:
        self._store = store
        self._app_name = app_name
        self._honours_at_once = scenario.honours == "always"
        self._read = 0
        self._components: dict[str, _Records] = {}
        self._versions: list[ListVersion] = []

    def begin(self, moment: datetime) -> None:
        """What is stored now is the first version, honoured as it is."""
        for saved in self._unread():
            stored = self._ranges_in(saved)
            self._components[saved.full_name] = _Records(stored, stored)
        self._remember(moment)

    def versions(self) -> Sequence[ListVersion]:
        """Every state since the start."""
        for saved in self._unread():
            stored = self._ranges_in(saved)
            before = self._components.get(saved.full_name, _Records())
            at_once = _Records(stored, stored)
            self._components[saved.full_name] = (
                at_once if self._honours_at_once else before.after_save(stored)
            )
            self._remember(saved.time)
        return self._versions

    def _unread(self) -> Iterator[Saved]:
        timeline = self._store.timeline
        unread, self._read = timeline[self._read :], len(timeline)
        return (one for one in unread if one.metadata_type == _TYPE)

    def _ranges_in(self, saved: Saved) -> tuple[IpRange, ...]:
        root = None if saved.xml is None else parse_xml(saved.xml)
        if root is None or child_text(root, APP_ELEMENT) != self._app_name:
            return ()
        found: list[IpRange] = []
        for element in entries(root, _TYPE):
            with suppress(RangeError):  # put there unchecked by a test: it lets no address in
                description = child_text(element, "description")
                found.append(replace(range_of(element, _TYPE), description=description))
        return tuple(found)

    def _remember(self, moment: datetime) -> None:
        parts = self._components.values()
        version = ListVersion(
            moment,
            _addresses(one for part in parts for one in part.stored),
            _addresses(one for part in parts for one in part.honoured),
        )
        if not self._versions or replace(self._versions[-1], time=moment) != version:
            self._versions.append(version)


def _addresses(ranges: Iterable[IpRange]) -> Allowlist:
    return Allowlist(tuple(replace(one, description=None) for one in ranges))


class SupportList:
    """A legacy app's list, which only Salesforce's support can change."""

    def __init__(self, ranges: Iterable[IpRange], clock: Clock) -> None:
        self._clock = clock
        self._versions: list[ListVersion] = []
        self.set(ranges)

    def set(self, ranges: Iterable[IpRange]) -> None:
        """Replace the list."""
        allowlist = Allowlist(tuple(ranges))
        self._versions.append(ListVersion(self._clock(), allowlist, allowlist))

    def versions(self) -> Sequence[ListVersion]:
        return self._versions


class Enforcement:
    """Whether an address may redeem now, by a list and the scenario's settings.

    is_on: False lets every address in; it can be changed at any time.
    """

    def __init__(self, source: KnowsVersions, scenario: Scenario, clock: Clock) -> None:
        self.is_on = scenario.enforcement
        self._source = source
        self._scenario = scenario
        self._lag = timedelta(seconds=scenario.propagation_seconds)
        self._clock = clock

    def allows(self, address: str) -> bool:
        """True if enforcement is off, or the address is on the list that is enforced now."""
        if not self.is_on:
            return True
        version = self._enforced()
        if not version.allowlist.ranges:
            return self._scenario.empty_list == "open"
        return holds(version.honoured, address)

    def _enforced(self) -> ListVersion:
        versions = self._source.versions()
        limit = self._clock() - self._lag
        found = versions[0]  # it was enforced before the org started
        for version in versions[1:]:
            if version.time <= limit:
                found = version
        return found
