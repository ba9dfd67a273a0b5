"""What a run and others changed on the allowlists, from the journal."""

from __future__ import annotations

import pytest

from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.output.report.lists import holds
from sfcutover.output.report.render import changes
from tests.unit.output.report.stories import document, done, removed_by_hand, rolled_back
from tests.unit.output.report.story import (
    NEW,
    NOON,
    OLD,
    TARGET,
    Story,
    deployed,
    hashed,
    phase_document,
    proof,
)


def test_each_phase_is_listed_once_with_the_time_it_became_live() -> None:
    phases = document(done()).phases
    assert [(each.phase, each.live, each.deployments) for each in phases] == [
        ("add-new", "2026-11-23T12:00:09.000Z", ["0Afaddpackaging"]),
        ("remove-old", "2026-11-23T12:01:06.000Z", ["0Afrempackaging"]),
    ]
    assert [each.range for each in phases[0].components[0].added] == list(NEW)
    assert [each.range for each in phases[1].components[0].removed] == list(OLD)


def test_a_phase_that_is_planned_again_after_a_crash_is_listed_once() -> None:
    story = Story()
    story.start()
    story.step("add-new", 5, target=TARGET)
    story.plan("add-new", 6)
    story.send("add-new", 7, done=False)
    story.tell(30, "run-resumed", place="elsewhere")
    story.step("add-new", 31, target=TARGET)
    story.plan("add-new", 32, changed=False)
    story.end_step("add-new", 33, TARGET, deployed("add-new", OLD + NEW, changed=False))
    (phase,) = document(story).phases
    assert (phase.changed, phase.deployments) == (True, ["0Afaddpackaging"])
    assert phase.live == "2026-11-23T12:00:33.000Z"
    first, second = document(story).steps
    assert (first.attempt, first.interrupted, first.ended) == (1, 1, None)
    assert (second.attempt, second.done, second.started) == (2, 1, "2026-11-23T12:00:31.000Z")


def test_a_phase_that_changes_nothing_is_marked_as_unchanged() -> None:
    story = Story()
    story.start()
    story.step("add-new", 5, target=TARGET)
    story.plan("add-new", 6, changed=False)
    story.end_step("add-new", 7, TARGET, deployed("add-new", OLD + NEW, changed=False))
    assert [each.changed for each in document(story).phases] == [False]


def test_a_phase_that_was_never_read_back_is_not_live() -> None:
    story = Story()
    story.start()
    story.step("add-new", 5, target=TARGET)
    story.plan("add-new", 6)
    story.send("add-new", 7)
    story.end_step("add-new", 9, TARGET, problem="the change did not take effect")
    found = document(story)
    assert [each.live for each in found.phases] == [None]
    assert found.steps[0].problems == ["packaging: the change did not take effect"]


def test_an_earlier_read_back_does_not_make_a_later_plan_live() -> None:
    story = done()
    again = phase_document("add-new").model_copy(update={"package_sha256": "another"})
    story.tell(128, "planned", "add-new", TARGET, phase=again.model_dump(mode="json"))
    assert [each.live is not None for each in document(story).phases] == [True, True, False]


def test_a_canceled_step_has_read_nothing_back() -> None:
    story = Story()
    story.start()
    story.deploy("add-new", 5, OLD + NEW)
    story.plan("remove-old", 20)
    story.cancel_step("remove-old", 21)
    assert [each.live is not None for each in document(story).phases] == [True, False]


def test_restoring_within_the_watch_is_a_phase() -> None:
    found = document(rolled_back())
    assert [each.phase for each in found.phases] == ["add-new", "remove-old", "restore-old"]
    assert found.phases[2].live == "2026-11-23T12:01:40.000Z"
    assert [each.name for each in found.boundaries][-2:] == ["rollback", "old restored"]
    (target,) = found.targets
    assert (target.old, target.new) == ("all", "some")


@pytest.mark.parametrize(
    ("live", "state"), [(OLD, "all"), (OLD[:1], "some"), (NEW, "none"), ((), "none")]
)
def test_the_share_of_old_and_new_addresses_on_a_list(live: tuple[str, ...], state: str) -> None:
    ranges = tuple(map(IpRange.parse, live))
    assert holds(Allowlist(ranges), tuple(map(IpRange.parse, OLD))) == state


def test_a_plan_that_was_sent_only_after_a_crash_has_its_deployment() -> None:
    story = Story()
    story.start()
    story.plan("add-new", 6)
    story.tell(30, "run-resumed", place="elsewhere")
    story.deploy("add-new", 31, OLD + NEW)
    (phase,) = document(story).phases
    assert (phase.deployments, phase.found) == (["0Afaddpackaging"], False)


def test_a_removal_by_another_user_is_not_attributed_to_the_run() -> None:
    found = document(removed_by_hand())
    (sentence,) = found.unproven
    assert sentence.startswith("203.0.113.10, 203.0.113.11: these old addresses were removed")
    assert (
        "the allowlist of packaging by another user, between 12:00:26Z" in sentence
    )  # as verified
    assert "12:01:34Z, when it read it without them" in sentence
    assert "not by this run, and not under its approval" in sentence
    add, remove = found.phases
    assert (add.found, remove.found) == (False, True)
    assert found.boundaries[-1].name == "remove-old already done"
    assert [each.found for each in changes(found)] == [False, True]


def test_without_a_proof_of_the_same_list_the_last_read_back_counts() -> None:
    story = removed_by_hand()
    story.events = [each for each in story.events if each.step != "verify"]
    story.prove("verify", 26, lists=hashed(NEW))
    assert "between 12:00:09Z" in document(story).unproven[0]


def test_a_proof_made_by_the_removal_step_is_a_reading_of_the_list() -> None:
    """The step remove-old proves the addresses again if its proof is stale."""
    story = removed_by_hand()
    made = proof(TARGET, NOON + 50, {"lists": hashed(OLD + NEW)})
    story.tell(52, "proven", "remove-old", TARGET, evidence=made)
    assert "between 12:00:50Z" in document(story).unproven[0]


def test_a_removal_sent_before_a_crash_is_attributed_to_the_run() -> None:
    story = removed_by_hand()
    story.step("remove-old", 91, target=TARGET)
    story.plan("remove-old", 91.2)
    story.send("remove-old", 91.4, done=False)
    found = document(story)
    assert not any("by another user" in each for each in found.unproven)
    assert [each.found for each in found.phases] == [False, False]
    assert found.boundaries[-1].name == "remove-old live"


@pytest.mark.parametrize(("seen", "mine"), [(True, False), (False, True)])
def test_a_removal_with_an_unknown_result_may_be_of_the_run(seen: bool, mine: bool) -> None:
    """Unless the org is known never to have received it."""
    story = removed_by_hand()
    story.plan("remove-old", 91.2)
    story.tell(91.3, "deployment-sending", "remove-old", TARGET, phase="remove-old", latest=None)
    if seen:
        story.tell(91.4, "deployment-never-received", "remove-old", TARGET, phase="remove-old")
    found = document(story)
    assert any("by another user" in each for each in found.unproven) is not mine
    assert found.boundaries[-1].name == f"remove-old {'live' if mine else 'already done'}"


def test_the_rest_of_a_removal_by_others_is_attributed_to_the_run() -> None:
    """Another user removed one address; the run's plan names only the other one."""
    story = done()
    for event in story.events:
        phase = event.data.get("phase")
        if event.kind == "planned" and event.step == "remove-old" and isinstance(phase, dict):
            phase["components"][0]["removed"] = [{"range": OLD[1], "description": None}]
    (sentence,) = document(story).unproven
    assert sentence.startswith("203.0.113.10: this old address was removed")


def test_each_of_two_carriers_is_compared() -> None:
    """One list never held an old address; it does not hide the state of the other."""
    story = removed_by_hand()
    ranges = [{"range": each, "description": None} for each in NEW]
    other = {"path": "another", "carrier": "trusted-ip-ranges", "ranges": ranges}
    for event in story.events:
        evidence = event.data.get("evidence")
        if isinstance(evidence, dict) and "live" in evidence:
            evidence["live"].insert(0, other)
    (sentence,) = document(story).unproven
    assert sentence.startswith("203.0.113.10, 203.0.113.11: these old addresses were removed")


def test_old_addresses_that_were_never_on_the_list_are_named() -> None:
    story = done()
    for event in story.events:
        evidence = event.data.get("evidence")
        if event.step in ("snapshot", "add-new") and isinstance(evidence, dict):
            evidence["live"][0]["ranges"] = [{"range": each, "description": None} for each in NEW]
    (sentence,) = document(story).unproven
    assert (
        "were not on the allowlist of packaging when this run first read it, at 12:00:04Z"
        in sentence
    )
