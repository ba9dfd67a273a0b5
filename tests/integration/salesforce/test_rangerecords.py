"""The allowlist in SOQL: the entries of one component, and who saved which when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sfcutover.allowlist.component import Component
from sfcutover.allowlist.ranges import Allowlist
from sfcutover.emulator import Edit
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.rangerecords import RangeRecord, range_records
from tests.support import OpenConnection, StartEmulator


def read(connection: Connection, component: Component | None = None) -> list[RangeRecord] | None:
    (live,) = connection.read().carriers
    return range_records(connection.org, "67.0", component or live)


def test_each_entry_is_read_with_the_user_who_saved_it(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator()
    connection = open_connection(emulator)
    before = read(connection)
    added = {"range": "192.0.2.200-192.0.2.203", "description": "billing system"}
    emulator.set_edit(Edit.model_validate({"add": [added]}))
    after = read(connection)
    assert before is not None
    assert after is not None
    (new,) = [each for each in after if each not in before]
    assert str(new.entry) == "192.0.2.200-192.0.2.203"
    assert (new.entry.description, new.by) == ("billing system", "Casey Colleague")
    assert new.time is not None
    assert [each.entry for each in after] == list(connection.read().carriers[0].allowlist)


def test_an_org_that_does_not_show_the_records_is_no_error(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    assert read(open_connection(start_emulator(allowlist_query=False))) is None


@pytest.mark.parametrize("change", ["no id", "another id", "a wrong id"])
def test_records_that_may_not_be_the_list_are_not_read(
    start_emulator: StartEmulator, open_connection: OpenConnection, change: str
) -> None:
    connection = open_connection(start_emulator())
    (live,) = connection.read().carriers
    assert live.properties is not None
    ids = {"another id": "0x0000000000000AAA", "a wrong id": "' OR Id != '"}
    properties = replace(live.properties, id=ids[change]) if change in ids else None
    assert read(connection, replace(live, properties=properties)) is None


def test_an_empty_list_has_no_rows(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    connection = open_connection(start_emulator())
    (live,) = connection.read().carriers
    assert live.properties is not None
    empty = replace(
        live,
        allowlist=Allowlist(),
        properties=replace(live.properties, id="0x0000000000000AAA"),
    )
    assert read(connection, empty) == []


def test_an_unreachable_org_is_no_error(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator()
    connection = open_connection(emulator)
    (live,) = connection.read().carriers
    emulator.stop()
    assert range_records(connection.org, "67.0", live) is None
