"""A rollback uses the recorded ranges, whatever cutover.yaml contains now."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfcutover.allowlist.diff import RangeDocument
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.rollbackbaseline import Baseline, require_same_old
from sfcutover.errors import ConfigError
from sfcutover.runs.baselinerecord import BaselineRecord
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
