"""The baseline records that steps share: what they add is there for every later process."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfcutover.config.cutover import Cutover
from sfcutover.cutover.recordedbaselines import RecordedBaselines
from sfcutover.runs.baselinerecord import BaselineRecord
from tests.support import cutover_in
from tests.unit.cutover.test_rollbackbaseline import record


@pytest.fixture
def cutover(tmp_path: Path) -> Cutover:
    return cutover_in(tmp_path, "one", state={"url": f"sqlite:///{tmp_path}/state.db"})


def found_later(cutover: Cutover) -> BaselineRecord | None:
    """The record as another process finds it."""
    baselines = RecordedBaselines(cutover)
    try:
        return baselines.find("one")
    finally:
        baselines.close()


def test_removals_and_the_switch_are_added_to_the_record(cutover: Cutover) -> None:
    baselines = RecordedBaselines(cutover)
    made = baselines.keep("one", lambda _: record("203.0.113.1", "198.51.100.1"))
    baselines.note_removal("one", "0Af1")
    baselines.note_removal("one", "0Af2")
    baselines.note_switch("one", 1_800_000_000.0)
    baselines.close()
    added = {"removals": ["0Af1", "0Af2"], "switched": 1_800_000_000.0}
    assert found_later(cutover) == made.model_copy(update=added)


def test_nothing_is_added_where_there_is_no_record(cutover: Cutover) -> None:
    baselines = RecordedBaselines(cutover)
    baselines.keep("another", lambda _: record("203.0.113.1", "198.51.100.1"))
    baselines.note_removal("one", "0Af1")
    baselines.close()
    assert found_later(cutover) is None


def test_what_was_found_last_is_used_where_the_state_does_not_answer(
    cutover: Cutover, tmp_path: Path
) -> None:
    baselines = RecordedBaselines(cutover)
    made = baselines.keep("one", lambda _: record("203.0.113.1", "198.51.100.1"))
    assert baselines.find_soon("one") == made
    assert baselines.find_soon("another") is None
    for each in tmp_path.glob("state.db*"):
        each.write_bytes(b"no database" * 1000)
    assert baselines.find_soon("one") == made
    assert baselines.find_soon("another") is None
    baselines.close()
