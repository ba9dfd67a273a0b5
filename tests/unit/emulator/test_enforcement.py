"""Which stored entries the org enforces, if it enforces an added entry only after an update."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sfcutover.emulator.components import Store
from sfcutover.emulator.enforcement import DeployedList
from sfcutover.emulator.formats import IdSequence, User
from sfcutover.emulator.scenario import Scenario

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
TYPE = "ExtlClntAppOauthSecuritySettings"
NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
Entry = tuple[str, str]  # address and description
OLD: Entry = ("192.0.2.1", "old")
NEW: Entry = ("192.0.2.2", "new")


class World:
    """A store that started with one old entry, and its allowlist."""

    def __init__(self, honours: str = "after-update") -> None:
        scenario = Scenario.model_validate({"honours": honours})
        owner = User("005", "Owner", "owner@acme.example")
        self.store = Store(scenario, IdSequence(), lambda: NOW, owner)
        self.list = DeployedList(self.store, "Acme", scenario)
        self.save(OLD)
        self.list.begin(NOW)

    def save(self, *entries: Entry, name: str = "Acme_oauthSecurity") -> None:
        self.store.put(TYPE, name, _xml(entries))

    @property
    def honoured(self) -> list[str]:
        return [str(one) for one in self.list.versions()[-1].honoured]

    @property
    def stored(self) -> list[str]:
        return [str(one) for one in self.list.versions()[-1].allowlist]


def _xml(entries: tuple[Entry, ...]) -> bytes:
    ranges = "".join(
        f"<tokenIpRanges><description>{description}</description><endIpAddress>{address}"
        f"</endIpAddress><startIpAddress>{address}</startIpAddress></tokenIpRanges>"
        for address, description in entries
    )
    app = "<externalClientApplication>Acme</externalClientApplication>"
    return f'<{TYPE} xmlns="{NAMESPACE}">{app}{ranges}</{TYPE}>'.encode()


def test_initial_entries_are_enforced() -> None:
    assert World().honoured == ["192.0.2.1"]


def test_by_default_an_added_entry_is_enforced_immediately() -> None:
    world = World("always")
    world.save(OLD, NEW)
    assert world.honoured == world.stored == ["192.0.2.1", "192.0.2.2"]


def test_an_added_entry_is_stored_but_not_enforced() -> None:
    world = World()
    world.save(OLD, NEW)
    assert (world.stored, world.honoured) == (["192.0.2.1", "192.0.2.2"], ["192.0.2.1"])


@pytest.mark.parametrize(
    "update",
    [
        (OLD, ("192.0.2.2", "new, saved again")),
        (("192.0.2.1", "old, saved again"), NEW),
        (OLD, ("192.0.2.3", "new")),
    ],
    ids=["its description", "another one's description", "its address"],
)
def test_a_later_change_of_a_record_enforces_it(update: tuple[Entry, ...]) -> None:
    world = World()
    world.save(OLD, NEW)
    world.save(*update)
    assert world.honoured == world.stored == [address for address, _ in update]


@pytest.mark.parametrize(
    "later",
    [(OLD, NEW, ("192.0.2.3", "third")), (NEW,), (NEW, OLD)],
    ids=["an added entry", "a removed entry", "another order"],
)
def test_no_other_save_enforces_it(later: tuple[Entry, ...]) -> None:
    world = World()
    world.save(OLD, NEW)
    world.save(*later)
    assert "192.0.2.2" not in world.honoured


def test_an_entry_added_with_the_update_waits_for_the_next() -> None:
    world = World()
    world.save(OLD, NEW)
    world.save(("192.0.2.1", "again"), NEW, ("192.0.2.3", "third"))
    assert world.honoured == ["192.0.2.1", "192.0.2.2"]


def test_an_update_of_another_component_enforces_nothing() -> None:
    world = World()
    world.save(OLD, NEW)
    world.save(("192.0.2.9", "a"), name="Other")
    world.save(("192.0.2.9", "b"), name="Other")
    assert world.honoured == ["192.0.2.1", "192.0.2.9"]


def test_a_removal_is_enforced_immediately() -> None:
    world = World()
    world.save(NEW)
    assert (world.stored, world.honoured) == (["192.0.2.2"], [])


def test_a_recreated_component_is_not_enforced() -> None:
    world = World()
    world.store.delete(TYPE, "Acme_oauthSecurity")
    world.save(OLD)
    assert (world.stored, world.honoured) == (["192.0.2.1"], [])
