"""The store of runs: where a run is, what it continues with, and which changes start another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sfcutover.allowlist.templates import Templates
from sfcutover.runs.database import Database
from sfcutover.runs.process import config_key
from sfcutover.runs.processlock import ProcessLock
from sfcutover.runs.store import (
    RunOptions,
    RunStore,
    config_text,
    differences,
    find_open,
    fixed,
    is_of_a_template,
    missing_file,
    open_run,
    share_a_list,
)
from tests.support import cutover_in
from tests.unit.runs.working import ENDING, config_of, writing

CONFIG = config_of("Acme")


@pytest.fixture
def store(database: Database) -> RunStore:
    return RunStore(database)


def test_an_accepted_change_is_that_of_one_run_and_in_its_journal(store: RunStore) -> None:
    run = store.begin("move", CONFIG, RunOptions(("switch",)))
    other = store.begin("other", config_of("Other"), RunOptions())
    changed = json.dumps(json.loads(CONFIG) | {"settle": 90})
    store.accept(run, changed, RunOptions(("remove-old", "switch"), traffic_moved=True), "Casey")
    found = store.find(run.id)
    assert found.config == changed
    assert found.options == RunOptions(("switch", "remove-old"), traffic_moved=True)
    (event,) = store.journal(run.id).read()
    assert (event.kind, event.text("by")) == ("changes-accepted", "Casey")
    assert event.texts("changes") == ("settle: unset -> 90",)
    assert store.find(other.id) == other
    store.accept(found, changed, RunOptions(), "Casey")
    assert store.find(run.id) == found  # what an earlier command has asked for stays
    assert store.journal(run.id).read() == [event]


def test_a_run_is_where_a_process_executes_it_or_would_continue_it(
    store: RunStore, database: Database
) -> None:
    run = store.begin("move", CONFIG, RunOptions())
    assert store.place(run) is None
    with ProcessLock(database, "move", "worker", config_key("another config")):
        assert store.place(run) is None
        with ProcessLock(database, "move", "worker", config_key(CONFIG)) as worker:
            assert store.place(run) == worker.place
        with ProcessLock(database, "move", "run", config_key(CONFIG)) as executing:
            assert store.place(run) == executing.place
            store.end(run.id, ENDING)
            assert store.place(store.find(run.id)) is None


def test_an_unfinished_run_is_found_by_its_cutover(store: RunStore, database: Database) -> None:
    run = store.begin("move", CONFIG, RunOptions())
    store.begin("other", config_of("Other"), RunOptions())
    with writing(database):
        assert find_open(database, "move") == run.id
    store.end(run.id, ENDING)
    assert find_open(database, "move") is None


def test_a_state_that_is_missing_or_empty_has_no_unfinished_run(tmp_path: Path) -> None:
    cutover = cutover_in(tmp_path, "one", state={"url": "sqlite:///state.db"})
    database = Database.at(cutover.state)
    assert missing_file(database) == tmp_path / "state.db"
    assert open_run(cutover) is None
    (tmp_path / "state.db").touch()
    assert missing_file(database) is None
    assert open_run(cutover) is None


@pytest.mark.parametrize(
    ("app", "orgs", "shared"),
    [
        ("Acme", ["packaging"], True),
        ("Acme", ["other", "packaging"], True),
        ("Acme", ["other"], False),
        ("Other", ["packaging"], False),
    ],
)
def test_cutovers_share_a_list_of_one_app_in_one_org(
    app: str, orgs: list[str], *, shared: bool
) -> None:
    targets = [{"name": org, "org": {"alias": org}} for org in orgs]
    other = json.dumps({"app": app, "targets": targets})
    assert share_a_list(CONFIG, other) is shared
    assert share_a_list(other, CONFIG) is shared


@pytest.mark.parametrize(
    ("change", "is_fixed"),
    [
        ({"app": "Other"}, True),
        ({"name": "other"}, True),
        ({"carriers": ["connected-app"]}, True),
        ({"waves": [["two"]]}, True),
        ({"switch": {"manual": True}}, True),
        ({"switch": {"apply": ["true"]}}, False),
        ({"application": "Other"}, False),
        ({"settle": 90}, False),
        ({"targets": [{"name": "two", "org": {"alias": "packaging"}}]}, True),
        ({"targets": [{"name": "one", "org": {"alias": "other"}}]}, False),
        ({"targets": [{"name": "one", "org": {"alias": "packaging"}}, {"name": "two"}]}, True),
        ({"targets": []}, True),
    ],
)
def test_a_run_continues_unless_its_steps_would_be_others(
    change: dict[str, object], *, is_fixed: bool
) -> None:
    after = json.dumps(json.loads(CONFIG) | change)
    assert differences(CONFIG, after)
    assert bool(fixed(CONFIG, after)) is is_fixed
    assert fixed(CONFIG, CONFIG) == []


def test_a_change_of_a_template_is_told_from_one_of_the_file() -> None:
    before = json.dumps({"templates": {"package": "<a/>"}, "settle": 60})
    after = json.dumps({"templates": {"package": "<b/>"}, "settle": 90})
    assert [is_of_a_template(each) for each in differences(before, after)] == [True, False]


def test_a_state_that_moved_changes_nothing_of_the_config(tmp_path: Path) -> None:
    texts = [
        config_text(cutover_in(tmp_path, "one", state={"url": url}), Templates())
        for url in ("sqlite:///here.db", "sqlite:///there.db")
    ]
    assert texts[0] == texts[1]
