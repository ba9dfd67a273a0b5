from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.config.checks import Watch
from sfcutover.cutover.watchrounds import watch
from sfcutover.cutover.watchtrigger import (
    CANARY,
    WatchOutcome,
    WatchPlan,
    WatchResult,
    WatchState,
    canary_result,
    watch_failure,
)
from sfcutover.errors import ConfigError, ExitCode, GateError
from sfcutover.traffic.checks import CheckResult, Verdict
from sfcutover.traffic.redemption import Redemption, RedemptionOutcome
from sfcutover.util.clock import Clock
from sfcutover.util.secrets import Secret
from tests.unit.cutover.watching import NOON, Watching

PASSED, ROLLED_BACK, INCONCLUSIVE = WatchOutcome


def failure_after(result: WatchResult) -> GateError | None:
    return watch_failure(result.outcome, result.reasons)


# Time


def test_rounds_start_on_the_grid_from_start_to_end() -> None:
    watching = Watching()
    result = watching.run()
    assert result.outcome is PASSED
    assert watching.canary.asked == [15.0 * number for number in range(61)]
    assert [each.number for each in result.rounds] == list(range(61))
    assert [each.elapsed for each in result.rounds] == watching.canary.asked
    assert result.rounds[4].time == NOON + timedelta(minutes=1)
    assert watching.rounds == list(result.rounds)


@given(st.lists(st.floats(min_value=0, max_value=14.9), min_size=1, max_size=61))
def test_the_duration_of_redemptions_adds_no_drift(takes: list[float]) -> None:
    watching = Watching()
    watching.run(takes=takes)
    assert watching.canary.asked == pytest.approx([15.0 * number for number in range(61)], abs=1e-3)


@pytest.mark.parametrize(
    ("duration", "interval", "rounds"), [(0.3, 0.1, 4), (10, 15, 1), (0, 1, 1), (29.9, 10, 3)]
)
def test_the_last_round_is_not_after_the_end(duration: float, interval: float, rounds: int) -> None:
    watching = Watching(WatchPlan(duration, interval, 2))
    assert len(watching.run().rounds) == rounds


def test_a_slow_check_delays_no_canary_and_is_not_started_twice() -> None:
    watching = Watching(WatchPlan(90, 15, 2))
    slow = watching.check("P", takes=[40])
    result = watching.run()
    assert watching.canary.asked == [0, 15, 30, 45, 60, 75, 90]
    assert slow.asked == [0, 45, 90]
    verdicts = [each.results[1].verdict for each in result.rounds]
    late, there = Verdict.ERROR, Verdict.PASSED
    assert verdicts == [late, late, there, late, late, there, late]
    assert result.rounds[0].results[1].detail == "no answer within 15 s"


def test_a_hanging_redemption_is_awaited_and_never_doubled() -> None:
    watching = Watching(WatchPlan(90, 15, 2))
    quick = watching.check("P")
    result = watching.run("R", takes=[0, 40, 0])
    assert watching.canary.asked == [0, 15, 60, 75, 90]
    assert quick.asked == [0, 15, 30, 45, 60, 75, 90]
    assert result.counts[Verdict.ERROR] == 2
    assert result.outcome is PASSED


def test_a_jumping_wall_clock_affects_only_the_records() -> None:
    watching = Watching(WatchPlan(60, 15, 2), wall_jumps={2: -86400, 3: 864000})
    result = watching.run()
    assert watching.canary.asked == [0, 15, 30, 45, 60]
    assert result.rounds[2].time < result.rounds[0].time
    assert [each.elapsed for each in result.rounds] == [0, 15, 30, 45, 60]
    assert result.outcome is PASSED


def test_a_machine_that_slept_measures_once_more_and_does_not_pass() -> None:
    watching = Watching()
    watching.check("P")
    settle = watching.time.on_pause

    def sleep() -> None:
        if len(watching.time.pauses) == 4:
            watching.time.seconds += 3600
        settle()

    watching.time.on_pause = sleep
    result = watching.run()
    assert [each.number for each in result.rounds] == [0, 1, 2, 3, 4, 60]
    assert result.outcome is INCONCLUSIVE
    assert result.reasons == (f"{CANARY}: inconclusive 4 times in a row",)


# Failures


def test_consecutive_blocks_roll_back_once_and_end_the_watch() -> None:
    watching = Watching()
    result = watching.run("RRB")
    assert watching.rolled_back == [31]
    assert result.outcome is ROLLED_BACK
    assert result.reasons == (f"{CANARY} failed, 2 times: blocked",)
    assert watching.reasons == list(result.reasons)
    assert len(result.rounds) == len(watching.rounds) == 3
    assert [each.verdict for each in result.rounds[-1].results] == [Verdict.FAILED] * 2


def test_one_block_rolls_back_if_configured() -> None:
    watching = Watching(WatchPlan(900, 15, 1))
    assert watching.run("RB").outcome is ROLLED_BACK
    assert watching.rolled_back == [15]


def test_a_block_rolls_back_without_waiting_for_a_check() -> None:
    watching = Watching()
    watching.check("P", takes=[9])
    watching.run("B", takes=[1])
    assert watching.rolled_back == [2]


@pytest.mark.parametrize("interval", [8, 15, 600])
def test_a_block_is_confirmed_a_second_later_at_any_interval(interval: float) -> None:
    watching = Watching(WatchPlan(900, interval, 3))
    watching.check("P", takes=[interval])
    watching.run("RB")
    assert watching.rolled_back == [interval + 2]
    assert watching.canary.asked[1:] == [interval, interval + 1, interval + 2]


def test_a_shorter_interval_confirms_a_block_by_itself() -> None:
    watching = Watching(WatchPlan(9, 0.25, 3))
    watching.run("RB")
    assert watching.canary.asked == pytest.approx([0, 0.25, 0.5, 0.75])


def test_a_lifted_block_leaves_the_interval_unchanged() -> None:
    watching = Watching(WatchPlan(45, 15, 2))
    assert watching.run("RBRR").outcome is PASSED
    assert watching.canary.asked == [0, 15, 16, 17, 30, 45]


def test_a_confirmation_longer_than_its_round_is_no_error() -> None:
    watching = Watching(WatchPlan(4.5, 1.5, 3))
    result = watching.run("BR", takes=[0, 0.8])
    assert result.counts[Verdict.ERROR] == 0


def test_one_blocked_address_of_a_pair_is_detected_between_successes() -> None:
    watching = Watching()
    assert watching.run("RBRBRBRB").outcome is ROLLED_BACK
    assert watching.rolled_back == [17]


def test_a_refuted_block_does_not_count() -> None:
    watching = Watching()
    assert watching.run("RBRR").outcome is PASSED
    assert watching.rolled_back == []
    assert watching.reasons == []


@pytest.mark.parametrize("then", ["N", "U", "L", "D", "NNU", "RN", "RU"])
def test_a_block_that_nothing_refutes_rolls_back_in_time(then: str) -> None:
    watching = Watching()
    result = watching.run(f"B{then}")
    assert watching.rolled_back == [4.0]  # 2 x 1, and 2 s for the last redemption to come
    assert result.reasons == (
        f"{CANARY} was blocked, and no 2 redemptions in a row have succeeded since",
    )


def test_a_hanging_redemption_does_not_delay_the_rollback() -> None:
    watching = Watching()
    watching.run("BR", takes=[0, 300])
    assert watching.rolled_back == [4.0]


def test_a_slow_redemption_can_still_lift_a_block() -> None:
    watching = Watching()
    assert watching.run("BR", takes=[0, 1.4]).outcome is PASSED


@given(
    st.integers(1, 4),
    st.text("RBUN", min_size=1, max_size=30),
    st.lists(st.floats(min_value=0, max_value=100), min_size=1, max_size=30),
)
def test_the_time_from_first_block_to_rollback_is_never_exceeded(
    failures: int, text: str, takes: list[float]
) -> None:
    watching = Watching(WatchPlan(300, 15, failures))
    result = watching.run(text, takes)
    assert len(watching.rolled_back) == (result.outcome is ROLLED_BACK)
    for begin in first_standing_blocks(watching.canary.answered, failures):
        if begin <= watching.time.seconds:
            assert watching.rolled_back[0] <= begin + failures + 2 + 1e-3


def first_standing_blocks(answered: list[tuple[float, str]], failures: int) -> list[float]:
    """The time of each block that nothing refutes later; implemented independently of the state."""
    blocks = [index for index, (_, letter) in enumerate(answered) if letter == "B"]
    runs = ["".join(each for _, each in answered[index + 1 :]) for index in blocks]
    lifted = ["R" * failures in run.replace("U", "").replace("N", "") for run in runs]
    return [answered[index][0] for index, done in zip(blocks, lifted, strict=True) if not done]


@given(st.text("RUNLD", min_size=1, max_size=70), st.text("PIE", min_size=1, max_size=70))
def test_only_a_failure_rolls_back(canary: str, check: str) -> None:
    watching = Watching()
    watching.check(check)
    assert watching.run(canary).outcome is not ROLLED_BACK
    assert watching.rolled_back == []


@pytest.mark.parametrize(
    ("looks", "rolled_back"),
    [("FF", [15]), ("FPF", []), ("FIF", [30]), ("FEEEF", [60]), ("PFPFP", [])],
)
def test_a_check_fails_consecutively_despite_inconclusive_results_between(
    looks: str, rolled_back: list[float]
) -> None:
    watching = Watching()
    watching.check(f"{looks}P")
    watching.run()
    assert watching.rolled_back == rolled_back


def test_each_check_is_counted_separately() -> None:
    watching = Watching()
    watching.check("FP", name="one")
    watching.check("PFP", name="two")
    assert watching.run().outcome is PASSED
    watching = Watching()
    watching.check("P", name="one")
    watching.check("PFF", name="two")
    assert watching.run().reasons == ("two failed, 2 times: as scripted",)


# The end


def test_the_watch_does_not_end_on_a_failure_that_may_be_the_first() -> None:
    plan = WatchPlan(60, 15, 2)
    assert (ended := Watching(plan)).run("RRRRB").outcome is ROLLED_BACK
    assert ended.rolled_back == [61]
    assert (lifted := Watching(plan)).run("RRRRBR").outcome is PASSED
    assert lifted.canary.asked[-2:] == [61, 62]
    assert (never := Watching(plan)).run("RRRRBU").outcome is ROLLED_BACK
    assert never.rolled_back == [64]
    unclear = Watching(plan)
    unclear.check("PPPPFI")
    result = unclear.run()
    assert len(result.rounds) == 7
    assert (result.outcome, result.reasons) == (INCONCLUSIVE, ("errors: failed at the end",))


@pytest.mark.parametrize(
    ("canary", "reason"),
    [
        ("RNNNNR", "error 4 times in a row"),
        ("RUUUUR", "inconclusive 4 times in a row"),
        ("RLULUR", "inconclusive 4 times in a row"),
    ],
)
def test_a_watch_that_could_not_measure_does_not_pass(canary: str, reason: str) -> None:
    watching = Watching()
    result = watching.run(canary)
    assert (result.outcome, result.reasons) == (INCONCLUSIVE, (f"{CANARY}: {reason}",))
    assert len(result.rounds) == 61
    assert watching.rolled_back == []


def test_occasional_inconclusive_results_are_counted_separately() -> None:
    watching = Watching()
    result = watching.run("UUURNNNRUUUNNNRBRR")
    assert result.outcome is PASSED
    counts = result.counts
    assert (counts[Verdict.INCONCLUSIVE], counts[Verdict.ERROR]) == (6, 6)
    assert (counts[Verdict.FAILED], counts[Verdict.PASSED]) == (1, 50)


def test_a_measurement_that_never_passed_does_not_pass() -> None:
    watching = Watching(WatchPlan(30, 15, 2))
    watching.check("I")
    assert watching.run().reasons == ("errors: never passed",)


def test_the_limits_of_inconclusive_results_are_configurable() -> None:
    watching = Watching(WatchPlan(900, 15, 2, inconclusive=2, errors=6))
    watching.check("PEEEEEP")
    assert watching.run("RUUR").reasons == (f"{CANARY}: inconclusive 2 times in a row",)
    watching = Watching(WatchPlan(900, 15, 2, errors=3, roll_back_when_blind=True))
    assert watching.run("RNNNNN").reasons == (f"{CANARY}: error 3 times in a row",)
    assert watching.rolled_back == [45]


def test_the_settings_are_those_of_cutover_yaml() -> None:
    config = Watch.model_validate({"duration": "5m", "interval": "10s", "failures": 3, "errors": 9})
    assert WatchPlan.of(config) == WatchPlan(300.0, 10.0, 3, 4, 9, False)
    assert WatchPlan.of(Watch()) == WatchPlan(900.0, 15.0, 2)
    blind = Watch.model_validate({"inconclusive": 7, "roll_back_when_blind": True})
    assert WatchPlan.of(blind) == WatchPlan(900.0, 15.0, 2, 7, 4, True)


def test_a_watch_that_does_not_pass_is_a_failed_gate() -> None:
    assert failure_after(Watching().run()) is None
    rolled_back, unclear = failure_after(Watching().run("B")), failure_after(Watching().run("N"))
    assert rolled_back is not None
    assert unclear is not None
    assert rolled_back.exit_code is unclear.exit_code is ExitCode.GATE
    assert rolled_back.message == f"the watch rolled back: {CANARY} failed, 2 times: blocked"
    assert "error 4 times in a row; " in unclear.message
    assert unclear.message.startswith(f"the watch was inconclusive: {CANARY}: ")
    assert "nothing was rolled back" in unclear.impact


# Failures of observers and measurements


def test_a_failing_observer_does_not_hide_a_trigger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching = Watching(WatchPlan(900, 15, 1))

    def fail(_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(watching, "completed", fail)
    assert watching.run("B").outcome is ROLLED_BACK


def test_a_failing_observer_ends_a_watch_without_a_trigger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching = Watching()

    def fail(_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(watching, "completed", fail)
    with pytest.raises(OSError, match="no room"):
        watching.run("R")


def test_each_canary_is_counted_separately() -> None:
    """One block each is not two in a row; two of the same canary are."""
    blocked, fine = (
        CheckResult(name, verdict, "d")
        for name, verdict in (("b", Verdict.FAILED), ("a", Verdict.PASSED))
    )
    state = WatchState(WatchPlan(900, 15, 2), ("a", "b"))
    state.record(0, blocked, 0.0)
    state.record(1, blocked, 0.0)
    assert state.trigger is None
    state.record(0, fine, 15.0)
    state.record(1, blocked, 15.0)
    assert state.trigger == "b failed, 2 times: d"


def test_an_unrefuted_block_of_any_canary_has_its_deadline() -> None:
    state = WatchState(WatchPlan(900, 15, 2), ("a", "b"))
    state.record(1, CheckResult("b", Verdict.FAILED, "d"), 10.0)
    state.record(0, CheckResult("a", Verdict.PASSED, "d"), 10.0)
    assert state.deadline == 10.0 + 2 * 1 + 2
    state.pass_time(state.deadline)
    assert state.trigger == "b was blocked, and no 2 redemptions in a row have succeeded since"


def test_ctrl_c_ends_the_watch_without_a_rollback() -> None:
    watching = Watching()

    def interrupt() -> None:
        if watching.time.seconds == 30:
            raise KeyboardInterrupt

    watching.time.on_pause = interrupt
    with pytest.raises(KeyboardInterrupt):
        watching.run()
    assert len(watching.rounds) == 2
    assert watching.rolled_back == []


def test_an_exception_of_a_measurement_is_its_error() -> None:
    watching = Watching(WatchPlan(30, 15, 2))

    def redeem() -> Redemption:
        if watching.time.seconds == 15:
            raise ConfigError("the store is gone", hint="h", where="cutover.yaml:7")
        if watching.time.seconds == 30:
            raise ValueError("hunter2-token")
        return Redemption(RedemptionOutcome.REDEEMED, NOON)

    watching.redeem = redeem
    result = watching.run()
    assert result.rounds[1].results == (
        CheckResult(CANARY, Verdict.ERROR, "cutover.yaml:7: the store is gone"),
    )
    assert result.rounds[2].results == (CheckResult(CANARY, Verdict.ERROR, "ValueError"),)


@pytest.mark.parametrize("outcome", RedemptionOutcome)
def test_only_a_block_is_a_failure_of_the_canary(outcome: RedemptionOutcome) -> None:
    verdict = canary_result(CANARY, Redemption(outcome, NOON)).verdict
    unclear = {
        RedemptionOutcome.UNKNOWN,
        RedemptionOutcome.RATE_LIMITED,
        RedemptionOutcome.BUSY,
        RedemptionOutcome.INCONCLUSIVE,
    }
    assert (verdict is Verdict.PASSED) == (outcome is RedemptionOutcome.REDEEMED)
    assert (verdict is Verdict.FAILED) == (outcome is RedemptionOutcome.BLOCKED)
    assert (verdict is Verdict.INCONCLUSIVE) == (outcome in unclear)


def test_the_message_of_a_canary_is_kept_and_its_token_is_not() -> None:
    redemption = Redemption(
        RedemptionOutcome.BLOCKED,
        NOON,
        400,
        "invalid_grant",
        "ip restricted",
        Secret("hunter2-token"),
    )
    result = canary_result(CANARY, redemption)
    assert result.detail == "blocked: invalid_grant: ip restricted"
    assert "hunter2" not in repr(result)


# Threads


def test_measurements_run_concurrently_in_real_time() -> None:
    """The check can only pass during the redemption, and the redemption only during the check."""
    meet, watching = threading.Barrier(2), Watching()

    def redeem() -> Redemption:
        meet.wait(30)
        return Redemption(RedemptionOutcome.REDEEMED, NOON)

    def look() -> CheckResult:
        meet.wait(30)
        return CheckResult("met", Verdict.PASSED, "")

    plan = WatchPlan(0, 60, 2)
    result = watch(plan, {CANARY: redeem}, [look], watching, Clock())
    assert result.outcome is PASSED


def test_a_hanging_check_delays_neither_the_rollback_nor_the_end() -> None:
    started, release, ended = threading.Event(), threading.Event(), threading.Event()
    watching = Watching()

    def hang() -> CheckResult:
        started.set()
        release.wait(20)
        ended.set()
        return CheckResult("hung", Verdict.PASSED, "")

    def redeem() -> Redemption:
        assert started.wait(20)
        return Redemption(RedemptionOutcome.BLOCKED, NOON)

    try:
        plan = WatchPlan(60, 60, 1)
        result = watch(plan, {CANARY: redeem}, [hang], watching, Clock())
        assert not ended.is_set()
    finally:
        release.set()
    assert [each.name for each in result.rounds[0].results] == [CANARY]
    assert result.outcome is ROLLED_BACK
