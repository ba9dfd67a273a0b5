"""The progress of a run, computed from its events."""

from __future__ import annotations

import pytest

from sfcutover.cutover.progress import RunProgress
from sfcutover.cutover.stepnames import TITLES
from sfcutover.errors import Command
from tests.unit.cutover.journaled import Story, events_of, proof_document


@pytest.fixture
def story() -> Story:
    return Story("eu", "us")


def test_a_successful_run_has_done_every_step() -> None:
    progress = RunProgress.of(events_of("done"))
    assert progress.app == "Acme_Connector"
    assert progress.targets == ("packaging",)
    assert progress.old == ("127.0.0.11", "127.0.0.12")
    assert progress.new == ("127.0.0.21", "127.0.0.22")
    assert {state.mark for state in progress.steps.values()} == {"done"}
    assert [(each.phase, each.status) for each in progress.deployments.values()] == [
        ("add-new", "Succeeded"),
        ("remove-old", "Succeeded"),
    ]
    assert progress.results == {"canary redemption": {"passed": 4}}
    assert progress.redeemed == 2 + 2 + 2 + 4  # verify-new, verify, remove-old, watch
    assert not progress.wakes
    assert progress.ended is not None


@pytest.mark.parametrize(("name", "title"), TITLES.items())
def test_the_title_of_a_step_has_the_name_that_runs_shows(name: str, title: str) -> None:
    assert name in title.replace(":", " ").replace(",", " ").split()


def test_every_redemption_of_the_program_counts() -> None:
    """Also those outside of a proof, and of each canary of a watch; a check is no redemption."""
    story = Story()
    story.tell("redeemed", "verify", "packaging", count=2)
    story.tell("canary-redeemed", "remove-old", "packaging")
    names = ("canary redemption (eu)", "canary redemption (us)", "redemption of the application")
    story.measure("packaging", *((name, "passed") for name in names), ("healthy", "passed"))
    story.measure("packaging", (names[0], "failed"))
    assert story.progress.redeemed == 2 + 1 + 3


def test_a_watch_that_rolled_back_is_not_done() -> None:
    """It ends without a problem of its own, because it did its task."""
    progress = RunProgress.of(events_of("rolled-back"))
    watch = progress.steps["watch", "packaging"]
    assert watch.mark == "failed"
    assert watch.problem is not None
    assert watch.problem.startswith("rolling back: canary redemption failed")
    assert not watch.undecided
    assert progress.blocked_on == {"127.0.0.22": {"packaging"}}
    assert progress.rollback is not None
    assert not progress.steps["restore-old", "packaging"].needed


def test_incremental_folding_equals_folding_all_events() -> None:
    events = events_of("rolled-back")
    for cut in range(len(events)):
        progress = RunProgress.of(events[:cut])
        for event in events[cut:]:
            progress.apply(event)
        assert progress == RunProgress.of(events)


def test_a_restarted_step_is_in_progress_again(story: Story) -> None:
    story.start("add-new", "eu")
    story.fail("add-new", "eu", kind="inconclusive", message="the org is locked")
    state = story.progress.steps["add-new", "eu"]
    assert (state.mark, state.undecided, state.problem) == ("failed", True, "the org is locked")
    story.start("add-new", "eu")
    again = story.progress.steps["add-new", "eu"]
    assert (again.mark, again.tries, again.undecided) == ("running", 2, False)
    assert again.started == state.started
    assert again.newest_start > again.started


@pytest.mark.parametrize(
    ("kind", "undecided"),
    [
        ("failed", False),
        ("blocked", False),
        ("inconclusive", True),
        ("later", True),
        ("person", True),
    ],
)
def test_temporary_problems_are_distinguished(story: Story, kind: str, undecided: bool) -> None:
    story.start("verify", "eu")
    story.fail("verify", "eu", kind=kind)
    assert story.progress.steps["verify", "eu"].undecided is undecided


def test_a_phase_that_was_already_live_was_not_needed(story: Story) -> None:
    story.start("add-new", "eu")
    story.end("add-new", "eu", changed=False)
    assert not story.progress.steps["add-new", "eu"].needed


def test_a_canceled_step_is_not_done(story: Story) -> None:
    story.start("settle")
    story.tell("settling", "settle", until=story.now + 60)
    assert story.progress.wakes
    story.cancel("settle")
    state = story.progress.steps["settle", None]
    assert (state.mark, state.problem) == ("failed", "canceled")
    assert not story.progress.wakes


def test_a_manual_switch_is_a_step(story: Story) -> None:
    story.pause("switch", reason="switch", message="move the traffic")
    assert story.progress.steps["switch", None].mark == "running"
    assert story.progress.pause is not None
    story.tell("approved", "switch", who="ada", note=None)
    assert story.progress.steps["switch", None].mark == "done"
    assert story.progress.pause is None


def test_a_pause_before_a_step_is_not_an_attempt(story: Story) -> None:
    story.pause("verify")
    assert not story.progress.steps
    story.tell("approved", "verify", who="ada", note=None)
    assert not story.progress.steps


def test_approving_does_not_make_a_failed_step_done(story: Story) -> None:
    story.start("verify")
    failed = story.fail("verify", kind="person")
    story.pause("verify", reason="person")
    story.tell("approved", "verify", who="ada", note=None)
    state = story.progress.steps["verify", None]
    assert (state.mark, state.ended) == ("failed", failed.time)


def test_no_step_of_an_ended_run_is_in_progress(story: Story) -> None:
    story.pause("switch", reason="switch")
    story.tell("run-ended", outcome="canceled", exit_code=9, message="m", tokens="t", next="n")
    assert not story.progress.running()
    assert story.progress.steps["switch", None].problem == "canceled"
    assert story.progress.pause is None


def test_a_rollback_starts_with_the_first_step_back(story: Story) -> None:
    """A failed removal is restored before the whole run rolls back."""
    story.start("remove-old", "eu")
    story.fail("remove-old", "eu", message="the list did not take")
    assert story.progress.rollback is None
    story.start("restore-old", "eu")
    assert story.progress.rollback == "the list did not take"
    story.tell("rollback-started", reason="eu: the list did not take")
    assert story.progress.rollback == "eu: the list did not take"


def test_a_watch_that_rolls_back_has_no_end_time(story: Story) -> None:
    story.start("watch", "eu")
    story.tell("watch-started", "watch", "eu", until=story.now + 900, interval=15.0)
    story.tell("rolling-back", "watch", "eu", reason="blocked")
    assert not story.progress.wakes
    assert story.progress.rollback == "blocked"


def test_an_alert_is_resolved_when_its_step_is_done(story: Story) -> None:
    story.start("restore-old", "eu")
    story.fail("restore-old", "eu")
    page = story.tell("page", "page", message="not back", commands=[Command("rollback", "--yes")])
    assert story.progress.page == page
    story.start("restore-old", "eu")
    assert story.progress.page == page
    story.end("restore-old", "eu")
    assert story.progress.page is None
    assert story.progress.pages == [page]


def test_an_alert_without_a_retried_step_remains(story: Story) -> None:
    page = story.tell("page", "page", message="look at this", commands=[])
    story.do("restore-old")
    assert story.progress.page == page


def test_canary_redemptions_are_counted_over_all_attempts(story: Story) -> None:
    story.start("verify", "eu")
    story.tell("redeemed", "verify", "eu", count=1)
    story.tell("redeemed", "verify", "eu", count=10)
    story.fail("verify", "eu", kind="inconclusive")
    story.start("verify", "eu")
    story.tell("redeemed", "verify", "eu", count=2)
    story.end("verify", "eu", proof=proof_document(redemptions=21))
    assert story.progress.redeemed == 10 + 21
    assert story.progress.steps["verify", "eu"].redeemed == 21


def test_a_watch_counts_its_measurements_by_name(story: Story) -> None:
    for target in ("eu", "us"):
        story.start("watch", target)
        story.measure(target, ("canary redemption", "passed"), ("health", "error"))
    story.measure("eu", ("canary redemption", "failed"), ("health", "passed"))
    assert story.progress.results == {
        "canary redemption": {"passed": 2, "failed": 1},
        "health": {"error": 2, "passed": 1},
    }
    assert story.progress.redeemed == 2


def test_blocked_redemptions_are_counted_by_address_and_target(story: Story) -> None:
    story.traffic("eu", ("198.51.100.20", "blocked", 2), ("198.51.100.21", "redeemed", 5))
    story.traffic("us", ("198.51.100.20", "blocked", 1), ("198.51.100.20", "other", 4))
    assert story.progress.traffic == {
        "198.51.100.20": {"blocked": 3, "other": 4},
        "198.51.100.21": {"redeemed": 5},
    }
    assert story.progress.blocked_on == {"198.51.100.20": {"eu", "us"}}


def test_two_orgs_may_have_the_same_deployment_id(story: Story) -> None:
    """A sandbox is a copy of its org."""
    for target in ("eu", "us"):
        story.start("add-new", target)
        story.tell("deployment-sent", "add-new", target, phase="add-new", id="0Af1")
    seen = {"status": "Succeeded", "done": True, "deployed": 1, "total": 1}
    story.tell("deployment-progress", "add-new", "us", id="0Af1", **seen)
    found = {each.target: each.done for each in story.progress.deployments.values()}
    assert found == {"eu": False, "us": True}


@pytest.mark.parametrize(
    ("restored", "outcome", "problem"),
    [
        (True, "failed", "the old addresses are on the allowlist again"),
        (False, "failed", "the run ended first"),
        (False, "canceled", "canceled"),
    ],
)
def test_a_step_that_was_open_at_the_end_of_its_run_states_why(
    restored: bool, outcome: str, problem: str
) -> None:
    story = Story("eu")
    story.do("remove-old")
    story.start("watch", "eu")
    if restored:
        story.do("restore-old")
    story.tell("run-ended", outcome=outcome, message="m", impact="i", next="n", exit_code=4)
    state = story.progress.steps["watch", "eu"]
    assert (state.kind, state.problem) == ("stopped", problem)
