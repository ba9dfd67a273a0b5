"""The order of a cutover and its rollbacks, decided by step results alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sfcutover.config.cutover import Cutover
from sfcutover.cutover.announcement import Announced
from sfcutover.cutover.baseline import StateEvidence
from sfcutover.cutover.control import ControlEvidence
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.remove import RestoredEvidence
from sfcutover.cutover.stepresult import Problem, StepResult
from sfcutover.cutover.steprunner import (
    NO_ARGUMENTS,
    Approval,
    Flow,
    Question,
    RunResult,
    StepArguments,
    StepResults,
)
from sfcutover.cutover.workflow import Workflow
from sfcutover.traffic.switch import DRAIN_SECONDS
from tests.support import cutover_in
from tests.unit.cutover.stepresults import (
    CANCELED,
    deployed,
    problem,
    settled,
    verified,
    void,
)

ANNOUNCED = StepResult(evidence=Announced(digest="as-planned"))
OTHERWISE = StepResult(evidence=Announced(digest="otherwise"))
CHANGED = problem("changed")
GOOD: dict[str, StepResult] = {"verify": verified(), "announce": ANNOUNCED}


@dataclass
class Recorded:
    """Executes nothing: returns the results of a test, else success, and records.

    results: by step, or by step and target, the first, second, ...

    approves: the operator's answers to pauses, in turn; at the end they cancel. announced: what the
    steps of the whole run do, the first, second, ... time. waits_before: steps that need an
    approval.
    """

    results: dict[str, list[StepResult]] = field(default_factory=dict)
    approves: list[bool | Approval] = field(default_factory=list)
    announced: dict[str, list[Announced]] = field(default_factory=dict)
    waits_before: tuple[str, ...] = ()
    traffic_moved: bool = False
    cancels_at: Callable[[list[str]], bool] = lambda _: False
    done: list[str] = field(default_factory=list)
    pauses: list[tuple[str, str]] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)  # answers by target
    slept: list[float] = field(default_factory=list)

    async def step(self, name: str, arguments: StepArguments = NO_ARGUMENTS) -> StepResult:
        self.done.append(name)
        return self._result(name)

    async def on_targets(
        self,
        action: str,
        targets: Sequence[str],
        arguments: Mapping[str, StepArguments] | None = None,
    ) -> StepResults:
        self.done.append(f"{action} {' '.join(targets)}")
        if action == "remove-and-watch":
            self.said |= {name: each.traffic_moved for name, each in (arguments or {}).items()}
        return {name: self._result(f"{action} {name}") for name in targets}

    async def announce(self, step: str) -> Announced:
        return self.announced[step].pop(0) if self.announced.get(step) else Announced(digest=step)

    async def pause(self, question: Question) -> Approval:
        self.pauses.append((question.step, question.reason))
        self.questions.append(question.message)
        said = self.approves.pop(0) if self.approves else False
        return said if isinstance(said, Approval) else Approval(approved=said)

    async def pauses_before(self, step: str) -> bool:
        return step in self.waits_before

    async def says_traffic_moved(self) -> bool:
        return self.traffic_moved

    async def is_canceled(self) -> bool:
        return self.cancels_at(self.done)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def tell(self, kind: str, **data: object) -> None:
        if kind in ("rollback-started", "announcement-void"):
            self.done.append(kind)

    def _result(self, name: str) -> StepResult:
        given = self.results.get(name)
        if given:
            return given.pop(0)
        return GOOD.get(name.split()[0], StepResult())


@pytest.fixture
def cutover(tmp_path: Path) -> Cutover:
    """Four targets: the first alone in the first wave, then two at a time."""
    return cutover_with(tmp_path)


def cutover_with(folder: Path, **keys: object) -> Cutover:
    given: dict[str, object] = {
        "switch": {"apply": ["true"], "revert": ["true"]},
        "verify": {"client_id": "id", "refresh_token": {"file": "token"}},
        "waves": [1, 2],
    }
    return cutover_in(folder, "one", "two", "three", "four", **(given | keys))


ALL = "one two three four"
FORWARDS = [
    "probe",
    f"snapshot {ALL}",
    f"control {ALL}",
    f"add-new {ALL}",
    f"verify-new {ALL}",
    "switch",
    f"verify {ALL}",
    "settle",
    "remove-and-watch one",
    "remove-and-watch two three",
    "remove-and-watch four",
]


READ_AT_THE_END = f"state {ALL}"


def run(runner: Recorded, cutover: Cutover) -> RunResult:
    names = tuple(each.name for each in cutover.targets)
    return asyncio.run(Workflow(Flow(runner), cutover, names).run())


def test_the_order_of_a_successful_cutover(cutover: Cutover) -> None:
    runner = Recorded()
    assert (result := run(runner, cutover)).outcome == "done"
    assert result.exit_code == 0
    assert runner.done == [*FORWARDS, READ_AT_THE_END]


def standing(**keys: object) -> StepResult:
    """The final state of an allowlist."""
    given = {"state": "", "holds_old": False, "live": []} | keys
    return StepResult(evidence=StateEvidence.model_validate(given))


def test_a_list_that_holds_old_addresses_again_is_not_done(cutover: Cutover) -> None:
    runner = Recorded({"state two": [standing(old_listed=["203.0.113.1"])]})
    result = run(runner, cutover)
    assert (result.outcome, result.exit_code) == ("failed", 4)
    assert "two: 203.0.113.1 is on the allowlist again" in result.message
    assert runner.done == [*FORWARDS, READ_AT_THE_END]


def test_a_list_that_lacks_new_addresses_at_the_end_is_an_alert(cutover: Cutover) -> None:
    runner = Recorded({"state two": [standing(new_missing=["198.51.100.1"])]})
    result = run(runner, cutover)
    assert (result.outcome, result.exit_code) == ("failed", 4)
    assert "198.51.100.1" in result.impact
    assert runner.done[-1] == "page"


def test_a_deployment_in_progress_is_named_at_the_end(cutover: Cutover) -> None:
    runner = Recorded({"state two": [standing(pending=["0Af1"])]})
    result = run(runner, cutover)
    assert result.outcome == "done"
    assert "0Af1 has not ended" in result.message


@pytest.mark.parametrize("step", ["probe", "snapshot two"])
def test_a_failure_before_any_change_rolls_nothing_back(cutover: Cutover, step: str) -> None:
    runner = Recorded({step: [problem(code=8)]})
    result = run(runner, cutover)
    assert (result.outcome, result.exit_code) == ("failed", 8)
    assert (
        runner.done == FORWARDS[: FORWARDS.index("probe" if step == "probe" else FORWARDS[1]) + 1]
    )


@pytest.mark.parametrize("step", ["add-new three", "verify-new one"])
def test_a_failure_before_the_switch_rolls_everything_back(cutover: Cutover, step: str) -> None:
    runner = Recorded({step: [problem()]})
    result = run(runner, cutover)
    assert (result.outcome, result.exit_code) == ("rolled-back", 5)
    assert runner.done[-2:] == ["rollback-started", f"remove-new {ALL}"]
    assert "switch" not in runner.done


def test_targets_that_could_not_be_rolled_back_are_named(cutover: Cutover) -> None:
    runner = Recorded(
        {
            "add-new three": [problem()],
            "remove-new one": [problem("inconclusive")],
            "remove-new two": [CANCELED],
        }
    )
    assert "be on the allowlist of one, two, now or later" in run(runner, cutover).impact


@pytest.mark.parametrize("step", ["switch", "verify two"])
def test_a_failure_after_the_switch_returns_traffic_and_keeps_the_lists(
    cutover: Cutover, step: str
) -> None:
    runner = Recorded({step: [problem(), problem()]})
    result = run(runner, cutover)
    assert result.outcome == "rolled-back"
    assert runner.done[-4:] == [
        "rollback-started",
        f"restore {ALL}",
        "switch-back",
        "prove-old",
    ]
    assert not any(each.startswith(("remove", "remove-and-watch")) for each in runner.done)


def test_a_refused_address_is_deployed_and_proven_again(cutover: Cutover) -> None:
    runner = Recorded({"verify two": [problem("blocked")]})
    assert run(runner, cutover).outcome == "done"
    start = runner.done.index("switch")
    assert runner.done[start + 1 : start + 4] == [f"verify {ALL}", "add-new two", f"verify {ALL}"]


def test_a_failure_after_a_removal_restores_only_that_target_and_ends_the_waves(
    cutover: Cutover,
) -> None:
    runner = Recorded({"remove-and-watch three": [problem()]})
    result = run(runner, cutover)
    assert result.outcome == "rolled-back"
    assert runner.done[-3:] == ["rollback-started", "restore three", "check-new three"]
    assert "remove-and-watch four" not in runner.done


def test_a_lost_new_address_is_deployed_again_and_traffic_stays(cutover: Cutover) -> None:
    runner = Recorded({"remove-and-watch two": [problem()], "check-new two": [problem("blocked")]})
    result = run(runner, cutover)
    assert runner.done[-4:] == [
        "restore two",
        "check-new two",
        "add-new two",
        "check-new two",
    ]
    assert "this run moves no traffic" in result.impact


def test_traffic_returns_from_a_refused_address_after_all_lists_allow_it(
    cutover: Cutover,
) -> None:
    runner = Recorded(
        {"remove-and-watch two": [problem()], "check-new two": [problem("blocked")] * 2}
    )
    result = run(runner, cutover)
    assert runner.done[-6:] == [
        "check-new two",
        "add-new two",
        "check-new two",
        f"restore {ALL}",
        "switch-back",
        "prove-old",
    ]
    assert "back on the old addresses" in result.impact


def test_a_rule_of_the_canary_user_moves_no_traffic_and_no_list(cutover: Cutover) -> None:
    runner = Recorded(
        {"remove-and-watch two": [problem()], "check-new two": [problem("user-rule")]}
    )
    result = run(runner, cutover)
    assert runner.done[-2:] == ["restore two", "check-new two"]
    assert "rule of its user's own org or profile" in result.impact


@pytest.mark.parametrize("answers", [[], [True], [True, True]])
def test_a_process_without_a_variable_moves_no_traffic_back(
    cutover: Cutover, answers: list[bool]
) -> None:
    """What it cannot try says nothing of the new addresses."""
    count = len(answers) or 1
    untried = [problem("environment", 2)] * count
    runner = Recorded(
        {"remove-and-watch two": [problem()], "check-new two": untried}, approves=list(answers)
    )
    result = run(runner, cutover)
    assert runner.done[-1] == "check-new two"
    assert "switch-back" not in runner.done
    assert runner.pauses == [("check-new", "environment")] * count
    assert ("was tried" in result.impact) == (not answers)


@pytest.mark.parametrize("step", ["verify-new", "verify"])
def test_a_rule_of_the_canary_user_before_a_removal_requires_the_operator(
    cutover: Cutover, step: str
) -> None:
    runner = Recorded({f"{step} two": [problem("user-rule")]}, approves=[True])
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [(step, "user-rule")]


def test_targets_with_an_unknown_result_are_restored_with_failed_ones(
    cutover: Cutover,
) -> None:
    runner = Recorded(
        {"remove-and-watch two": [problem("person")], "remove-and-watch three": [problem()]}
    )
    result = run(runner, cutover)
    assert "restore three two" in runner.done
    assert "three, two" in result.impact
    assert runner.pauses == []


def test_a_rollback_precedes_a_cancellation(cutover: Cutover) -> None:
    runner = Recorded({"remove-and-watch two": [CANCELED], "remove-and-watch three": [problem()]})
    assert run(runner, cutover).outcome == "rolled-back"
    assert "restore three" in runner.done


def test_a_failed_rollback_is_reported(cutover: Cutover) -> None:
    runner = Recorded({"switch": [problem()], "switch-back": [problem()]})
    result = run(runner, cutover)
    assert (result.outcome, result.exit_code) == ("rolled-back", 5)
    assert "traffic was not moved back and may still leave from the new addresses" in result.impact
    assert runner.done[-1] == "page"


def test_a_rollback_without_a_successful_redemption_is_reported(cutover: Cutover) -> None:
    runner = Recorded({"switch": [problem()], "prove-old": [problem("blocked")] * 9})
    result = run(runner, cutover)
    assert "no redemption through the old addresses succeeded: " in result.impact
    assert runner.done[-1] == "page"


def test_an_unknown_result_is_retried_and_then_requires_the_operator(cutover: Cutover) -> None:
    unclear = [problem("inconclusive", 7)] * 5
    runner = Recorded({"verify two": unclear, "switch": unclear[:2]}, approves=[True])
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [("verify", "inconclusive")]
    assert runner.done.count("switch") == 3
    assert "rollback-started" not in runner.done


def test_the_operator_is_asked_immediately_if_a_retry_cannot_help(cutover: Cutover) -> None:
    runner = Recorded({"add-new two": [problem("person", 6)]}, approves=[True])
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [("add-new", "person")]
    assert runner.done.count("add-new two") == 1
    assert runner.slept == [DRAIN_SECONDS]


def test_a_removal_with_an_unknown_result_is_rolled_back(cutover: Cutover) -> None:
    restored = deployed().evidence
    assert isinstance(restored, DeployEvidence)
    unsure = problem("inconclusive", 7, RestoredEvidence(restored=restored, old=None))
    runner = Recorded({"remove-and-watch one": [unsure] * 5})
    assert run(runner, cutover).outcome == "rolled-back"
    assert "restore one" in runner.done


def test_an_inconclusive_watch_waits_for_the_operator(cutover: Cutover) -> None:
    runner = Recorded({"remove-and-watch one": [problem("person")]}, approves=[True])
    assert run(runner, cutover).outcome == "done"
    assert runner.done.count("remove-and-watch one") == 2
    assert runner.pauses == [("remove-old", "person")]


@pytest.mark.parametrize("step", ["add-new", "switch", "verify", "remove-old"])
def test_a_run_pauses_before_the_configured_steps(cutover: Cutover, step: str) -> None:
    runner = Recorded(approves=[True], waits_before=(step,))
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [(step, "pause-before")]
    canceled = Recorded(waits_before=(step,))
    assert run(canceled, cutover).outcome == "canceled"
    assert not any(
        f"{each} ".startswith(f"{step} ".replace("remove-old", "remove-and-watch"))
        for each in canceled.done
    )


def accepted(*, approved: bool) -> Approval:
    """The answer to a pause after another cutover.yaml was accepted since the announcement."""
    return Approval(approved=approved, is_current=False)


def test_an_approval_is_valid_if_the_step_is_unchanged(cutover: Cutover) -> None:
    runner = Recorded(approves=[accepted(approved=True)], waits_before=("remove-old",))
    assert run(runner, cutover).outcome == "done"
    assert "announcement-void" not in runner.done


@pytest.mark.parametrize("step", ["add-new", "remove-old"])
@pytest.mark.parametrize("approved", [True, False])
def test_a_changed_step_is_announced_again(cutover: Cutover, step: str, approved: bool) -> None:
    """Another cutover.yaml is accepted; it was approved before or after that."""
    results = {"announce one": [ANNOUNCED, *[OTHERWISE] * 2]}
    answers: list[bool | Approval] = [accepted(approved=approved), True]
    runner = Recorded(results, approves=answers, waits_before=(step,))
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [(step, "pause-before")] * 2
    first = runner.done.index(f"{step} {ALL}" if step == "add-new" else "remove-and-watch one")
    assert runner.done.index("announcement-void") < first


@pytest.mark.parametrize(
    ("step", "action"), [("add-new", "add-new"), ("remove-old", "remove-and-watch")]
)
def test_a_step_that_changed_after_its_approval_is_announced_again(
    cutover: Cutover, step: str, action: str
) -> None:
    """The process died between the approval and the step, and another file was accepted."""
    results = {f"{action} two": [CHANGED], "announce two": [ANNOUNCED, OTHERWISE]}
    runner = Recorded(results, approves=[True, True], waits_before=(step,))
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [(step, "pause-before")] * 2
    assert "rollback-started" not in runner.done


def test_a_later_wave_is_announced_without_finished_targets(cutover: Cutover) -> None:
    results = {"remove-and-watch two": [CHANGED], "announce two": [ANNOUNCED, OTHERWISE]}
    runner = Recorded(results, approves=[True, True], waits_before=("remove-old",))
    run(runner, cutover)
    asked = [each for each in runner.done if each.startswith("announce ")]
    assert asked == [f"announce {ALL}", "announce two four"]
    assert runner.done.count("remove-and-watch one") == 1


def test_a_failed_announcement_rolls_nothing_back(cutover: Cutover) -> None:
    runner = Recorded(
        {"announce one": [problem()]}, approves=[True, True], waits_before=("remove-old",)
    )
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [("remove-old", "failed"), ("remove-old", "pause-before")]


@pytest.mark.parametrize("found_by", ["verify-new two", "switch"])
def test_addresses_added_before_the_switch_are_deployed_and_proven(
    cutover: Cutover, found_by: str
) -> None:
    runner = Recorded({found_by: [CHANGED]})
    assert run(runner, cutover).outcome == "done"
    adding = [f"add-new {ALL}", f"verify-new {ALL}"]
    first = adding if found_by != "switch" else [*adding, "switch"]
    assert runner.done == [*FORWARDS[:3], *first, *FORWARDS[3:], READ_AT_THE_END]


def test_an_approval_of_the_switch_is_void_after_addresses_were_added(
    cutover: Cutover,
) -> None:
    runner = Recorded({"switch": [CHANGED]}, approves=[True, True], waits_before=("switch",))
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [("switch", "pause-before")] * 2
    assert "announcement-void" in runner.done


def test_a_manual_switch_is_announced_again_after_addresses_were_added(
    tmp_path: Path,
) -> None:
    cutover = cutover_with(tmp_path, switch={"manual": True})
    grown = Announced(digest="grown")
    runner = Recorded(
        approves=[accepted(approved=False), True],
        announced={"switch": [Announced(digest="first"), grown, grown]},
    )
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [("switch", "switch")] * 2
    assert runner.done.count(f"verify-new {ALL}") == 2


def test_traffic_that_may_have_moved_returns_before_new_addresses_are_removed(
    tmp_path: Path,
) -> None:
    cutover = cutover_with(tmp_path, switch={"manual": True})
    runner = Recorded(
        {"verify-new one": [StepResult(), problem()]},
        approves=[accepted(approved=False), True],
        announced={"switch": [Announced(digest="first"), Announced(digest="grown")]},
    )
    assert run(runner, cutover).outcome == "rolled-back"
    assert runner.pauses == [("switch", "switch"), ("switch-back", "switch")]
    assert f"remove-new {ALL}" not in runner.done


def test_the_operator_can_move_the_traffic(tmp_path: Path) -> None:
    cutover = cutover_with(tmp_path, switch={"manual": True})
    runner = Recorded({"verify one": [problem()] * 2}, approves=[True, True])
    assert run(runner, cutover).outcome == "rolled-back"
    assert runner.pauses == [("switch", "switch"), ("switch-back", "switch")]
    assert "switch" not in runner.done


def test_an_unenforced_list_is_asked_about_before_any_change(
    cutover: Cutover,
) -> None:
    bare = StepResult(evidence=ControlEvidence(outcome="not-shown", reason="it let one in"))
    runner = Recorded({"control two": [bare]}, approves=[True])
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [("control", "doubt")]
    assert runner.questions == ["it let one in (two)"]
    canceled = Recorded({"control two": [bare]})
    assert run(canceled, cutover).outcome == "canceled"
    assert f"add-new {ALL}" not in canceled.done


def test_a_list_that_still_refuses_is_saved_once_more(cutover: Cutover) -> None:
    runner = Recorded({"verify-new two": [problem("blocked")]})
    assert run(runner, cutover).outcome == "done"
    place = runner.done.index(f"verify-new {ALL}")
    again = ["add-new two", "resave two", f"verify-new {ALL}", "switch"]
    assert runner.done[place + 1 : place + 5] == again


def test_a_list_that_keeps_refusing_is_rolled_back_with_a_report_of_the_attempts(
    cutover: Cutover,
) -> None:
    runner = Recorded({"verify-new two": [problem("blocked"), problem("blocked")]})
    result = run(runner, cutover)
    assert result.outcome == "rolled-back"
    assert "saved once more because of a known issue of Salesforce" in result.message
    assert [each for each in runner.done if each.startswith("resave")] == ["resave two"]


def test_a_failed_check_during_a_pause_moves_the_traffic_back(
    cutover: Cutover,
) -> None:
    failed = Problem.model_validate(problem().problem)
    runner = Recorded(
        {"settle": [settled(one="nothing says so")]},
        approves=[Approval(approved=False, failed=failed)],
    )
    result = run(runner, cutover)
    assert (result.outcome, "switch-back" in runner.done) == ("rolled-back", True)
    assert not any(each.startswith("remove-and-watch") for each in runner.done)


def test_checks_run_after_verify_and_after_settle(tmp_path: Path) -> None:
    cutover = cutover_with(tmp_path, checks=[{"command": ["true"]}])
    runner = Recorded({"checks": [StepResult(), problem()]})
    result = run(runner, cutover)
    assert runner.done.count("checks") == 2
    assert (result.outcome, "switch-back" in runner.done) == ("rolled-back", True)
    only_watched = cutover_with(tmp_path, checks=[{"command": ["true"], "during": ["watch"]}])
    watched = Recorded()
    assert run(watched, only_watched).outcome == "done"
    assert "checks" not in watched.done


@pytest.mark.parametrize("place", range(len(FORWARDS)))
def test_a_run_is_canceled_at_the_next_safe_point(cutover: Cutover, place: int) -> None:
    runner = Recorded(cancels_at=lambda done: FORWARDS[place] in done)
    result = run(runner, cutover)
    if place == len(FORWARDS) - 1:
        assert result.outcome == "done"  # too late: all was done
        return
    assert (result.outcome, result.exit_code) == ("canceled", 9)
    assert runner.done[-1] == f"state {ALL}"
    moved = place >= FORWARDS.index("switch")
    assert ("leaves from the new addresses" in result.impact) == moved
    later = {"settle"} if FORWARDS[place].startswith("verify ") else set()
    assert set(runner.done[:-1]) - set(FORWARDS[: place + 1]) <= later


@pytest.mark.parametrize("step", ["add-new", "verify-new", "verify"])
def test_a_step_that_was_canceled_on_a_target_cancels_the_run(cutover: Cutover, step: str) -> None:
    """The request came while the step ran: only its result shows it."""
    runner = Recorded({f"{step} three": [CANCELED]})
    result = run(runner, cutover)
    assert (result.outcome, result.exit_code) == ("canceled", 9)
    assert runner.done[-2:] == [f"{step} {ALL}", f"state {ALL}"]


@pytest.mark.parametrize(
    ("sizes", "waves"),
    [
        ([1, 5], ["one", "two three four"]),
        ([4], [ALL]),
        ([1], ["one", "two", "three", "four"]),
        ([2, 1], ["one two", "three", "four"]),
    ],
)
def test_targets_are_processed_in_waves(tmp_path: Path, sizes: list[int], waves: list[str]) -> None:
    runner = Recorded()
    run(runner, cutover_with(tmp_path, waves=sizes))
    removed = [each for each in runner.done if each.startswith("remove-and-watch")]
    assert removed == [f"remove-and-watch {wave}" for wave in waves]


# Proofs between the steps


def test_traffic_does_not_move_on_a_proof_from_before_a_save(cutover: Cutover) -> None:
    runner = Recorded({"switch": [void("two")]})
    assert run(runner, cutover).outcome == "done"
    start = runner.done.index("switch")
    again = ["switch", f"add-new {ALL}", f"verify-new {ALL}", "switch", f"verify {ALL}"]
    assert runner.done[start : start + 5] == again


def test_a_manual_switch_is_announced_with_valid_proofs(tmp_path: Path) -> None:
    cutover = cutover_with(tmp_path, switch={"manual": True})
    runner = Recorded({"proofs": [void("one")]}, approves=[True])
    assert run(runner, cutover).outcome == "done"
    start = runner.done.index("proofs")
    again = ["proofs", f"add-new {ALL}", f"verify-new {ALL}", "proofs", f"verify {ALL}"]
    assert runner.done[start : start + 5] == again
    assert runner.pauses == [("switch", "switch")]


@pytest.mark.parametrize("step", ["add-new", "verify-new"])
def test_a_failure_before_traffic_moved_moves_none_back(cutover: Cutover, step: str) -> None:
    runner = Recorded({f"{step} two": [StepResult(), problem()], "switch": [void("two")]})
    assert run(runner, cutover).outcome == "rolled-back"
    assert runner.done[-2:] == ["rollback-started", f"remove-new {ALL}"]
    assert "switch-back" not in runner.done


# The question whether customers have left


DOUBT = (
    "nothing shows that customers have left the old addresses: LoginHistory is not available "
    "in the org"
)


def test_without_a_limitation_no_question_is_asked(cutover: Cutover) -> None:
    runner = Recorded({"settle": [settled()]})
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == []
    assert set(runner.said.values()) == {""}


def test_a_limitation_is_asked_about_once_for_all_targets(cutover: Cutover) -> None:
    runner = Recorded({"settle": [settled(two=DOUBT, four=DOUBT)]}, approves=[True])
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [("remove-old", "doubt")]
    assert f"; {DOUBT} (two, four)" in runner.questions[0]
    assert runner.said["two"] == runner.said["four"] == "the approval of remove-old"
    assert runner.said["one"] == runner.said["three"] == ""


def test_an_unanswered_limitation_removes_nothing(cutover: Cutover) -> None:
    runner = Recorded({"settle": [settled(two=DOUBT)]})
    assert run(runner, cutover).outcome == "canceled"
    assert runner.said == {}


def test_one_pause_shows_the_limitation_and_answers_it(cutover: Cutover) -> None:
    runner = Recorded(
        {"settle": [settled(two=DOUBT)]}, approves=[True], waits_before=("remove-old",)
    )
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [("remove-old", "pause-before")]
    assert f"{DOUBT} (two)" in runner.questions[0]
    assert runner.said["two"] == "the approval of remove-old"


def test_traffic_moved_answers_the_limitation_in_advance(cutover: Cutover) -> None:
    runner = Recorded({"settle": [settled(two=DOUBT)]}, traffic_moved=True)
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == []
    assert set(runner.said.values()) == {"--traffic-moved"}


def test_a_pause_without_the_limitation_does_not_answer_it(cutover: Cutover) -> None:
    """The limitation arises only when the allowlist is about to be changed."""
    runner = Recorded(
        {"remove-and-watch one": [problem("doubt")]},
        approves=[True, True],
        waits_before=("remove-old",),
    )
    assert run(runner, cutover).outcome == "done"
    assert runner.pauses == [("remove-old", "pause-before"), ("remove-old", "doubt")]
    assert runner.said["one"] == "the approval of remove-old"
    assert runner.said["two"] == ""
