"""What a colleague saves during a phase: kept, restored, or reported with the user's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sfcutover.allowlist.phases import Phase
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.deploy import DeployOptions, deploy
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.externalchanges import EXTERNAL_CHANGE
from sfcutover.cutover.rollback import restore
from sfcutover.emulator import Edit, Fault, Scenario
from sfcutover.errors import ExternalChangeError
from tests.chaos.world import NEW, OLD, World, world
from tests.integration.cutover.working import CountingGate, step_context
from tests.integration.safety.scene import OFFICE, entries, entry

COLLEAGUE = "Casey Colleague"
ADDED = "192.0.2.200"
OFFICE_RANGE = "192.0.2.64-192.0.2.71"
ADD = {"add": [{"range": ADDED, "description": "billing system"}]}
DESCRIBE = {"describe": [{"range": OFFICE_RANGE, "description": "office and home"}]}
REMOVE = {"remove": [OFFICE_RANGE]}
PENDING = {"of": "checkDeployStatus", "when": "before"}
COMMIT: dict[str, object] = {"of": "deployment", "when": "before"}
BEHIND = {"of": "deployment", "when": "after"}
MOMENTS: list[dict[str, object]] = [
    *(
        dict[str, object](of=of, when=when)
        for of in ("listMetadata", "retrieve", "tooling_query", "deploy", "checkDeployStatus")
        for when in ("before", "after")
    ),
    {"of": "listMetadata", "when": "after", "nth": 2},
    COMMIT,
]


SLOW = pytest.mark.parametrize("here", [1.5], indirect=True)  # time for a poll while it is pending


@pytest.fixture
def here(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    seconds = getattr(request, "param", 0.6)
    with world(tmp_path / "world", Scenario(deploy_seconds=seconds)) as opened:
        yield opened


def edit(here: World, *parts: Mapping[str, object], **keys: object) -> None:
    whole: dict[str, object] = {}
    for part in parts:
        whole |= dict(part)
    here.emulator.set_edit(Edit.model_validate(whole | keys))


def remove_old(context: TargetContext) -> DeployEvidence:
    return deploy(context, Phase.REMOVE_OLD, DeployOptions(gate=CountingGate()))


def reported_changes(context: TargetContext) -> str:
    """The events' texts about changes by others."""
    return "; ".join(each.text("text") for each in context.memory.all(EXTERNAL_CHANGE))


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda each: "-".join(map(str, each.values())))
@pytest.mark.parametrize("by", ["setup", "deploy"])
def test_an_added_entry_is_kept_or_reported_at_any_moment(
    here: World, context: TargetContext, moment: dict[str, object], by: str
) -> None:
    edit(here, moment, ADD, by=by)
    with suppress(ExternalChangeError):
        deploy(context, Phase.ADD_NEW)
    is_there = entry(ADDED, "billing system") in entries(here.emulator)
    reported = [each.data for each in context.memory.all(EXTERNAL_CHANGE)]
    assert is_there or any(each["by"] == COLLEAGUE for each in reported)
    assert not (is_there and reported and not reported[-1]["restored"]), "a false alarm"
    assert here.emulator.edits == []
    assert here.live == {*OLD, *NEW}


@SLOW
def test_a_restored_entry_is_reported_and_is_no_error(here: World, context: TargetContext) -> None:
    edit(here, PENDING, ADD)
    evidence = deploy(context, Phase.ADD_NEW)
    assert entry(ADDED, "billing system") in entries(here.emulator)
    (change,) = evidence.external_changes
    assert change.restored
    assert datetime.fromisoformat(change.time).tzinfo == UTC
    assert f"{COLLEAGUE} added {ADDED} (billing system)" in reported_changes(context)


@SLOW
def test_an_entry_removed_during_our_deployment_is_reported(
    here: World, context: TargetContext
) -> None:
    edit(here, PENDING, REMOVE)
    with pytest.raises(ExternalChangeError, match=f"{COLLEAGUE} removed"):
        deploy(context, Phase.ADD_NEW)
    assert here.emulator.allowlist_history[-1].holds(OFFICE)


def test_an_entry_removed_after_our_deployment_is_not_added_again(
    here: World, context: TargetContext
) -> None:
    """The package had the entry, and another user saved the list since."""
    edit(here, BEHIND, REMOVE)
    evidence = deploy(context, Phase.ADD_NEW)
    assert not here.emulator.allowlist_history[-1].holds(OFFICE)
    assert here.phases == ["Succeeded"]
    assert evidence.external_changes == []
    assert here.live == {*OLD, *NEW}


def test_a_new_address_removed_after_our_deployment_is_added_again(
    here: World, context: TargetContext
) -> None:
    edit(here, BEHIND, {"remove": [NEW[0]]})
    deploy(context, Phase.ADD_NEW)
    assert here.live == {*OLD, *NEW}


@SLOW
def test_a_replaced_description_is_reported(here: World, context: TargetContext) -> None:
    edit(here, PENDING, DESCRIBE)
    with pytest.raises(ExternalChangeError, match="office and home"):
        deploy(context, Phase.ADD_NEW)


@SLOW
def test_an_entry_added_during_a_removal_is_restored(here: World, context: TargetContext) -> None:
    deploy(context, Phase.ADD_NEW)
    edit(here, PENDING, ADD)
    evidence = remove_old(context)
    assert entry(ADDED, "billing system") in entries(here.emulator)
    assert here.live == set(NEW)
    assert [each.restored for each in evidence.external_changes] == [True]


def test_a_removal_that_replaced_an_entry_is_done_and_reports_it(
    here: World, context: TargetContext
) -> None:
    deploy(context, Phase.ADD_NEW)
    edit(here, COMMIT, ADD)
    evidence = remove_old(context)
    assert here.live == set(NEW)
    assert [each.by for each in evidence.external_changes] == [COLLEAGUE]
    assert COLLEAGUE in reported_changes(context)


@SLOW
def test_no_old_address_is_added_again_after_its_removal(
    here: World, context: TargetContext
) -> None:
    deploy(context, Phase.ADD_NEW)
    edit(here, PENDING, {"add": [{"range": OLD[0], "description": "still used"}]})
    evidence = remove_old(context)
    assert here.live == set(NEW)
    assert not all(each.restored for each in evidence.external_changes)
    assert "still used" in reported_changes(context)


@SLOW
def test_a_removal_does_not_wait_for_an_org_that_cannot_restore_an_entry(
    here: World, context: TargetContext
) -> None:
    """The watch must start: old addresses are removed."""
    deploy(context, Phase.ADD_NEW)
    edit(here, PENDING, ADD)
    locked = {"kind": "org_locked", "operation": "deploy", "skip": 1, "count": None}
    here.emulator.set_fault(Fault.model_validate(locked))
    evidence = remove_old(context)
    assert here.live == set(NEW)
    assert evidence.changed  # the first attempt did it; a second one would find nothing to do
    assert not any(each.restored for each in evidence.external_changes)


def test_changes_by_others_never_fail_restoring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its window is known to a second, as no request precedes it."""
    with (
        world(tmp_path / "slow", Scenario(deploy_seconds=1.1)) as here,
        step_context(here, tmp_path, monkeypatch) as (context, *_),
    ):
        _restore_during_an_edit(here, context)


def _restore_during_an_edit(here: World, context: TargetContext) -> None:
    deploy(context, Phase.ADD_NEW)
    remove_old(context)
    edit(here, COMMIT, ADD)
    evidence = restore(context)
    assert here.live == {*OLD, *NEW}
    assert [each.by for each in evidence.external_changes] == [COLLEAGUE]


def test_a_deployment_of_another_component_is_not_reported(
    here: World, context: TargetContext
) -> None:
    settings = {"type": "ExtlClntAppOauthSettings", "add": [{"range": "192.0.2.201"}]}
    edit(here, COMMIT, settings, by="deploy")
    assert deploy(context, Phase.ADD_NEW).external_changes == []


def test_a_save_before_the_first_read_is_not_reported(here: World, context: TargetContext) -> None:
    edit(here, ADD)
    assert deploy(context, Phase.ADD_NEW).external_changes == []
    assert remove_old(context).external_changes == []


def test_a_phase_is_live_although_the_org_reports_nothing_about_others(
    here: World, context: TargetContext
) -> None:
    edit(here, COMMIT, ADD)  # the org reports only which one it is
    down = {"kind": "http_503", "operation": "query", "count": None, "skip": 1}
    here.emulator.set_fault(Fault.model_validate(down))
    evidence = deploy(context, Phase.ADD_NEW)
    assert (evidence.outcome, evidence.external_changes) == ("deployed", [])
    notes = [each.text("text") for each in context.memory.all("note")]
    assert any("could not be looked up" in each for each in notes)
