"""The lists of addresses that gate redemptions: their history, and what is enforced now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from lxml import etree

from sfcutover.allowlist.carriers import SECURITY_SETTINGS
from sfcutover.allowlist.ranges import Allowlist, IpRange, RangeError
from sfcutover.emulator.components import Store
from sfcutover.emulator.formats import (
    Clock,
    IdSequence,
    OrgClock,
    child_text,
    parse_xml,
    rest_time,
)
from sfcutover.emulator.lists import entries, holds, range_of
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.schema import APP_ELEMENT
from sfcutover.emulator.soql import Filter, Query, QueryError, Record

_TYPE = SECURITY_SETTINGS.metadata_type
SUCCESS = "Success"
RESTRICTED = "Restricted IP"
_FILTERABLE = ("id", "logintime", "userid")


@dataclass(frozen=True)
class ListVersion:
    """A list as it stood from a moment on."""

    time: datetime
    allowlist: Allowlist

    def holds(self, address: str) -> bool:
        """True if the address is on the list."""
        return holds(self.allowlist, address)


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
        """True if enforcement is off, or the address is on the list that is enforced now."""
        if not self._scenario.enforcement:
            return True
        version = self._enforced()
        if not version.allowlist.ranges:
            return self._scenario.empty_list == "open"
        return version.holds(address)

    def _enforced(self) -> ListVersion:
        versions = self._source.versions()
        limit = self._clock() - self._lag
        found = versions[0]  # it was enforced before the org started
        for version in versions[1:]:
            if version.time <= limit:
                found = version
        return found


def _read_ranges(root: etree._Element) -> Iterable[IpRange]:
    for element in entries(root, _TYPE):
        with suppress(RangeError):  # put there unchecked by a test: it lets no address in
            yield range_of(element, _TYPE)


@dataclass(frozen=True)
class _Login:
    time: datetime
    record: Record


class Logins:
    """The LoginHistory of one org, which shows its customers' logins, too.

    LoginTime has whole seconds (assumed). The caller holds the org's lock.
    """

    def __init__(self, scenario: Scenario, ids: IdSequence, clock: OrgClock) -> None:
        self._scenario = scenario
        self._ids = ids
        self._clock = clock
        self._logins: list[_Login] = []

    def add(
        self, *, application: str, subtype: str, user_id: str, source: str, status: str
    ) -> None:
        """Note a login that is going on now."""
        now = self._clock()
        hidden = self._scenario.login_history == "first_proxy_ip"
        record: Record = {
            "Id": self._ids.make("0Ya"),
            "UserId": user_id,
            "LoginTime": rest_time(self._clock.shown(now).replace(microsecond=0)),
            "LoginType": "Remote Access 2.0",
            "LoginSubType": subtype,
            "SourceIp": self._scenario.first_proxy_address if hidden else source,
            "Status": status,
            "Application": application,
        }
        self._logins.append(_Login(now, record))

    def records(self, query: Query) -> list[Record]:
        """What a query can see, the newest first.

        Raises QueryError for a filter on a field that can't have one, and for an org
        whose LoginHistory the user may not read.
        """
        if self._scenario.login_history == "unavailable":
            raise QueryError("INVALID_TYPE", "sObject type 'LoginHistory' is not supported.")
        for one in query.filters:
            _check_filter(one)
        latest = self._clock() - timedelta(seconds=self._delay)
        return [one.record for one in reversed(self._logins) if one.time <= latest]

    @property
    def _delay(self) -> float:
        delayed = self._scenario.login_history == "delayed"
        return self._scenario.login_history_delay_seconds if delayed else 0.0


def _check_filter(one: Filter) -> None:
    name = one.field.lower()
    if name not in _FILTERABLE:
        text = f"field '{one.field}' can not be filtered in a query call"
        raise QueryError("INVALID_FIELD", text)
    if (name == "logintime") == isinstance(one.value, str):
        text = f"value of filter criterion for field '{one.field}' must be of another type"
        raise QueryError("INVALID_FIELD", text)
