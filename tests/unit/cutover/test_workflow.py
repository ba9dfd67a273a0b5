"""The order of a cutover and its ways back, decided by outcomes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from sfcutover.config.cutover import Cutover, load_config
from sfcutover.cutover.flow import Ending, Flow, Outcomes
from sfcutover.cutover.notify import TRIES_A_PAGE
from sfcutover.cutover.outcome import Outcome
from sfcutover.cutover.workflow import CutoverFlow
from sfcutover.errors import Text
from sfcutover.traffic.switch import DRAIN_SECONDS
from tests.unit.cutover.outcomes import problem

PROOF = {"proof": {"last_proof": "2026-11-24T12:00:00+00:00"}}
GOOD: dict[str, Outcome] = {"verify": Outcome(evidence=PROOF)}


@dataclass
class Recorded:
    """Performs nothing: answers with what a test has laid down, else with success, and records.

    answers: by step, or by step and target, what is answered first, second, ...
    approves: what people say to pauses, in turn; at the end they cancel. waits_before: steps
    before which a person wants to be asked.
    """

    answers: dict[str, list[Outcome]] = field(default_factory=dict)
    approves: list[bool] = field(default_factory=list)
    waits_before: tuple[str, ...] = ()
    cancels_at: Callable[[list[str]], bool] = lambda _: False
    done: list[str] = field(default_factory=list)
    pauses: list[tuple[str, str]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def step(self, name: str, **arguments: object) -> Outcome:
        self.done.append(name)
        return self._answer(name)

    def on_targets(
        self, action: str, targets: Sequence[str], arguments: Mapping[str, Mapping[str, object]]
    ) -> Outcomes:
        self.done.append(f"{action} {' '.join(targets)}")
        return {name: self._answer(f"{action} {name}") for name in targets}

    def pause(self, step: str, reason: str, message: str, next_: Text) -> bool:
        self.pauses.append((step, reason))
        return self.approves.pop(0) if self.approves else False

    def is_to_wait(self, step: str) -> bool:
        return step in self.waits_before

    def canceled(self) -> bool:
        return self.cancels_at(self.done)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def tell(self, kind: str, **data: object) -> None:
        if kind == "rollback-started":
            self.done.append(kind)

    def _answer(self, name: str) -> Outcome:
        laid_down = self.answers.get(name)
        if laid_down:
            return laid_down.pop(0)
        return GOOD.get(name.split()[0], Outcome())


@pytest.fixture
def cutover(tmp_path: Path) -> Cutover:
    """Four targets, the first alone in the first wave, then two at once."""
    return cutover_with(tmp_path)


def cutover_with(folder: Path, **keys: object) -> Cutover:
    config = {
        "version": 1,
        "name": "move",
        "app": "Acme",
        "old": ["203.0.113.1"],
        "new": ["198.51.100.1"],
        "targets": [
            {"name": name, "org": {"alias": name}} for name in ("one", "two", "three", "four")
        ],
        "switch": {"apply": ["true"], "revert": ["true"]},
        "verify": {"client_id": "id", "refresh_token": {"file": "token"}},
        "waves": [1, 2],
    } | keys
    path = folder / "cutover.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return load_config(path)


ALL = "one two three four"
FORWARDS = [
    "probe",
    f"snapshot {ALL}",
    f"add-new {ALL}",
    f"verify-new {ALL}",
    "switch",
    f"verify {ALL}",
    "settle",
    "retire one",
    "retire two three",
    "retire four",
]


def run(durable: Recorded, cutover: Cutover) -> Ending:
    names = tuple(each.name for each in cutover.targets)
    return CutoverFlow(Flow(durable), cutover, names).run()


def test_the_order_of_a_cutover_that_goes_well(cutover: Cutover) -> None:
    durable = Recorded()
    assert (ending := run(durable, cutover)).outcome == "done"
    assert ending.exit_code == 0
    assert durable.done == FORWARDS


@pytest.mark.parametrize("step", ["probe", "snapshot two"])
def test_before_anything_changed_there_is_nothing_to_go_back_to(
    cutover: Cutover, step: str
) -> None:
    durable = Recorded({step: [problem(code=8)]})
    ending = run(durable, cutover)
    assert (ending.outcome, ending.exit_code) == ("failed", 8)
    assert (
        durable.done == FORWARDS[: FORWARDS.index("probe" if step == "probe" else FORWARDS[1]) + 1]
    )


@pytest.mark.parametrize("step", ["add-new three", "verify-new one"])
def test_before_the_switch_everything_goes_back(cutover: Cutover, step: str) -> None:
    durable = Recorded({step: [problem()]})
    ending = run(durable, cutover)
    assert (ending.outcome, ending.exit_code) == ("rolled-back", 5)
    assert durable.done[-2:] == ["rollback-started", f"remove-new {ALL}"]
    assert "switch" not in durable.done


def test_what_could_not_be_taken_off_again_is_named(cutover: Cutover) -> None:
    canceled = Outcome(evidence={"canceled": True})
    durable = Recorded(
        {
            "add-new three": [problem()],
            "remove-new one": [problem("inconclusive")],
            "remove-new two": [canceled],
        }
    )
    assert "still be on the list of one, two" in run(durable, cutover).tokens


@pytest.mark.parametrize("step", ["switch", "verify two"])
def test_after_the_switch_traffic_goes_back_and_the_lists_stay(cutover: Cutover, step: str) -> None:
    durable = Recorded({step: [problem(), problem()]})
    ending = run(durable, cutover)
    assert ending.outcome == "rolled-back"
    assert durable.done[-4:] == [
        "rollback-started",
        f"restore-old {ALL}",
        "switch-back",
        "prove-old",
    ]
    assert not any(each.startswith(("remove", "retire")) for each in durable.done)


def test_a_refused_address_is_put_on_again_and_proven_again(cutover: Cutover) -> None:
    durable = Recorded({"verify two": [problem("blocked")]})
    assert run(durable, cutover).outcome == "done"
    start = durable.done.index("switch")
    assert durable.done[start + 1 : start + 4] == [f"verify {ALL}", "add-new two", f"verify {ALL}"]


def test_after_a_removal_only_that_target_goes_back_and_no_wave_follows(cutover: Cutover) -> None:
    durable = Recorded({"retire three": [problem()]})
    ending = run(durable, cutover)
    assert ending.outcome == "rolled-back"
    assert durable.done[-3:] == ["rollback-started", "restore-old three", "check-new three"]
    assert "retire four" not in durable.done


def test_a_new_address_that_got_lost_is_put_on_again_and_traffic_stays(cutover: Cutover) -> None:
    durable = Recorded({"retire two": [problem()], "check-new two": [problem("blocked")]})
    ending = run(durable, cutover)
    assert durable.done[-4:] == [
        "restore-old two",
        "check-new two",
        "add-new two",
        "check-new two",
    ]
    assert "this run moves no traffic" in ending.tokens


def test_traffic_goes_back_if_a_new_address_is_refused_and_first_all_lists_allow_it(
    cutover: Cutover,
) -> None:
    durable = Recorded({"retire two": [problem()], "check-new two": [problem("blocked")] * 2})
    ending = run(durable, cutover)
    assert durable.done[-6:] == [
        "check-new two",
        "add-new two",
        "check-new two",
        f"restore-old {ALL}",
        "switch-back",
        "prove-old",
    ]
    assert "back on the old addresses" in ending.tokens


def test_who_is_in_doubt_goes_back_with_who_has_failed(cutover: Cutover) -> None:
    durable = Recorded({"retire two": [problem("person")], "retire three": [problem()]})
    ending = run(durable, cutover)
    assert "restore-old three two" in durable.done
    assert "three, two" in ending.tokens
    assert durable.pauses == []


def test_going_back_comes_before_a_request_to_cancel(cutover: Cutover) -> None:
    canceled = Outcome(evidence={"canceled": True})
    durable = Recorded({"retire two": [canceled], "retire three": [problem()]})
    assert run(durable, cutover).outcome == "rolled-back"
    assert "restore-old three" in durable.done


def test_a_way_back_that_nobody_finishes_says_so(cutover: Cutover) -> None:
    durable = Recorded({"switch": [problem()], "switch-back": [problem()]})
    ending = run(durable, cutover)
    assert (ending.outcome, ending.exit_code) == ("rolled-back", 5)
    assert "traffic may still leave by the new addresses" in ending.tokens
    assert durable.done[-1] == "page"


def test_a_way_back_that_does_not_redeem_says_so(cutover: Cutover) -> None:
    durable = Recorded({"switch": [problem()], "prove-old": [problem("blocked")] * 9})
    ending = run(durable, cutover)
    assert "does not succeed" in ending.tokens
    assert durable.done[-1] == "page"


def test_a_rollback_that_fails_calls_a_person_and_tries_on_without_end(cutover: Cutover) -> None:
    durable = Recorded({"retire one": [problem()], "restore-old one": [problem()] * 2000})
    assert run(durable, cutover).outcome == "rolled-back"
    assert durable.done.count("restore-old one") == 2001
    assert durable.done.count("page") == 2000 / TRIES_A_PAGE
    assert durable.slept[-1] == 60.0


def test_what_nobody_can_say_is_tried_again_then_a_person_is_asked(cutover: Cutover) -> None:
    unclear = [problem("inconclusive", 7)] * 5
    durable = Recorded({"verify two": unclear, "switch": unclear[:2]}, approves=[True])
    assert run(durable, cutover).outcome == "done"
    assert durable.pauses == [("verify", "inconclusive")]
    assert durable.done.count("switch") == 3
    assert "rollback-started" not in durable.done


def test_a_person_is_asked_at_once_where_only_one_can_help(cutover: Cutover) -> None:
    durable = Recorded({"add-new two": [problem("person", 6)]}, approves=[True])
    assert run(durable, cutover).outcome == "done"
    assert durable.pauses == [("add-new", "person")]
    assert durable.done.count("add-new two") == 1
    assert durable.slept == [DRAIN_SECONDS]


def test_a_removal_nobody_is_sure_of_goes_back(cutover: Cutover) -> None:
    unsure = problem("inconclusive", 7).model_copy(update={"evidence": {"unsure": True}})
    durable = Recorded({"retire one": [unsure] * 5})
    assert run(durable, cutover).outcome == "rolled-back"
    assert "restore-old one" in durable.done


def test_a_watch_that_could_not_tell_waits_for_a_person(cutover: Cutover) -> None:
    durable = Recorded({"retire one": [problem("person")]}, approves=[True])
    assert run(durable, cutover).outcome == "done"
    assert durable.done.count("retire one") == 2
    assert durable.pauses == [("remove-old", "person")]


@pytest.mark.parametrize("step", ["add-new", "switch", "verify", "remove-old"])
def test_a_run_waits_before_the_steps_it_was_told_to(cutover: Cutover, step: str) -> None:
    durable = Recorded(approves=[True], waits_before=(step,))
    assert run(durable, cutover).outcome == "done"
    assert durable.pauses == [(step, "pause-before")]
    canceled = Recorded(waits_before=(step,))
    assert run(canceled, cutover).outcome == "canceled"
    assert not any(
        f"{each} ".startswith(f"{step} ".replace("remove-old", "retire")) for each in canceled.done
    )


def test_a_person_may_be_the_switch(tmp_path: Path) -> None:
    cutover = cutover_with(tmp_path, switch={"manual": True})
    durable = Recorded({"verify one": [problem()] * 2}, approves=[True, True])
    assert run(durable, cutover).outcome == "rolled-back"
    assert durable.pauses == [("switch", "switch"), ("switch-back", "switch")]
    assert "switch" not in durable.done


@pytest.mark.parametrize("place", range(len(FORWARDS)))
def test_a_run_is_canceled_at_the_next_safe_point(cutover: Cutover, place: int) -> None:
    durable = Recorded(cancels_at=lambda done: FORWARDS[place] in done)
    ending = run(durable, cutover)
    if place == len(FORWARDS) - 1:
        assert ending.outcome == "done"  # too late: all was done
        return
    assert (ending.outcome, ending.exit_code) == ("canceled", 9)
    assert durable.done[-1] == f"state {ALL}"
    moved = place >= FORWARDS.index("switch")
    assert ("leaves by the new addresses" in ending.tokens) == moved
    later = {"settle"} if FORWARDS[place].startswith("verify ") else set()
    assert set(durable.done[:-1]) - set(FORWARDS[: place + 1]) <= later


@pytest.mark.parametrize(
    ("sizes", "waves"),
    [
        ([1, 5], ["one", "two three four"]),
        ([4], [ALL]),
        ([1], ["one", "two", "three", "four"]),
        ([2, 1], ["one two", "three", "four"]),
    ],
)
def test_waves(tmp_path: Path, sizes: list[int], waves: list[str]) -> None:
    durable = Recorded()
    run(durable, cutover_with(tmp_path, waves=sizes))
    retired = [each for each in durable.done if each.startswith("retire")]
    assert retired == [f"retire {wave}" for wave in waves]
