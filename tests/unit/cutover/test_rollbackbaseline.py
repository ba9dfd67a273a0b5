"""A rollback uses the recorded ranges, whatever cutover.yaml contains now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sfcutover.allowlist.baseline import baseline_documents
from sfcutover.allowlist.carriers import SECURITY_SETTINGS, TOKEN_IP_RANGES
from sfcutover.allowlist.component import Component
from sfcutover.allowlist.diff import RangeDocument
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.context import CommandControl, StepContext, TargetContext
from sfcutover.cutover.recordedbaselines import RecordedBaselines
from sfcutover.cutover.resources import Connections, Probes
from sfcutover.cutover.rollbackbaseline import (
    Baseline,
    baseline_for,
    plan_phase,
    require_same_old,
)
from sfcutover.errors import ConfigError, DriftError
from sfcutover.runs.baselinerecord import BaselineRecord
from sfcutover.runs.event import CommandLog
from sfcutover.salesforce.connection import connect
from tests.support import cutover_in


def record(old: str, new: str) -> BaselineRecord:
    return BaselineRecord(
        cutover="move",
        target="one",
        app="Acme",
        instance_url="https://acme.my.salesforce.com",
        organization_id="00D000000000001AAA",
        components=[],
        before_add_new=True,
        old=[RangeDocument(range=old)],
        new=[RangeDocument(range=new)],
        policies={},
        recorded=0.0,
        by="Casey",
    )


@pytest.fixture
def cutover(tmp_path: Path) -> Cutover:
    return cutover_in(tmp_path, "one")


def test_the_ranges_are_those_of_the_record(cutover: Cutover) -> None:
    baseline = Baseline.of_record(record("203.0.113.9", "198.51.100.9"), cutover)
    assert [str(each) for each in baseline.change.old] == ["203.0.113.9"]
    assert "198.51.100.9" in [str(each) for each in baseline.change.new]


@pytest.mark.parametrize("old", ["203.0.113.9", "203.0.113.1-203.0.113.2", "203.0.113.0"])
def test_old_ranges_that_differ_from_the_record_are_refused(cutover: Cutover, old: str) -> None:
    with pytest.raises(ConfigError, match=r"old: was .* and is 203\.0\.113\.1 now"):
        require_same_old(record(old, "198.51.100.1"), cutover)


def test_old_ranges_equal_to_the_recorded_ones_are_accepted(cutover: Cutover) -> None:
    require_same_old(record("203.0.113.1", "198.51.100.1"), cutover)


def test_old_ranges_that_grew_since_the_record_are_refused(tmp_path: Path) -> None:
    grown = cutover_in(tmp_path, "one", old=["203.0.113.1", "203.0.113.2"])
    with pytest.raises(ConfigError, match=r"old: was 203\.0\.113\.1 at .* and is .*203\.0\.113\.2"):
        require_same_old(record("203.0.113.1", "198.51.100.1"), grown)


# The recorded baseline, and one that the operator names


@pytest.fixture
def context(tmp_path: Path) -> Iterator[TargetContext]:
    cutover = cutover_in(tmp_path, "one", state={"url": f"sqlite:///{tmp_path}/state.db"})
    baselines = RecordedBaselines(cutover)
    yield StepContext(
        cutover,
        CommandLog(),
        CommandControl(),
        "rollback",
        "key",
        Probes(cutover),
        Connections(cutover),
        baselines,
    ).at(cutover.targets[0])
    baselines.close()


def found(context: TargetContext, phase: Phase, named: Baseline | None) -> Baseline | None:
    connection = connect(context.target, context.cutover)  # which asks the org nothing yet
    given = None if named is None else lambda _: named
    return baseline_for(context, connection, phase, Snapshot(()), given)


def named(context: TargetContext, *listed: str) -> Baseline:
    """A baseline of a file, whose list had these addresses."""
    entries = Allowlist(tuple(map(IpRange.parse, listed)))
    component = Component(SECURITY_SETTINGS, "Acme_sec", (), TOKEN_IP_RANGES, entries)
    return Baseline(Snapshot((component,)), context.cutover.change, {}, True, None, {}, "the plan")


def keep_record(context: TargetContext, baseline: Baseline) -> Baseline:
    """Record what the baseline holds."""
    documents = baseline_documents(baseline.snapshot, context.cutover.api_version)
    made = record("203.0.113.1", "198.51.100.1").model_copy(update={"components": documents})
    return Baseline.of_record(context.baselines.keep("one", lambda _: made), context.cutover)


@pytest.mark.parametrize("phase", [Phase.RESTORE_OLD, Phase.REMOVE_NEW])
def test_the_only_baseline_is_used(context: TargetContext, phase: Phase) -> None:
    file = named(context, "203.0.113.1")
    assert found(context, phase, None) is None
    assert found(context, phase, file) == file
    kept = keep_record(context, file)
    assert found(context, phase, None) == kept
    assert found(context, phase, file) == kept


def test_a_disagreement_stops_only_what_removes_new_addresses(context: TargetContext) -> None:
    kept = keep_record(context, named(context, "203.0.113.1"))
    other = named(context, "203.0.113.1", "198.51.100.1")
    with pytest.raises(DriftError):
        found(context, Phase.REMOVE_NEW, other)
    assert found(context, Phase.RESTORE_OLD, other) == kept
    (note,) = context.memory.all("note")
    assert note.text("text").endswith("the recorded baseline is used")


def test_only_a_rollback_is_planned_with_the_ranges_of_the_baseline(
    context: TargetContext,
) -> None:
    baseline = named(context, "203.0.113.9")
    change = replace(baseline.change, old=(IpRange.parse("203.0.113.9"),))
    baseline = replace(baseline, change=change)
    live = named(context, "198.51.100.1").snapshot

    def after(phase: Phase) -> list[str]:
        (component,) = plan_phase(context, phase, live, baseline).after.carriers
        return sorted(map(str, component.allowlist))

    assert after(Phase.RESTORE_OLD) == ["198.51.100.1", "203.0.113.9"]
    assert after(Phase.ADD_NEW) == ["198.51.100.1"]
