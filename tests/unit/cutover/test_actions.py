"""Taking the old addresses off one list, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

from sfcutover.config.cutover import load_config
from sfcutover.config.traffic import State
from sfcutover.config.values import Text
from sfcutover.cutover.actions import REMOVE_TRIES, retire
from sfcutover.cutover.outcome import Outcome
from sfcutover.cutover.step import Connections, Probes, TargetWork, Work
from sfcutover.runs.database import Database
from sfcutover.runs.journal import Journal
from sfcutover.runs.processes import Presence
from sfcutover.runs.store import Requests
from tests.unit.cutover.outcomes import problem

ROLLED_BACK = Outcome(evidence={"outcome": "rolled-back", "reasons": ["blocked twice"]})
BACK = ["restore-old", "prove-old"]


@dataclass
class Performed:
    """Answers with what a test has laid down, else with success, and records."""

    answers: dict[str, list[Outcome]] = field(default_factory=dict)
    before: Callable[[str], None] = lambda _: None
    done: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __call__(self, step: str, **more: object) -> Outcome:
        self.done.append(step)
        self.before(step)
        laid_down = self.answers.get(step)
        return laid_down.pop(0) if laid_down else Outcome()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TargetWork]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    config = {
        "version": 1,
        "name": "move",
        "app": "Acme",
        "old": ["203.0.113.1"],
        "new": ["198.51.100.1"],
        "targets": [{"name": "org", "org": {"alias": "org"}}],
    }
    path = tmp_path / "cutover.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    cutover = load_config(path)
    database = Database.open(State(url=Text(literal=f"sqlite:///{tmp_path}/state.db")))
    with Presence(database, "move", "run", "config") as presence:
        yield Work(
            cutover,
            Journal(database, "move.1"),
            Requests(database, "move.1"),
            presence,
            "retire",
            "key",
            Probes(cutover),
            Connections(cutover),
        ).at("org")
    database.close()


def tell_sent(work: TargetWork) -> None:
    work.tell("deployment-sending", phase="remove-old", latest=None)


def run(work: TargetWork, performed: Performed) -> Outcome:
    return retire(work, performed, performed.sleep)


def test_what_goes_well_is_removed_and_watched(work: TargetWork) -> None:
    performed = Performed()
    assert run(work, performed).ok
    assert performed.done == ["remove-old", "watch"]


def test_a_refused_removal_goes_back_at_once(work: TargetWork) -> None:
    performed = Performed({"remove-old": [problem("failed")]})
    outcome = run(work, performed)
    assert not outcome.ok
    assert outcome.evidence["unsure"] is True
    assert performed.done == ["remove-old", *BACK]


@pytest.mark.parametrize("kind", ["inconclusive", "later"])
def test_what_nobody_knows_is_tried_again_and_goes_back_only_if_it_was_sent(
    work: TargetWork, kind: str
) -> None:
    unsent = Performed({"remove-old": [problem(kind)] * REMOVE_TRIES})
    outcome = run(work, unsent)
    assert "unsure" not in outcome.evidence
    assert unsent.done == ["remove-old"] * REMOVE_TRIES
    tell_sent(work)
    sent = Performed({"remove-old": [problem(kind)] * REMOVE_TRIES})
    outcome = run(work, sent)
    assert outcome.evidence["unsure"] is True
    assert sent.done == ["remove-old"] * REMOVE_TRIES + BACK


def test_a_canceled_removal_is_left_alone(work: TargetWork) -> None:
    performed = Performed({"remove-old": [Outcome(evidence={"canceled": True})]})
    assert run(work, performed).evidence == {"canceled": True}
    assert performed.done == ["remove-old"]


def test_a_watch_that_rolled_back_is_a_failure_though_the_journal_lacks_it(
    work: TargetWork,
) -> None:
    performed = Performed({"watch": [ROLLED_BACK]})
    outcome = run(work, performed)
    assert outcome.problem is not None
    assert outcome.problem.message == "the watch rolled back: blocked twice"
    assert performed.done == ["remove-old", "watch", *BACK]


@pytest.mark.parametrize("kind", ["inconclusive", "person", "failed"])
def test_a_rollback_that_was_begun_is_finished_whatever_the_watch_says(
    work: TargetWork, kind: str
) -> None:
    def roll_back(step: str) -> None:
        if step == "watch":
            work.journal.write("rolling-back", "watch", "org", {"reason": "blocked twice"})

    performed = Performed({"watch": [problem(kind)]}, roll_back)
    outcome = run(work, performed)
    assert outcome.problem is not None
    assert "blocked twice" in outcome.problem.message
    assert performed.done == ["remove-old", "watch", *BACK]


def test_begun_again_a_way_back_is_gone_on_with_and_nothing_is_removed(work: TargetWork) -> None:
    run(work, Performed({"remove-old": [problem("failed")]}))
    performed = Performed()
    outcome = run(work, performed)
    assert outcome.problem == problem("failed").problem
    assert performed.done == BACK


def test_begun_again_behind_a_watch_that_passed_nothing_is_done(work: TargetWork) -> None:
    passed = Outcome(evidence={"outcome": "passed"})
    for step, outcome in (("remove-old", Outcome()), ("watch", passed)):
        at = replace(work, step=step)
        at.tell("step-started")
        at.tell("step-ended", **outcome.model_dump(mode="json"))
    performed = Performed()
    assert run(work, performed) == passed
    assert performed.done == []
    replace(work, step="remove-old").tell("step-started")  # another removal, another watch
    run(work, performed)
    assert performed.done == ["remove-old", "watch"]


def test_what_was_sent_is_watched_though_the_run_is_to_be_canceled(work: TargetWork) -> None:
    tell_sent(work)
    performed = Performed({"remove-old": [Outcome(evidence={"canceled": True})]})
    assert run(work, performed).ok
    assert performed.done == ["remove-old", "watch"]


def test_a_watch_that_could_not_tell_goes_not_back(work: TargetWork) -> None:
    performed = Performed({"watch": [problem("person")]})
    assert "unsure" not in run(work, performed).evidence
    assert performed.done == ["remove-old", "watch"]


def test_putting_back_is_tried_until_it_succeeds_and_a_person_is_called(work: TargetWork) -> None:
    performed = Performed(
        {"remove-old": [problem("failed")], "restore-old": [problem("inconclusive")] * 25}
    )
    run(work, performed)
    assert performed.done.count("restore-old") == 26
    assert performed.done.count("page") == 3
    assert performed.done[-1] == "prove-old"
    assert performed.slept[-1] == 60.0
