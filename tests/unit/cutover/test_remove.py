"""Removing the old addresses from one allowlist, its watch, and the rollback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.remove import REMOVE_TRIES, remove_and_watch
from sfcutover.cutover.stepresult import StepResult
from sfcutover.cutover.steprunner import NO_ARGUMENTS, StepArguments
from sfcutover.cutover.watchtrigger import WatchOutcome
from tests.unit.cutover.contexts import target_context
from tests.unit.cutover.stepresults import CANCELED, deployed, problem, redeemed, watched

ROLLED_BACK = watched(WatchOutcome.ROLLED_BACK, "blocked twice")
PASSED = watched(WatchOutcome.PASSED)
BACK = ["restore-old", "prove-old"]
SUCCESS = {"restore-old": deployed(), "prove-old": redeemed(), "watch": PASSED}


@dataclass
class Executed:
    """Returns the results of a test, else success, and records the calls."""

    results: dict[str, list[StepResult]] = field(default_factory=dict)
    before: Callable[[str], None] = lambda _: None
    done: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __call__(self, step: str, arguments: StepArguments = NO_ARGUMENTS) -> StepResult:
        self.done.append(step)
        self.before(step)
        given = self.results.get(step)
        return given.pop(0) if given else SUCCESS.get(step, StepResult())

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def context(tmp_path: Path) -> TargetContext:
    return target_context(tmp_path, "remove-and-watch")


def record_sent(context: TargetContext) -> None:
    context.tell("deployment-sending", phase="remove-old", latest=None)


def run(context: TargetContext, executed: Executed) -> StepResult:
    return remove_and_watch(context, NO_ARGUMENTS, executed, executed.sleep)


def test_a_successful_removal_is_watched(context: TargetContext) -> None:
    executed = Executed()
    assert run(context, executed).ok
    assert executed.done == ["remove-old", "watch"]


def test_a_refused_removal_is_rolled_back_immediately(context: TargetContext) -> None:
    executed = Executed({"remove-old": [problem("failed")]})
    outcome = run(context, executed)
    assert not outcome.ok
    assert outcome.is_rolled_back
    assert executed.done == ["remove-old", *BACK]


@pytest.mark.parametrize("kind", ["inconclusive", "later"])
def test_an_unknown_result_is_retried_and_rolled_back_only_if_it_was_sent(
    context: TargetContext, kind: str
) -> None:
    unsent = Executed({"remove-old": [problem(kind)] * REMOVE_TRIES})
    outcome = run(context, unsent)
    assert not outcome.is_rolled_back
    assert unsent.done == ["remove-old"] * REMOVE_TRIES
    record_sent(context)
    sent = Executed({"remove-old": [problem(kind)] * REMOVE_TRIES})
    outcome = run(context, sent)
    assert outcome.is_rolled_back
    assert sent.done == ["remove-old"] * REMOVE_TRIES + BACK


def test_a_canceled_removal_is_left_alone(context: TargetContext) -> None:
    executed = Executed({"remove-old": [CANCELED]})
    assert run(context, executed) == CANCELED
    assert executed.done == ["remove-old"]


def test_a_watch_that_rolled_back_is_a_failure_although_the_journal_lacks_it(
    context: TargetContext,
) -> None:
    executed = Executed({"watch": [ROLLED_BACK]})
    outcome = run(context, executed)
    assert outcome.problem is not None
    assert outcome.problem.message == "the watch rolled back: blocked twice"
    assert executed.done == ["remove-old", "watch", *BACK]


@pytest.mark.parametrize("kind", ["inconclusive", "person", "failed"])
def test_a_started_rollback_is_completed_after_any_watch(context: TargetContext, kind: str) -> None:
    def roll_back(step: str) -> None:
        if step == "watch":
            context.memory.write("rolling-back", "watch", "org", {"reason": "blocked twice"})

    executed = Executed({"watch": [problem(kind)]}, roll_back)
    outcome = run(context, executed)
    assert outcome.problem is not None
    assert "blocked twice" in outcome.problem.message
    assert executed.done == ["remove-old", "watch", *BACK]


def test_a_restart_continues_a_rollback_and_removes_nothing(context: TargetContext) -> None:
    run(context, Executed({"remove-old": [problem("failed")]}))
    executed = Executed()
    outcome = run(context, executed)
    assert outcome.problem == problem("failed").problem
    assert executed.done == BACK


def test_a_restart_after_a_passed_watch_does_nothing(context: TargetContext) -> None:
    for step, outcome in (("remove-old", deployed("remove-old")), ("watch", PASSED)):
        at = replace(context, step=step)
        at.tell("step-started")
        at.tell("step-ended", **outcome.model_dump(mode="json"))
    executed = Executed()
    assert run(context, executed) == PASSED
    assert executed.done == []
    replace(context, step="remove-old").tell("step-started")  # another removal, another watch
    run(context, executed)
    assert executed.done == ["remove-old", "watch"]


def test_a_sent_removal_is_watched_although_the_run_is_being_canceled(
    context: TargetContext,
) -> None:
    record_sent(context)
    executed = Executed({"remove-old": [CANCELED]})
    assert run(context, executed).ok
    assert executed.done == ["remove-old", "watch"]


def test_an_inconclusive_watch_is_not_rolled_back(context: TargetContext) -> None:
    executed = Executed({"watch": [problem("person")]})
    assert not run(context, executed).is_rolled_back
    assert executed.done == ["remove-old", "watch"]


def test_restoring_is_retried_until_it_succeeds_and_the_operator_is_alerted(
    context: TargetContext,
) -> None:
    executed = Executed(
        {"remove-old": [problem("failed")], "restore-old": [problem("inconclusive")] * 25}
    )
    run(context, executed)
    assert executed.done.count("restore-old") == 26
    assert executed.done.count("page") == 3
    assert executed.done[-1] == "prove-old"
    assert executed.slept[-1] == 60.0


def test_old_addresses_that_stay_refused_are_saved_once_more(context: TargetContext) -> None:
    refused = [problem("failed")] * 2
    executed = Executed({"remove-old": [problem("failed")], "prove-old": [*refused, redeemed()]})
    run(context, executed)
    assert executed.done[-4:] == ["prove-old", "prove-old", "resave", "prove-old"]
    unknown = Executed({"remove-old": [problem("failed")], "prove-old": [problem("person")] * 3})
    run(context, unknown)
    assert "resave" not in unknown.done
