"""Redemptions by source address."""

from __future__ import annotations

from tests.unit.output.report.stories import document, done


def test_an_org_with_two_targets_is_counted_once() -> None:
    story = done(("one", "two"))
    both = document(story)
    urls = {"one": "https://one.my.salesforce.com", "two": "https://one.my.salesforce.com"}
    for event in story.events:
        evidence = event.data.get("evidence")
        if event.step == "snapshot" and isinstance(evidence, dict):
            evidence["instance_url"] = urls[event.target or ""]
    once = document(story)
    assert [each.redeemed for each in once.traffic] == [each.redeemed // 2 for each in both.traffic]
    assert once.unproven == []
