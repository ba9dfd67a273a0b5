"""The runs as text for a terminal."""

from __future__ import annotations

import pytest

from sfcutover.cutover.rundocument import RunDocument
from sfcutover.output.text import run_text, runs_text
from sfcutover.runs.store import Run
from tests.unit.cutover.journaled import RUN, Story

WARNING = "the old addresses may be missing from the allowlist of packaging"


def stopped_at(step: str, *done: str) -> Story:
    """A run that has done some steps and started another."""
    story = Story("packaging")
    story.do(*done)
    story.start(step, "packaging")
    return story


def removing() -> Story:
    """A run that has sent remove-old, and has not read its end."""
    story = stopped_at("remove-old", "probe", "add-new")
    story.tell("deployment-sending", "remove-old", "packaging", phase="remove-old")
    return story


def described(story: Story, place: str | None = None) -> RunDocument:
    """As `sfcutover runs` describes it."""
    run = Run(RUN, "emulated-cutover", 1, "{}", story.events[0].time)
    return RunDocument.of(run, story.progress, place)


def test_a_run_that_was_interrupted_before_the_removal_only_has_to_be_resumed() -> None:
    text = runs_text([described(stopped_at("control", "probe"))])
    assert "stopped at control: no process is executing it" in text
    assert "resume: sfcutover run" in text
    assert "rollback" not in text


@pytest.mark.parametrize(
    "story", [removing(), stopped_at("watch", "probe", "add-new", "remove-old")]
)
def test_a_run_that_was_interrupted_without_its_old_addresses_reports_it(story: Story) -> None:
    run = described(story)
    text = runs_text([run])
    assert run.unwatched == ["packaging"]
    assert f"{WARNING}, and no process monitors it" in text
    assert "either resume, to watch: sfcutover run\n" in text
    assert "or restore the old addresses: sfcutover rollback --yes" in text


def test_a_run_that_a_process_watches_needs_no_action() -> None:
    run = described(stopped_at("watch", "remove-old"), "vm, process 7")
    assert (run.state, run.unwatched) == ("running", [])
    assert WARNING not in runs_text([run])
    assert "on host vm, process 7" in runs_text([run])


def test_a_step_of_an_interrupted_run_is_not_called_running() -> None:
    run = described(stopped_at("control", "probe"))
    assert run.state == "interrupted"
    assert "running" not in run_text(run)
    assert "interrupted  control" in run_text(run)


def test_a_paused_run_without_its_old_addresses_reports_it() -> None:
    story = stopped_at("watch", "remove-old")
    story.fail("watch", "packaging", kind="inconclusive")
    story.pause("watch", "inconclusive")
    run = described(story, "vm, process 7")
    assert run.state == "waiting"
    assert WARNING in runs_text([run])
