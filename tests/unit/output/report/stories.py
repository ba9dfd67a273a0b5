"""Artificial runs for the tests of reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from sfcutover.output.report.report import Report, ReportDocument
from tests.unit.output.report.story import NEW, NOON, OLD, TARGET, Given, Story, hashed


def done(targets: Sequence[str] = (TARGET,)) -> Story:
    """A successful run: 4 minutes, with traffic that moves at the switch."""
    story = Story(targets)
    story.start()
    story.step("probe", 1, 2)
    for name in targets:
        story.snapshot(3, name)
        story.deploy("add-new", 5, OLD + NEW, name)
        story.prove("verify-new", 12, name)
    story.step("switch", 20, 24)
    for name in targets:
        story.prove("verify", 26, name)
    story.step("settle", 30, 60)
    story.tell(61, "wave", number=1, targets=list(targets))
    for name in targets:
        story.deploy("remove-old", 62, NEW, name)
        story.watch(70, range(0, 61, 10), name)
        for old, new in zip(OLD, NEW, strict=True):
            story.traffic(range(0, 23), old, target=name)
            story.traffic(range(23, 130), new, target=name)
    story.end(132)
    return story


def rolled_back() -> Story:
    """A run whose watch observed a blocked new address and restored the old ones."""
    story = Story()
    story.start()
    story.snapshot(3)
    story.deploy("add-new", 5, OLD + NEW)
    story.prove("verify-new", 12)
    story.step("switch", 20, 24)
    story.prove("verify", 26)
    story.tell(61, "wave", number=1, targets=[TARGET])
    story.deploy("remove-old", 62, NEW)
    story.watch(70, (0, 10, 20), outcome=None)
    story.tell(95, "rolling-back", "watch", TARGET, reason="canary redemption failed, 2 times")
    story.end_step("watch", 95, TARGET, {"outcome": "rolled-back", "reasons": ["refused"]})
    story.deploy("restore-old", 96, (NEW[0], *OLD))
    story.traffic(range(0, 23), OLD[0])
    story.traffic(range(23, 110), NEW[0])
    story.traffic(range(23, 80), NEW[1])
    story.traffic(range(80, 110), NEW[1], "blocked")
    story.end(112, "rolled-back", "remove-old: packaging: the watch rolled back")
    return story


def removed_by_hand() -> Story:
    """A run that waited before remove-old, and then found that another user had done it."""
    story = Story(pause_before=("remove-old",))
    story.start()
    story.snapshot(3)
    story.deploy("add-new", 5, OLD + NEW)
    story.step("switch", 20, 24)
    story.prove("verify", 26, lists=hashed(OLD + NEW))
    message = "the next step is remove-old"
    story.tell(61, "paused", "remove-old", pause=1, reason="pause-before", message=message, next="")
    story.tell(90, "approved", "remove-old", pause=1, who="ann", time=NOON + 90, note="CHG-1")
    story.tell(91, "wave", number=1, targets=[TARGET])
    story.find("remove-old", 92, NEW)
    story.watch(96, range(0, 61, 10))
    for old, new in zip(OLD, NEW, strict=True):
        story.traffic(range(0, 23), old)
        story.traffic(range(23, 156), new)
    story.end(158)
    return story


def failed() -> Story:
    """A run that ended at its first step."""
    story = Story()
    story.start()
    story.step("probe", 1, 2, problem="the proxy answers 407")
    story.end(3, "failed", "the proxy answers 407")
    return story


def canary_only() -> Story:
    """A successful run in which only its own canary redeemed: no customer moved."""
    story = done()
    story.events = [each for each in story.events if each.kind != "traffic"]
    story.traffic([2, 9], OLD[0], count=1)
    story.traffic([13, 26, 70, 90, 110, 130], NEW[0], count=1)
    story.traffic([13, 26, 80, 100, 120], NEW[1], count=1)
    return story


def waiting() -> Story:
    story = Story(pause_before=("switch",))
    story.start()
    story.snapshot(3)
    story.deploy("add-new", 5, OLD + NEW)
    story.prove("verify-new", 12)
    story.tell(
        20,
        "paused",
        "switch",
        pause=4,
        reason="pause-before",
        message="the next is switch",
        next="",
    )
    story.traffic(range(0, 18), OLD[0])
    return story


def document(story: Story, **given: Unpack[Given]) -> ReportDocument:
    """The report's document of a run."""
    return Report.of(story.data(**given)).document
