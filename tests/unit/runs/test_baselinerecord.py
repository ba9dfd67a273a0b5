"""The baseline record of a target: the one that is kept, changed, found and forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfcutover.errors import ConfigError
from sfcutover.runs.baselinerecord import BaselineRecord, BaselineStore
from sfcutover.runs.database import Database
from tests.unit.runs.working import execute, record, state_in, writing


def kept(database: Database, cutover: str, target: str) -> BaselineRecord:
    new = record(cutover, target)
    assert BaselineStore(database, cutover).keep(target, lambda _: new) == new
    return new


def test_each_target_of_each_cutover_has_its_own_record(database: Database) -> None:
    records = [kept(database, *key) for key in (("move", "eu"), ("move", "us"), ("other", "eu"))]
    store = BaselineStore(database, "move")
    assert [store.find("eu"), store.find("us")] == records[:2]
    assert store.find("jp") is None
    store.forget("eu")
    assert store.find("eu") is None
    assert store.find("us") == records[1]
    assert BaselineStore(database, "other").find("eu") == records[2]


def test_a_change_is_made_to_the_kept_record_of_its_target_alone(database: Database) -> None:
    us, eu = kept(database, "move", "us"), kept(database, "move", "eu")
    store, given = BaselineStore(database, "move"), list[BaselineRecord | None]()

    def switched(before: BaselineRecord | None) -> BaselineRecord:
        given.append(before)
        return eu.model_copy(update={"switched": 5.0})

    assert store.keep("eu", switched).switched == 5.0
    assert given == [eu]
    assert store.find("eu") == eu.model_copy(update={"switched": 5.0})
    assert store.find("us") == us


def test_a_state_in_which_nothing_was_written_yet_has_no_record(tmp_path: Path) -> None:
    assert BaselineStore(Database.at(state_in(tmp_path)), "move").find("eu") is None


def test_a_record_is_found_while_another_process_writes(database: Database) -> None:
    found = kept(database, "move", "eu")
    with writing(database):
        assert BaselineStore(database, "move").find("eu") == found


def test_a_record_of_another_version_is_refused_by_its_field(database: Database) -> None:
    kept(database, "move", "eu")
    execute(database, "UPDATE sfcutover_baselines SET record = '{}'")
    with pytest.raises(ConfigError, match="from another version: cutover"):
        BaselineStore(database, "move").find("eu")


def test_only_components_whose_org_reported_an_id_are_bound_to_it() -> None:
    component: dict[str, object] = {
        "type": "ExtlClntAppOauthSecuritySettings",
        "full_name": "Acme",
        "carrier": "token-ip-ranges",
        "fingerprint": "0" * 64,
        "xml": "<x/>",
    }
    both = [component | {"path": path, "id": id_} for path, id_ in (("a/a", "0xz1"), ("a/b", None))]
    assert record("move", "eu", components=both).component_ids == {"a/a": "0xz1"}
