"""The allowlists before and after a run."""

from __future__ import annotations

from sfcutover.allowlist.diff import RangeDocument
from sfcutover.output.report.beforeafter import ReportListDocument, alike
from tests.support import SECURITY_PATH
from tests.unit.output.report.stories import document, done, rolled_back
from tests.unit.output.report.story import NEW, OLD, Story


def entry(text: str, description: str | None = None) -> RangeDocument:
    return RangeDocument(range=text, description=description)


def compared(before: list[RangeDocument] | None, after: list[RangeDocument]) -> ReportListDocument:
    return ReportListDocument(
        path=SECURITY_PATH, carrier="token-ip-ranges", ranges=after, before=before
    )


def test_every_entry_is_shown_once_in_place_with_its_change() -> None:
    before = [entry("192.0.2.1", "a"), entry("192.0.2.2"), entry("192.0.2.3", "VPN")]
    after = [entry("192.0.2.1", "b"), entry("192.0.2.3", "VPN"), entry("192.0.2.4", "new")]
    rows = compared(before, after).rows
    assert [(row.change, row.entry.range, row.entry.description) for row in rows] == [
        ("described", "192.0.2.1", "b"),
        ("removed", "192.0.2.2", None),
        ("kept", "192.0.2.3", "VPN"),
        ("added", "192.0.2.4", "new"),
    ]
    assert [row.description_before for row in rows] == ["a", None, None, None]


def test_a_duplicate_entry_is_removed_once() -> None:
    rows = compared([entry("192.0.2.1"), entry("192.0.2.1")], [entry("192.0.2.1")]).rows
    assert [row.change for row in rows] == ["removed", "kept"]


def test_a_list_without_an_earlier_reading_states_no_change() -> None:
    assert [row.change for row in compared(None, [entry("192.0.2.1")]).rows] == ["unknown"]


def test_before_is_the_first_reading_and_after_the_last() -> None:
    (found,) = document(rolled_back()).targets[0].lists
    assert [each.range for each in found.before or []] == [*OLD]
    assert [each.range for each in found.ranges] == [NEW[0], *OLD]


def test_a_run_without_a_reading_has_no_lists() -> None:
    story = Story()
    story.start()
    assert document(story).targets[0].lists == []


def test_equal_lists_of_many_targets_are_shown_once() -> None:
    targets = document(done(("one", "two", "three"))).targets
    (group,) = alike((each.name, one) for each in targets for one in each.lists)
    assert group.targets == ["one", "two", "three"]
