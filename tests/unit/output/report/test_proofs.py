"""The deployments and the canary of a run, from its journal."""

from __future__ import annotations

from tests.unit.output.report.stories import document, done, rolled_back
from tests.unit.output.report.story import TARGET, Story


def test_equal_deployment_ids_of_two_targets_are_distinguished() -> None:
    story = Story(("one", "two"))
    story.start()
    for at, name in ((5, "one"), (15, "two")):
        story.tell(at, "deployment-sent", "add-new", name, phase="add-new", id="0Af1")
    story.tell(16, "deployment-progress", "add-new", "two", id="0Af1", status="Failed", done=True)
    one, two = document(story).deployments
    assert (one.status, one.ended, two.status) == ("Pending", None, "Failed")
    assert two.ended == "2026-11-23T12:00:16.000Z"


def test_the_redemption_through_the_old_egress_counts_for_the_canary() -> None:
    story = rolled_back()
    before = document(story).canary.redeemed
    for at in (108, 109):
        story.tell(at, "canary-redeemed", "prove-old")
    story.step("prove-old", 108, 109, evidence={"via": "old", "redemptions": 2})
    assert document(story).canary.redeemed == before + 2


def test_a_failed_watch_reports_the_reason() -> None:
    story = done()
    story.end_step("watch", 131, TARGET, problem="the canary's token is refused")
    (watch,) = document(story).watches
    assert watch.outcome == "the canary's token is refused"
