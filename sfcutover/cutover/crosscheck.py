"""A list read twice: as the retrieved file has it, and as SOQL shows its entries.

Neither is taken for the truth. Where an org does not show the entries, nothing is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from sfcutover.allowlist.component import Component
from sfcutover.allowlist.ranges import IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.rangerecords import OBJECT, RangeRecord, range_records

Lists = Mapping[str, Iterable[IpRange]]  # by the component's path


def compare_readings(connection: Connection, live: Snapshot) -> list[str]:
    """How the two readings of each list differ, a sentence each. Raises no SfcutoverError."""
    found = ((each, records_of(connection, each)) for each in live.carriers)
    return [
        difference
        for component, records in found
        if records is not None and (difference := difference_of(component, records))
    ]


def records_of(connection: Connection, component: Component) -> list[RangeRecord] | None:
    """A list's entries as SOQL shows them; None where the org does not."""
    return range_records(connection.org, connection.cutover.api_version, component)


def difference_of(component: Component, records: Iterable[RangeRecord]) -> str:
    """What one reading has and the other lacks; empty where both have the same."""
    file = Counter(map(_named, component.allowlist))
    query = Counter(_named(each.entry) for each in records)
    parts = [f"only the retrieved file has {_listed(file - query)}"] if file - query else []
    parts += [f"only {OBJECT} has {_listed(query - file)}"] if query - file else []
    said = "; ".join(parts)
    return f"two reads of {component.path} differ: {said}" if said else ""


def who_changed(connection: Connection, before: Lists, live: Snapshot) -> str:
    """Which entries differ from those before, by whom and when; empty where the org does not report
    it.

    A removed entry has no record any more: the list's last save is named for it. Raises no
    SfcutoverError.
    """
    return "; ".join(
        part
        for component in live.carriers
        if component.path in before
        for part in _changes(connection, tuple(before[component.path]), component)
    )


def _changes(
    connection: Connection, before: tuple[IpRange, ...], component: Component
) -> Iterator[str]:
    known, now = {_named(each) for each in before}, {_named(each) for each in component.allowlist}
    if known == now or (records := records_of(connection, component)) is None:
        return
    for each in records:
        name = _named(each.entry)
        if name in now - known:
            yield f"{name} was saved by {each.by}{_at(each.time)}"
    saved = component.properties
    gone = [each for each in map(_named, before) if each not in now]
    if gone and saved is not None:
        last = f"{saved.modified_by}{_at(saved.last_modified)}"
        yield f"{', '.join(gone)} was removed; the allowlist was last saved by {last}"


def _named(entry: IpRange) -> str:
    return f"{entry} ({entry.description})" if entry.description else str(entry)


def _listed(names: Counter[str]) -> str:
    return ", ".join(names.elements())


def _at(time: datetime | None) -> str:
    return f" at {time:%Y-%m-%d %H:%M:%SZ}" if time else ""
