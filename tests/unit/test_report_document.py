"""What the report says of a run: from its journal to the document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import pytest

from sfcutover.allowlist.carriers import CARRIERS
from sfcutover.allowlist.component import Component
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.evidence import list_hashes
from sfcutover.documents.reports import ReportDocument
from sfcutover.report.changes import changes, fullest
from sfcutover.report.document import Report
from sfcutover.report.facts import names_of
from sfcutover.report.looks import hashes
from sfcutover.report.rules import holds
from sfcutover.runs.store import Request
from tests.support import SECURITY_NAME, SECURITY_PATH
from tests.unit.reporting import (
    NEW,
    NOON,
    OLD,
    TARGET,
    Given,
    Story,
    canary_only,
    done,
    failed,
    hashed,
    removed_by_hand,
    rolled_back,
)

CANCEL = Request("cancel", None, "jo", "wrong window", NOON + 70)


def document(story: Story, **given: Unpack[Given]) -> ReportDocument:
    return Report.of(story.facts(**given)).document


def waiting() -> Story:
    story = Story(pause_before=("switch",))
    story.begin()
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


# The verdict


def test_a_run_that_is_done_says_so() -> None:
    found = document(done())
    assert (found.verdict.state, found.verdict.title) == ("done", "Done")
    assert (found.verdict.message, found.verdict.tokens) == ("it is done", "fine")
    assert "change record" in found.verdict.next
    assert found.unproven == []
    assert found.seconds == 132


def test_a_run_that_was_rolled_back_says_why_and_what_next() -> None:
    verdict = document(rolled_back()).verdict
    assert (verdict.state, verdict.title, verdict.next) == ("rolled-back", "Rolled back", "x")
    assert "the watch rolled back" in verdict.message


def test_a_run_that_waits_says_for_what_and_how_to_go_on() -> None:
    found = document(waiting())
    assert found.verdict.state == "waiting"
    assert found.verdict.message == "switch: the next is switch"
    assert "sfcutover approve move.1" in found.verdict.next
    assert "stay as they are" in found.verdict.tokens
    assert [(each.decision, each.step, each.who) for each in found.decisions] == [
        ("open", "switch", None)
    ]
    assert found.unproven[0].startswith("The run has not ended")


def test_an_approval_that_nobody_has_gone_on_with_is_told() -> None:
    approval = Request("approve", 9, "ann", "CHG-1", NOON + 90)
    found = document(waiting(), approval=approval)
    assert "ann has approved it" in found.verdict.message
    assert found.verdict.next == "go on with it: sfcutover run"
    assert [(each.decision, each.who, each.note) for each in found.decisions] == [
        ("approved", "ann", "CHG-1")
    ]


def test_a_run_under_way_names_its_step_and_its_place() -> None:
    story = waiting()
    story.tell(30, "approved", "switch", pause=4, who="ann", time=NOON + 30, note="go")
    story.step("switch", 31)
    here = document(story, place="host, process 7")
    assert (here.verdict.state, here.verdict.message) == ("running", "switch, at host, process 7")
    assert here.verdict.next == "follow it: sfcutover runs move.1 --follow"
    left = document(story)
    assert (left.verdict.state, left.verdict.message) == ("left", "it was left at: switch")
    assert "as the last finished step left it" in left.verdict.tokens


def test_a_rollback_under_way_is_said_to_be_dangerous() -> None:
    story = done()
    story.events = [each for each in story.events if each.time < NOON + 75]
    story.ended = story.outcome = None
    story.tell(80, "rolling-back", "watch", TARGET, reason="refused")
    assert "customers may be locked out" in document(story).verdict.tokens


def test_a_person_who_is_needed_is_called_at_the_top() -> None:
    story = rolled_back()
    story.tell(111, "page", "page", message="traffic has to go back", commands=["a b", "c"])
    page = document(story).verdict.page
    assert page is not None
    assert (page.message, page.commands) == ("traffic has to go back", ["a b", "c"])
    assert document(rolled_back()).verdict.page is None


def test_a_run_without_a_single_event_has_a_report() -> None:
    found = document(Story())
    assert found.verdict.state == "left"
    assert (found.targets, found.phases, found.proofs) == ([], [], [])


# Who approved


def test_an_approval_has_its_question_and_its_note() -> None:
    story = waiting()
    story.tell(30, "approved", "switch", pause=4, who="ann", time=NOON + 30, note="CHG-4711")
    (decision,) = document(story).decisions
    assert (decision.decision, decision.who, decision.note) == ("approved", "ann", "CHG-4711")
    assert (decision.asked, decision.decided) == (
        "2026-11-23T12:00:20.000Z",
        "2026-11-23T12:00:30.000Z",
    )


def test_a_cancellation_has_its_author() -> None:
    (asked,) = document(waiting(), cancellation=CANCEL).decisions
    assert (asked.decision, asked.who, asked.note) == ("canceled", "jo", "wrong window")
    (unasked,) = document(done(), cancellation=CANCEL).decisions
    assert (unasked.decision, unasked.asked, unasked.who) == ("canceled", None, "jo")


# What changed


def test_each_phase_stands_once_with_when_it_was_live() -> None:
    phases = document(done()).phases
    assert [(each.phase, each.live, each.deployments) for each in phases] == [
        ("add-new", "2026-11-23T12:00:09.000Z", ["0Afaddpackaging"]),
        ("remove-old", "2026-11-23T12:01:06.000Z", ["0Afrempackaging"]),
    ]
    assert [each.range for each in phases[0].components[0].added] == list(NEW)
    assert [each.range for each in phases[1].components[0].removed] == list(OLD)


def test_a_phase_that_is_planned_again_after_a_crash_is_the_same() -> None:
    story = Story()
    story.begin()
    story.step("add-new", 5, target=TARGET)
    story.plan("add-new", 6)
    story.send("add-new", 7, done=False)
    story.tell(30, "run-resumed", place="elsewhere")
    story.step("add-new", 31, target=TARGET)
    story.plan("add-new", 32, changed=False)
    story.end_step("add-new", 33, TARGET, {"phase": "add-new", "changed": False})
    (phase,) = document(story).phases
    assert (phase.changed, phase.deployments) == (True, ["0Afaddpackaging"])
    assert phase.live == "2026-11-23T12:00:33.000Z"
    (step,) = document(story).steps
    assert (step.tries, step.done) == (2, 1)


def test_what_was_so_already_is_told_as_such() -> None:
    story = Story()
    story.begin()
    story.step("add-new", 5, target=TARGET)
    story.plan("add-new", 6, changed=False)
    story.end_step("add-new", 7, TARGET, {"phase": "add-new", "changed": False})
    assert [each.changed for each in document(story).phases] == [False]


def test_a_phase_that_was_never_read_back_is_not_live() -> None:
    story = Story()
    story.begin()
    story.step("add-new", 5, target=TARGET)
    story.plan("add-new", 6)
    story.send("add-new", 7)
    story.end_step("add-new", 9, TARGET, problem="it did not take")
    found = document(story)
    assert [each.live for each in found.phases] == [None]
    assert found.steps[0].problems == ["packaging: it did not take"]


def test_putting_back_within_the_watch_is_a_phase_too() -> None:
    found = document(rolled_back())
    assert [each.phase for each in found.phases] == ["add-new", "remove-old", "restore-old"]
    assert found.phases[2].live == "2026-11-23T12:01:40.000Z"
    assert [each.name for each in found.boundaries][-2:] == ["rollback", "old back on the list"]
    (target,) = found.targets
    assert (target.old, target.new) == ("all", "some")


def test_the_same_change_on_many_targets_is_told_once() -> None:
    names = [f"org-{number}" for number in range(20)]
    found = document(done(names))
    fuller = found.phases[3].components[0].capacity.model_copy(update={"ranges": 90})
    component = found.phases[3].components[0].model_copy(update={"capacity": fuller})
    found.phases[3] = found.phases[3].model_copy(update={"components": [component]})
    add, remove = changes(found)
    assert [each.capacity.ranges for each in add.targets][2:5] == [5, 90, 5]
    assert (add.phase, [each.name for each in add.targets]) == ("add-new", names)
    assert (remove.phase, len(remove.targets)) == ("remove-old", 20)
    assert len(found.deployments) == 40
    room = fullest(found)
    assert room is not None
    assert (room.ranges, room.addresses) == (90, 12)
    assert [each.targets for each in found.steps if each.step == "add-new"] == [20]


def test_ids_are_told_apart_by_target() -> None:
    story = Story(("one", "two"))
    story.begin()
    for at, name in ((5, "one"), (15, "two")):
        story.tell(at, "deployment-sent", "add-new", name, phase="add-new", id="0Af1")
    story.tell(16, "deployment-progress", "add-new", "two", id="0Af1", status="Failed", done=True)
    one, two = document(story).deployments
    assert (one.status, one.ended, two.status) == ("Pending", None, "Failed")
    assert two.ended == "2026-11-23T12:00:16.000Z"


@pytest.mark.parametrize(
    ("live", "state"), [(OLD, "all"), (OLD[:1], "some"), (NEW, "none"), ((), "none")]
)
def test_how_much_of_a_side_a_list_holds(live: tuple[str, ...], state: str) -> None:
    ranges = tuple(map(IpRange.parse, live))
    assert holds(Allowlist(ranges), tuple(map(IpRange.parse, OLD))) == state


def test_waves_are_told_apart() -> None:
    names = [f"org-{number}" for number in range(7)]
    story = done(names)
    story.events = [each for each in story.events if each.kind != "wave"]
    story.tell(61, "wave", number=1, targets=names[:1])
    story.tell(61.5, "wave", number=2, targets=names[1:])
    assert [each.name for each in document(story).boundaries][-2:] == [
        "remove-old live, wave 1",
        "remove-old live, wave 2",
    ]


def test_what_the_gates_were_told_includes_the_defaults() -> None:
    rules = document(done()).rules
    assert (rules.settle, rules.watch_duration, rules.watch_interval) == (30, 60, 10)
    assert (rules.confidence, rules.max_age, rules.watch_failures) == (0.999999, 86400, 2)
    assert (rules.waves, rules.watch_checks) == ([1, 5], [])
    checks = {"checks": [{"command": ["./a"]}, {"prometheus": {"query": "up"}}, {"name": "n"}]}
    assert document(Story(config={"watch": checks})).rules.watch_checks == ["./a", "up", "n"]


# What remains unproven


def with_blocked_new(story: Story) -> None:
    story.traffic([131], NEW[1], "blocked", count=3)


def with_blocked_old(story: Story) -> None:
    story.traffic([100], OLD[0], "blocked", count=1)


def with_old_let_in(story: Story) -> None:
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
        (with_old_let_in, "from 203.0.113.10 on packaging succeeded until 12:01:40Z, although"),
        (with_confidence, "packaging: 21 succeeded in a row."),
        (with_a_gap, "looks every 10 s, but once nobody looked for 45 s of its 1 min"),
        (with_a_late_watch, "once nobody looked for 40 s of its 1 min"),
        (with_a_watch_cut_short, "The watch of packaging did not come to an end: canceled."),
        (without_a_watch, "After remove-old, packaging was not watched"),
        (with_a_lost_deployment, "sfcutover deployment report 0Afrespackaging"),
        (without_traffic, "LoginHistory of packaging showed no redemption"),
        (without_proofs, "No address was proven by a redemption"),
    ],
)
def test_a_doubt_is_one_sentence(happens: Callable[[Story], None], words: str) -> None:
    story = done()
    happens(story)
    assert any(words in sentence for sentence in document(story).unproven), document(story).unproven
    assert len(document(story).unproven) == 1


# What somebody else took off


def test_a_removal_by_somebody_else_is_not_this_runs() -> None:
    found = document(removed_by_hand())
    (sentence,) = found.unproven
    assert sentence.startswith("203.0.113.10, 203.0.113.11: these old addresses were taken off")
    assert "the list of packaging by somebody else, between 12:00:26Z" in sentence  # as verified
    assert "12:01:34Z, when it found the list without it" in sentence
    assert "not by this run, and not under its approval" in sentence
    add, remove = found.phases
    assert (add.found, remove.found) == (False, True)
    assert found.boundaries[-1].name == "remove-old found so"
    assert [each.found for each in changes(found)] == [False, True]


def test_without_a_proof_of_the_same_list_the_last_read_back_counts() -> None:
    story = removed_by_hand()
    story.events = [each for each in story.events if each.step != "verify"]
    story.prove("verify", 26, lists=hashed(NEW))
    assert "between 12:00:09Z" in document(story).unproven[0]


def test_lists_are_hashed_as_a_proof_has_them() -> None:
    entries = Allowlist(tuple(map(IpRange.parse, (*NEW, *OLD))))
    carrier = CARRIERS["token-ip-ranges"]
    component = Component(carrier.component_type, SECURITY_NAME, (), carrier, entries)
    assert hashes({SECURITY_PATH: entries}) == list_hashes(Snapshot((component,)))


def test_a_removal_that_this_run_sent_before_it_crashed_is_its_own() -> None:
    story = removed_by_hand()
    story.step("remove-old", 91, target=TARGET)
    story.plan("remove-old", 91.2)
    story.send("remove-old", 91.4, done=False)
    found = document(story)
    assert not any("somebody else" in each for each in found.unproven)
    assert [each.found for each in found.phases] == [False, False]
    assert found.boundaries[-1].name == "remove-old live"


@pytest.mark.parametrize(("seen", "mine"), [(True, False), (False, True)])
def test_a_removal_whose_fate_is_unknown_may_be_this_runs(seen: bool, mine: bool) -> None:
    """Unless the org is known never to have had it."""
    story = removed_by_hand()
    story.plan("remove-old", 91.2)
    story.tell(91.3, "deployment-sending", "remove-old", TARGET, phase="remove-old", latest=None)
    if seen:
        story.tell(91.4, "deployment-unseen", "remove-old", TARGET, phase="remove-old")
    found = document(story)
    assert any("somebody else" in each for each in found.unproven) is not mine
    assert found.boundaries[-1].name == f"remove-old {'live' if mine else 'found so'}"


def test_of_a_removal_that_was_finished_by_this_run_the_rest_is_its_own() -> None:
    """Somebody has taken off one address; the run's plan names the other one only."""
    story = done()
    for event in story.events:
        phase = event.data.get("phase")
        if event.kind == "planned" and event.step == "remove-old" and isinstance(phase, dict):
            phase["components"][0]["removed"] = [{"range": OLD[1], "description": None}]
    (sentence,) = document(story).unproven
    assert sentence.startswith("203.0.113.10: this old address was taken off")


def test_of_two_carriers_each_is_looked_at() -> None:
    """The one that never held an old address hides nothing of the other."""
    story = removed_by_hand()
    ranges = [{"range": each, "description": None} for each in NEW]
    other = {"path": "another", "carrier": "trusted-ip-ranges", "ranges": ranges}
    for event in story.events:
        evidence = event.data.get("evidence")
        if isinstance(evidence, dict) and "live" in evidence:
            evidence["live"].insert(0, other)
    (sentence,) = document(story).unproven
    assert sentence.startswith("203.0.113.10, 203.0.113.11: these old addresses were taken off")


def test_old_addresses_that_were_never_there_are_told() -> None:
    story = done()
    for event in story.events:
        evidence = event.data.get("evidence")
        if event.step in ("snapshot", "add-new") and isinstance(evidence, dict):
            evidence["live"][0]["ranges"] = [{"range": each, "description": None} for each in NEW]
    (sentence,) = document(story).unproven
    assert "were not on the list of packaging when this run first looked, at 12:00:04Z" in sentence


def test_a_plan_that_was_sent_only_after_a_crash_has_its_deployment() -> None:
    story = Story()
    story.begin()
    story.plan("add-new", 6)
    story.tell(30, "run-resumed", place="elsewhere")
    story.deploy("add-new", 31, OLD + NEW)
    (phase,) = document(story).phases
    assert (phase.deployments, phase.found) == (["0Afaddpackaging"], False)


def test_old_addresses_that_were_still_there_are_found_and_not_put_back() -> None:
    """The removal that failed had not taken anything off."""
    story = Story()
    story.begin()
    story.snapshot(3)
    story.deploy("add-new", 5, OLD + NEW)
    story.step("remove-old", 20, 21, TARGET, problem="the org is locked")
    story.tell(22, "rollback-started", reason="locked")
    story.find("restore-old", 23, OLD + NEW)
    story.end(26, "rolled-back")
    found = document(story)
    assert [each.name for each in found.boundaries][-2:] == ["rollback", "old found on the list"]
    assert not any("put back" in each for each in found.unproven)


# Whether customers moved


def test_the_canary_alone_is_no_traffic() -> None:
    found = document(canary_only())
    assert found.canary.model_dump() == {"redeemed": 11, "in_login_history": True}
    assert found.unproven == [
        "LoginHistory of packaging shows 11 redemptions through the new addresses, no more than "
        "this run's own canary made (11): it is not shown that customers' traffic has moved."
    ]


def test_the_look_at_the_old_way_is_the_canarys_too() -> None:
    story = rolled_back()
    before = document(story).canary.redeemed
    story.step("prove-old", 108, 109, evidence={"via": "old", "outcome": "redeemed"})
    assert document(story).canary.redeemed == before + 1


def test_one_redemption_more_than_the_canarys_is_somebody_elses() -> None:
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


def test_old_addresses_alone_show_no_move() -> None:
    story = done()
    story.events = [each for each in story.events if each.kind != "traffic"]
    story.traffic(range(0, 23), OLD[0])
    (moved,) = [each for each in document(story).unproven if "has moved" in each]
    assert moved.startswith("LoginHistory of packaging shows no redemption through a new address")


def test_the_targets_of_one_org_are_one_in_this() -> None:
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


def test_before_the_switch_nobody_is_expected_to_have_moved() -> None:
    assert not any("has moved" in each for each in document(waiting()).unproven)


# Runs that are not done


def test_a_run_that_was_rolled_back_names_what_was_not_redeemed_through_since() -> None:
    story = rolled_back()
    story.traffic(range(101, 108), OLD[0])
    put_back = [each for each in document(story).unproven if "put back" in each]
    assert put_back == [
        "203.0.113.11: put back on the list of packaging at 12:01:40Z, and no redemption was seen "
        "from there since: nothing shows that customers are let in again."
    ]
    story.traffic([100], OLD[1])  # in the same second: before, it was off
    assert not any("put back" in each for each in document(story).unproven)


@pytest.mark.parametrize("story", [failed(), rolled_back()])
def test_a_run_that_is_not_done_never_has_nothing_unproven(story: Story) -> None:
    assert document(story).unproven[0].startswith("The run is not done (")


def test_a_watch_under_way_has_not_proven_anything_yet() -> None:
    story = done()
    with_a_watch_cut_short(story)
    story.events = [each for each in story.events if each.kind != "run-ended"]
    story.ended = story.outcome = None
    unproven = document(story, now=140, place="here").unproven
    assert unproven[1:] == ["The watch of packaging has not ended; it is to last until 12:02:10Z."]


def test_one_org_that_refuses_is_not_hidden_by_those_that_don_t() -> None:
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


def test_many_targets_are_named_by_the_first() -> None:
    assert names_of(["a"]) == "a"
    assert names_of(["a", "b", "a"]) == "a and b"
    assert names_of("abcdef") == "a, b, c, d, e and f"
    assert names_of("abcdefghij") == "a, b, c, d, e and 5 more"


def test_no_run_proves_enforcement() -> None:
    assert any("what the org has stored" in each for each in document(done()).limits)
