"""The steps, the boundaries and the decisions of a run."""

from __future__ import annotations

from tests.unit.output.report.stories import document, done, waiting
from tests.unit.output.report.story import NEW, OLD, TARGET, Story, deployed, phase_document


def test_an_approval_is_shown_with_its_question_and_note() -> None:
    story = waiting()
    story.tell(30, "approved", "switch", pause=4, who="ann", note="CHG-4711")
    (decision,) = document(story).decisions
    assert (decision.decision, decision.who, decision.note) == ("approved", "ann", "CHG-4711")
    assert (decision.asked, decision.decided) == (
        "2026-11-23T12:00:20.000Z",
        "2026-11-23T12:00:30.000Z",
    )


def test_a_cancellation_is_shown_with_its_author() -> None:
    (asked,) = document(canceled(waiting())).decisions
    assert (asked.decision, asked.who, asked.note) == ("canceled", "jo", "wrong window")
    (unasked,) = document(canceled(done())).decisions
    assert (unasked.decision, unasked.asked, unasked.who) == ("canceled", None, "jo")


def canceled(story: Story) -> Story:
    story.tell(70, "cancel-requested", who="jo", note="wrong window")
    return story


def test_each_wave_has_a_boundary_in_the_timeline() -> None:
    names = [f"org-{number}" for number in range(7)]
    story = done(names)
    story.events = [each for each in story.events if each.kind != "wave"]
    story.tell(61, "wave", number=1, targets=names[:1])
    story.tell(61.5, "wave", number=2, targets=names[1:])
    assert [each.name for each in document(story).boundaries][-2:] == [
        "remove-old live, wave 1",
        "remove-old live, wave 2",
    ]


def test_old_addresses_that_were_still_listed_are_not_reported_as_restored() -> None:
    """The failed removal had removed nothing."""
    story = Story()
    story.start()
    story.snapshot(3)
    story.deploy("add-new", 5, OLD + NEW)
    story.step("remove-old", 20, 21, TARGET, problem="the org is locked")
    story.tell(22, "rollback-started", reason="locked")
    story.find("restore-old", 23, OLD + NEW)
    story.end(26, "rolled-back")
    found = document(story)
    assert [each.name for each in found.boundaries][-2:] == [
        "rollback",
        "old already on the allowlist",
    ]
    assert not any("restored" in each for each in found.unproven)


def test_a_phase_of_an_earlier_attempt_is_attributed_to_the_run() -> None:
    story = done()
    again = phase_document("remove-old").model_copy(update={"package_sha256": "another"})
    story.tell(70, "planned", "remove-old", TARGET, phase=again.model_dump(mode="json"))
    story.end_step("remove-old", 71, TARGET, deployed("remove-old", NEW, changed=False))
    found = document(story)
    assert [each.found for each in found.phases] == [False, False, True]
    assert "remove-old live" in [each.name for each in found.boundaries]
