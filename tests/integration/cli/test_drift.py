"""drift: the live allowlist compared with what the last run left, or with a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from sfcutover.emulator.scenario import Scenario
from tests.chaos.world import World, world
from tests.integration.cli.conftest import StartOrg
from tests.integration.cli.harness import (
    SCHEMAS,
    SECURITY,
    SECURITY_NAME,
    SECURITY_PATH,
    Desk,
    Json,
    range_xml,
    with_entry,
)

pytestmark = pytest.mark.slow  # a whole run, and each command in a process of its own

FOREIGN = range_xml("192.0.2.9", "192.0.2.9", "a colleague")


# Compared with the last run


@pytest.fixture(scope="module")
def after_a_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An org whose cutover is done."""
    folder = tmp_path_factory.mktemp("drift") / "world"
    with world(folder, Scenario(deploy_seconds=0.1)) as one:
        assert one.call("run", "--yes")[0] == 0
        yield one


@pytest.fixture
def done(after_a_run: World) -> Iterator[World]:
    """The same; the fixture undoes what a test changes on the allowlist."""
    before = after_a_run.emulator.component_xml(SECURITY, SECURITY_NAME)
    yield after_a_run
    after_a_run.emulator.put_component(SECURITY, SECURITY_NAME, before)


def edit(here: World, old: bytes, new: bytes) -> None:
    xml = here.emulator.component_xml(SECURITY, SECURITY_NAME)
    assert old in xml
    here.emulator.put_component(SECURITY, SECURITY_NAME, xml.replace(old, new, 1))


def add(here: World) -> None:
    xml = here.emulator.component_xml(SECURITY, SECURITY_NAME)
    here.emulator.put_component(SECURITY, SECURITY_NAME, with_entry(FOREIGN)(xml))


def drift(here: World) -> Json:
    code, out = here.call("diff", "--exit-code", "--exact", "--json")
    document: Json = json.loads(out)
    schema = json.loads((SCHEMAS / "drift.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(document)
    assert code == (3 if document["changed"] else 0)
    found: Json = document["targets"][0]["lists"][0]
    return found


def test_an_unchanged_list_has_no_drift(done: World) -> None:
    code, out = done.call("diff", "--exit-code", "--exact")
    assert code == 0
    assert ": as in the run " in out
    assert "= 3 unchanged" in out


def test_an_added_entry_is_named(done: World) -> None:
    add(done)
    code, out = done.call("diff", "--exit-code", "--exact")
    assert code == 3
    assert "added 192.0.2.9 (a colleague)" in out
    assert "= 1 added, 3 unchanged" in out


def test_drift_is_not_an_error_without_the_exit_code_option(done: World) -> None:
    add(done)
    assert done.call("diff", "--exact")[0] == 0


def test_a_changed_description_is_drift(done: World) -> None:
    edit(done, b"office VPN", b"office")
    found = drift(done)
    assert found["described"] == [
        {"range": "192.0.2.64-192.0.2.71", "before": "office VPN", "after": "office"}
    ]
    assert (found["added"], found["removed"]) == ([], [])


def test_a_changed_order_is_drift(done: World) -> None:
    xml = done.emulator.component_xml(SECURITY, SECURITY_NAME)
    start, end = xml.index(b"<tokenIpRanges>"), xml.index(b"</tokenIpRanges>") + 16
    first = xml[start:end]
    edit(done, first, b"")
    xml = done.emulator.component_xml(SECURITY, SECURITY_NAME)
    done.emulator.put_component(SECURITY, SECURITY_NAME, with_entry(first)(xml))
    assert [(each["before"], each["after"]) for each in drift(done)["moved"]] == [(1, 3)]


def test_the_issue_text_starts_with_its_marker(done: World) -> None:
    add(done)
    code, out = done.call("diff", "--exit-code", "--exact", "--format", "markdown")
    assert code == 3
    first, second, *_ = out.splitlines()
    assert (first[:23], second[:11]) == ("<!-- sfcutover:drift:em", "### Drift: ")
    assert "+ 192.0.2.9  # a colleague" in out


def test_drift_is_not_computed_during_an_unfinished_run(tmp_path: Path) -> None:
    with world(tmp_path / "world", Scenario(deploy_seconds=0.1)) as here:
        assert here.call("run", "--yes", "--pause-before", "add-new")[0] == 75
        code, out = here.call("diff", "--exit-code", "--exact")
        assert code == 69
        assert "has not ended and still changes the allowlists" in out


def test_a_missing_run_record_is_reported(desk: Desk) -> None:
    result = desk.run("diff", "--exit-code", "--exact")
    result.refused(2)
    assert desk.asked("retrieve") == 0


# Compared with a committed list


def test_a_committed_list_is_compared_exactly(desk: Desk) -> None:
    path = desk.baseline()
    assert desk.run("diff", "--exact", "--exit-code", "--expect", path.name).code == 0
    desk.put_live(with_entry(FOREIGN))
    result = desk.run("diff", "--exact", "--exit-code", "--expect", path.name)
    assert result.code == 3
    assert result.out.startswith(f"packaging ({desk.emulator.url}): not as in {path.name}\n")
    assert f"  {SECURITY_PATH}\n    added 192.0.2.9 (a colleague)\n" in result.out


def test_a_committed_list_needs_no_state(desk: Desk) -> None:
    desk.run("diff", "--exact", "--expect", desk.baseline().name)
    assert not (desk.folder / ".sfcutover").exists()


def test_a_committed_list_belongs_to_one_org(desk: Desk, start_org: StartOrg) -> None:
    desk.add_target("second", start_org())
    words = ("diff", "--exact", "--expect", desk.baseline().name)
    desk.run(*words).refused(2, "choose its target with --target")
    assert desk.run(*words, "--target", "second").code == 0


def test_a_file_that_is_not_a_component_is_named(desk: Desk) -> None:
    desk.write("x.xml", "<x/>")
    result = desk.run("diff", "--exact", "--expect", "x.xml")
    result.refused(2, "x.xml")
    assert "give --expect once" in result.hint


@pytest.mark.parametrize(
    "words",
    [
        ("diff",),
        ("diff", "add-new", "--exact"),
        ("diff", "add-new", "--expect", "x"),
        ("diff", "--exact", "--baseline", "x"),
        ("diff", "--exact", "--format", "xml"),
    ],
    ids=" ".join,
)
def test_conflicting_options_are_refused(desk: Desk, words: tuple[str, ...]) -> None:
    desk.run(*words).refused(2, "--exact")


def test_policies_alone_have_no_list_to_compare(desk: Desk) -> None:
    desk.configure(
        carriers=[], old=None, new=None, verify=None, policies={"startUrl": "https://acme.example"}
    )
    desk.run("diff", "--exact").refused(2, "this cutover has none")
