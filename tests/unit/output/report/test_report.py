"""The state of a run, at the top of its report."""

from __future__ import annotations

from dataclasses import asdict

from sfcutover.errors import DEFAULT_CONFIG, Advice, Command
from sfcutover.output.console import use_config
from tests.unit.output.report.stories import document, done, rolled_back, waiting
from tests.unit.output.report.story import NOON, TARGET, Story

COMMANDS = [Command("rollback", "--yes"), Command("switch", "--revert")]


def test_a_completed_run_is_reported_as_done() -> None:
    found = document(done())
    assert (found.verdict.state, found.verdict.title) == ("done", "Done")
    assert (found.verdict.message, found.verdict.impact) == ("it is done", "fine")
    assert "change record" in found.verdict.next
    assert found.unproven == []
    assert found.seconds == 132


def test_a_rolled_back_run_reports_the_reason_and_the_next_step() -> None:
    verdict = document(rolled_back()).verdict
    assert (verdict.state, verdict.title, verdict.next) == ("rolled-back", "Rolled back", "x")
    assert "the watch rolled back" in verdict.message


def test_a_paused_run_reports_the_reason_and_how_to_continue() -> None:
    found = document(waiting())
    assert (found.verdict.state, found.verdict.title) == ("waiting", "Awaiting approval")
    assert found.verdict.message == "switch: the next is switch"
    assert "sfcutover approve move.1" in found.verdict.next
    assert "stay as they are" in found.verdict.impact
    assert [(each.decision, each.step, each.who) for each in found.decisions] == [
        ("open", "switch", None)
    ]
    assert found.unproven[0].startswith("The run has not ended")


def test_an_approval_that_the_run_has_not_processed_is_shown() -> None:
    story = waiting()
    story.tell(30, "approved", "switch", pause=4, who="ann", note="CHG-1")
    found = document(story)
    assert found.verdict.state == "interrupted"
    assert found.verdict.next == "resume it: sfcutover run"
    assert [(each.decision, each.who, each.note) for each in found.decisions] == [
        ("approved", "ann", "CHG-1")
    ]


def test_a_run_in_progress_names_its_step_and_its_place() -> None:
    story = waiting()
    story.tell(30, "approved", "switch", pause=4, who="ann", note="go")
    story.step("switch", 31)
    here = document(story, place="host, process 7")
    assert (here.verdict.state, here.verdict.message) == ("running", "switch, at host, process 7")
    assert here.verdict.next == "follow it: sfcutover runs move.1 --follow"
    left = document(story)
    assert (left.verdict.state, left.verdict.message) == (
        "interrupted",
        "the run stopped at: switch",
    )
    assert "as the last finished step left it" in left.verdict.impact


def test_a_rollback_in_progress_warns() -> None:
    story = done()
    story.events = [each for each in story.events if each.time < NOON + 75]
    story.ended = story.outcome = None
    story.tell(80, "rolling-back", "watch", TARGET, reason="refused")
    assert "customers may be locked out" in document(story).verdict.impact


def test_an_alert_is_shown_at_the_top() -> None:
    story = rolled_back()
    story.tell(111, "page", "page", message="traffic must be switched back", commands=COMMANDS)
    page = document(story).verdict.page
    assert page is not None
    assert page.message == "traffic must be switched back"
    assert page.commands == ["sfcutover rollback --yes", "sfcutover switch --revert"]
    assert document(rolled_back()).verdict.page is None


def test_commands_name_the_given_cutover_file() -> None:
    story = waiting()
    use_config("eu.yaml")
    try:
        next_ = document(story).verdict.next
    finally:
        use_config(DEFAULT_CONFIG)
    assert "sfcutover --config eu.yaml approve move.1" in next_


def test_a_stopped_run_reports_the_next_step() -> None:
    story = rolled_back()
    story.events[-1].data["next"] = asdict(Advice("correct it, then ", Command("run")))
    assert document(story).verdict.next == "correct it, then sfcutover run"


def test_a_run_without_an_event_has_a_report() -> None:
    found = document(Story())
    assert found.verdict.state == "interrupted"
    assert (found.targets, found.phases, found.proofs) == ([], [], [])
