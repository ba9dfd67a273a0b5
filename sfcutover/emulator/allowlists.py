"""The lists of addresses that gate redemptions: their history, and what is enforced now."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from lxml import etree

from sfcutover.allowlist.carriers import SECURITY_SETTINGS
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.emulator.clock import Clock
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.schema import APP_ELEMENT, LISTS
from sfcutover.emulator.store import Store
from sfcutover.emulator.xml import child_text, local_name, parse_xml

_TYPE = SECURITY_SETTINGS.metadata_type


@dataclass(frozen=True)
class ListVersion:
    """A list as it stood from a moment on."""

    time: datetime
    allowlist: Allowlist

    def holds(self, address: str) -> bool:
        """True if the address is on the list."""
        return holds(self.allowlist, address)


def holds(ranges: Iterable[IpRange], address: str) -> bool:
    """True if one of the ranges holds the address."""
    wanted = ipaddress.ip_address(address)
    number = int(wanted)
    return any(
        version == wanted.version and low <= number <= high
        for version, low, high in (one.span for one in ranges)
    )


class KnowsVersions(Protocol):
    """A list with its past, the oldest version first; never empty."""

    def versions(self) -> Sequence[ListVersion]: ...


class DeployedList:
    """What the deployed security settings of an app say. The caller holds the org's lock.

    If an app has several, an address on any of them is on the list (assumed).
    """

    def __init__(self, store: Store, app_name: str, started: datetime) -> None:
        self._store = store
        self._app_name = app_name
        self._started = started
        self._read = 0
        self._ranges: dict[str, tuple[IpRange, ...]] = {}
        self._versions: list[ListVersion] = []

    def versions(self) -> Sequence[ListVersion]:
        """Every state since the org started, which had the first one from the beginning."""
        for change in self._store.timeline[self._read :]:
            if change.metadata_type == _TYPE:
                self._ranges[change.full_name] = self._ranges_in(change.xml)
                self._remember(change.time)
        self._read = len(self._store.timeline)
        if not self._versions:
            self._remember(self._started)
        return self._versions

    def _ranges_in(self, xml: bytes | None) -> tuple[IpRange, ...]:
        root = None if xml is None else parse_xml(xml)
        if root is None or child_text(root, APP_ELEMENT) != self._app_name:
            return ()
        return tuple(_read_ranges(root))

    def _remember(self, time: datetime) -> None:
        allowlist = Allowlist(tuple(one for part in self._ranges.values() for one in part))
        if not self._versions or self._versions[-1].allowlist != allowlist:
            self._versions.append(ListVersion(time, allowlist))


class SupportList:
    """A legacy app's list, which only Salesforce's support can change."""

    def __init__(self, ranges: Iterable[IpRange], clock: Clock) -> None:
        self._clock = clock
        self._versions: list[ListVersion] = []
        self.set(ranges)

    def set(self, ranges: Iterable[IpRange]) -> None:
        """Replace the list."""
        self._versions.append(ListVersion(self._clock(), Allowlist(tuple(ranges))))

    def versions(self) -> Sequence[ListVersion]:
        return self._versions


class Enforcement:
    """Whether an address may redeem now, by a list and the scenario's settings."""

    def __init__(self, source: KnowsVersions, scenario: Scenario, clock: Clock) -> None:
        self._source = source
        self._scenario = scenario
        self._lag = timedelta(seconds=scenario.propagation_seconds)
        self._clock = clock

    def allows(self, address: str) -> bool:
        """True if enforcement is off, or the address is on the list that is in force."""
        if not self._scenario.enforcement:
            return True
        version = self._in_force()
        if not version.allowlist.ranges:
            return self._scenario.empty_list == "open"
        return version.holds(address)

    def _in_force(self) -> ListVersion:
        versions = self._source.versions()
        limit = self._clock() - self._lag
        found = versions[0]  # it has been in force since before the org started
        for version in versions[1:]:
            if version.time <= limit:
                found = version
        return found


def _read_ranges(root: etree._Element) -> Iterable[IpRange]:
    entry, start, end = LISTS[_TYPE]
    for element in root:
        if local_name(element) == entry:
            try:
                first, last = (child_text(element, name) or "" for name in (start, end))
                yield IpRange(_address(first), _address(last))
            except ValueError:
                continue  # put there unchecked by a test; it opens the list to nobody


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text.strip())
