"""The sentences about what a run leaves unproven."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from sfcutover.output.report.limitations import names_of
from tests.unit.output.report.stories import (
    canary_only,
    document,
    done,
    failed,
    rolled_back,
    waiting,
)
from tests.unit.output.report.story import NEW, NOON, OLD, Story


def with_blocked_new(story: Story) -> None:
    story.traffic([131], NEW[1], "blocked", count=3)


def with_blocked_old(story: Story) -> None:
    story.traffic([100], OLD[0], "blocked", count=1)


def with_old_still_allowed(story: Story) -> None:
    story.traffic([100], OLD[0])


def with_confidence(story: Story) -> None:
    story.prove("verify", 28, proof="confidence", uncertain=["21 succeeded in a row"])


def with_a_gap(story: Story) -> None:
    story.events = [each for each in story.events if each.step != "watch"]
    story.watch(70, (0, 10, 55, 60))


def with_a_late_watch(story: Story) -> None:
    story.events = [each for each in story.events if each.step != "watch"]
    story.watch(70, (40, 50, 60))


def with_a_watch_cut_short(story: Story) -> None:
    story.events = [each for each in story.events if each.step != "watch"]
    story.watch(70, (0, 10), outcome=None)


def without_a_rollback_path(story: Story) -> None:
    doubt = "no proven rollback path for traffic: the old egress: 203.0.113.11 was not observed"
    story.step("probe", 2, 3, evidence={"no_way_back": doubt})


def without_a_watch(story: Story) -> None:
    story.events = [each for each in story.events if each.step != "watch"]


def with_a_lost_deployment(story: Story) -> None:
    story.send("restore-old", 120, done=False)


def without_traffic(story: Story) -> None:
    story.events = [each for each in story.events if each.kind != "traffic"]


def without_proofs(story: Story) -> None:
    story.events = [each for each in story.events if "verify" not in (each.step or "")]


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (with_blocked_new, "3 redemptions from 198.51.100.21 on packaging were blocked, the last"),
        (with_blocked_old, "1 redemption from 203.0.113.10 on packaging was blocked"),
        (
            with_old_still_allowed,
            "from 203.0.113.10 on packaging succeeded until 12:01:40Z",
        ),
        (with_confidence, "packaging: 21 succeeded in a row."),
        (with_a_gap, "plans a round every 10 s, but had none for 45 s of its 1 min"),
        (with_a_late_watch, "had none for 40 s of its 1 min"),
        (with_a_watch_cut_short, "The watch of packaging did not finish: the run ended first."),
        (
            without_a_rollback_path,
            "No proven rollback path for traffic: the old egress: 203.0.113.11 was not observed, "
            "when",
        ),
        (without_a_watch, "After remove-old, packaging was not watched"),
        (with_a_lost_deployment, "sfcutover deployment report 0Afrespackaging"),
        (without_traffic, "LoginHistory of packaging showed no redemption"),
        (without_proofs, "No redemption of this run proved an address"),
    ],
)
def test_a_limitation_is_one_sentence(happens: Callable[[Story], None], words: str) -> None:
    story = done()
    happens(story)
    assert any(words in sentence for sentence in document(story).unproven), document(story).unproven
    assert len(document(story).unproven) == 1


def test_redemptions_of_the_canary_alone_are_not_customer_traffic() -> None:
    found = document(canary_only())
    assert found.canary.model_dump() == {"redeemed": 11, "in_login_history": True, "refused": 0}
    assert found.unproven == [
        "LoginHistory of packaging shows 11 redemptions through the new addresses, no more than "
        "this run's own canary made (11): nothing shows that customers' traffic has moved."
    ]


def test_what_the_quiet_checks_have_shown_is_named() -> None:
    story = canary_only()
    quiet = "requests through the old proxy passed for 30 s (= 0)"
    for event in story.events:
        if (event.kind, event.step) == ("step-ended", "remove-old"):
            event.data["evidence"] = {**story_evidence(event.data), "quiet": quiet}
    assert document(story).unproven == [
        "LoginHistory of packaging shows 11 redemptions through the new addresses, no more than "
        "this run's own canary made (11): that customers have left the old addresses rests on the "
        f"quiet checks: {quiet}."
    ]


def story_evidence(data: Mapping[str, object]) -> dict[str, object]:
    found = data["evidence"]
    assert isinstance(found, dict)
    return found


def test_a_redemption_beyond_those_of_the_canary_is_of_a_customer() -> None:
    story = canary_only()
    story.traffic([75], NEW[0], count=1)
    assert document(story).unproven == []


def test_a_canary_that_login_history_does_not_name_is_not_taken_for_a_customer() -> None:
    story = canary_only()
    for step, at in (("verify-new", 13), ("verify", 27)):
        story.events = [each for each in story.events if each.step != step]
        story.prove(step, at, proof="proxy-per-address")
    found = document(story)
    assert found.canary.in_login_history is False
    assert found.unproven == []


def test_redemptions_from_old_addresses_alone_prove_no_move() -> None:
    story = done()
    story.events = [each for each in story.events if each.kind != "traffic"]
    story.traffic(range(0, 23), OLD[0])
    (moved,) = [each for each in document(story).unproven if "has moved" in each]
    assert moved.startswith("LoginHistory of packaging shows no redemption through a new address")


def test_the_targets_of_one_org_are_counted_together() -> None:
    story = done(("one", "two"))
    story.events = [each for each in story.events if each.kind != "traffic"]
    for event in story.events:
        evidence = event.data.get("evidence")
        if event.step == "snapshot" and isinstance(evidence, dict):
            evidence["instance_url"] = "https://one.my.salesforce.com"
    story.traffic(range(100, 122), NEW[0], target="one", count=1)
    (sentence,) = document(story).unproven
    assert "of one and two shows 22 redemptions" in sentence
    assert "canary made (22)" in sentence


def test_before_the_switch_no_traffic_is_expected_to_have_moved() -> None:
    assert not any("has moved" in each for each in document(waiting()).unproven)


def test_a_rolled_back_run_names_addresses_without_a_redemption_since() -> None:
    story = rolled_back()
    story.traffic(range(101, 108), OLD[0])
    restored = [each for each in document(story).unproven if "restored" in each]
    assert restored == [
        "203.0.113.11: restored on the allowlist of packaging at 12:01:40Z, and LoginHistory shows "
        "no redemption from there since: nothing shows that customers can redeem again."
    ]
    story.traffic([100], OLD[1])  # in the same second: before, it was not listed
    assert not any("restored" in each for each in document(story).unproven)


def test_a_redemption_before_an_address_was_restored_does_not_count() -> None:
    story = rolled_back()
    for number in range(5):
        story.traffic([105], f"192.0.2.{number}")  # others, which have one row
    (sentence,) = [each for each in document(story).unproven if "restored" in each]
    assert sentence.startswith(f"{OLD[0]}, {OLD[1]}: restored on the allowlist")


def test_a_redemption_in_the_second_of_the_removal_may_be_from_before() -> None:
    story = done()
    story.traffic([67], OLD[0])  # LoginTime has whole seconds; remove-old ended at 66
    assert document(story).unproven == []


@pytest.mark.parametrize("story", [failed(), rolled_back()])
def test_an_unfinished_run_always_has_limitations(story: Story) -> None:
    assert document(story).unproven[0].startswith("The run is not done (")


def test_a_running_watch_has_not_proven_anything() -> None:
    story = done()
    with_a_watch_cut_short(story)
    story.events = [each for each in story.events if each.kind != "run-ended"]
    story.ended = story.outcome = None
    unproven = document(story, now=140, place="here").unproven
    assert unproven[1:] == ["The watch of packaging has not ended; it is to last until 12:02:10Z."]


def test_a_refusing_org_is_not_hidden_by_the_others() -> None:
    story = done(("one", "two"))
    story.traffic(range(124, 129), NEW[0], "blocked", target="two")
    story.events = [
        each
        for each in story.events
        if not (each.target == "two" and each.kind == "traffic" and each.time == NOON + 131)
    ]
    story.traffic(range(23, 124), NEW[0], target="two")
    (sentence,) = document(story).unproven
    assert "from 198.51.100.20 on two were blocked" in sentence


def test_many_targets_are_abbreviated_to_the_first() -> None:
    assert names_of(["a"]) == "a"
    assert names_of(["a", "b", "a"]) == "a and b"
    assert names_of("abcdef") == "a, b, c, d, e and f"
    assert names_of("abcdefghij") == "a, b, c, d, e and 5 more"


def test_no_run_proves_enforcement() -> None:
    assert any("what the org has stored" in each for each in document(done()).limits)
