"""What a flow is made of: durable steps, tried again where nobody can say, and people asked.

A flow decides by outcomes alone, so that it comes to the same decisions when it is gone
through again after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sfcutover.cutover.outcome import Outcome, Problem
from sfcutover.errors import Command, Text

Outcomes = Mapping[str, Outcome]
RETRY_SECONDS = (1.0, 3.0, 9.0)  # before what nobody can say for certain is looked at again
_RETRIED = ("inconclusive", "later")


class Durable(Protocol):
    """How the flow gets things done. Everything returns what it returned the first time."""

    def step(self, name: str, **arguments: object) -> Outcome:
        """One step of the whole run."""

    def on_targets(
        self, action: str, targets: Sequence[str], arguments: Mapping[str, Mapping[str, object]]
    ) -> Outcomes:
        """One action on several targets, side by side; arguments by target."""

    def pause(self, step: str, reason: str, message: str, next_: Text) -> bool:
        """Wait for a person; True if they approved, False if they cancel the run."""

    def is_to_wait(self, step: str) -> bool:
        """True if a person wants to be asked before this step."""

    def canceled(self) -> bool:
        """True if somebody wants the run to end."""

    def sleep(self, seconds: float) -> None:
        """Wait; what has passed counts after a crash."""

    def tell(self, kind: str, **data: object) -> None:
        """An event of the whole run, once."""


@dataclass(frozen=True)
class Ending:
    """How a run ended. outcome: done, failed, rolled-back or canceled."""

    outcome: str
    exit_code: int
    message: str
    tokens: str
    next: Text


class FailedError(Exception):
    """A step failed: the flow goes back. targets: where, if it was on targets."""

    def __init__(self, step: str, problem: Problem, targets: Sequence[str] = ()) -> None:
        super().__init__(problem.message)
        self.step, self.problem, self.targets = step, problem, tuple(targets)


class CanceledError(Exception):
    """Somebody wants the run to end: the flow goes no further."""


@dataclass(frozen=True)
class Flow:
    """Durable steps, and what is made of their outcomes.

    Every method raises FailedError where a step failed, and CanceledError where the run is to
    end.
    """

    durable: Durable

    def one(self, name: str) -> Outcome:
        while True:
            self.require_wanted()
            outcome = self.durable.step(name)
            for seconds in RETRY_SECONDS:
                if outcome.problem is None or outcome.problem.kind not in _RETRIED:
                    break
                self.durable.sleep(seconds)
                outcome = self.durable.step(name)
            self.go_on(outcome)
            if outcome.problem is None:
                return outcome
            if outcome.problem.kind in ("failed", "blocked") or name == "probe":
                raise FailedError(name, outcome.problem)
            self.ask_about(name, {"": outcome})

    def each(
        self, action: str, names: Sequence[str], arguments: Mapping[str, object] | None = None
    ) -> Outcomes:
        """An action that must succeed on every target; the outcomes."""
        done: dict[str, Outcome] = {}
        waiting = tuple(names)
        while waiting:
            self.require_wanted()
            by_target = {name: dict(arguments or {}) for name in waiting}
            done |= self.retried(action, waiting, by_target)
            problems = {name: done[name] for name in waiting if not done[name].ok}
            failed = {name: one for name, one in problems.items() if _is_failure(one)}
            if not failed:
                self.go_on(*(done[name] for name in waiting))
            if failed or (problems and action == "snapshot"):
                raise failure(action, failed or problems)
            waiting = tuple(problems)
            if waiting:
                self.ask_about(action, problems)
        return done

    def retried(
        self, action: str, names: Sequence[str], arguments: Mapping[str, Mapping[str, object]]
    ) -> dict[str, Outcome]:
        outcomes = dict(self.durable.on_targets(action, names, arguments))
        for seconds in RETRY_SECONDS:
            again = [name for name, one in outcomes.items() if _is_retried(one)]
            if not again or any(map(must_go_back, outcomes.values())):
                break
            self.durable.sleep(seconds)
            outcomes |= self.durable.on_targets(action, again, arguments)
        return outcomes

    def wait_for_a_person(self, step: str, does: str) -> bool:
        """Wait where that was asked for; True if it was. does: what the step will do, for whoever
        approves it."""
        self.require_wanted()
        waits = self.durable.is_to_wait(step)
        if waits:
            self.ask(step, "pause-before", f"the next step is {step}: {does}", "")
        return waits

    def ask_about(self, step: str, outcomes: Outcomes) -> None:
        """Inconclusive is no failure: nothing goes back, a person looks."""
        name, problem = next((name, one.problem) for name, one in outcomes.items() if one.problem)
        place = f"{name}: " if name else ""
        self.ask(step, problem.kind, f"{place}{problem.text}", problem.next)

    def ask(self, step: str, reason: str, message: str, next_: Text) -> None:
        if not self.durable.pause(step, reason, message, next_):
            raise CanceledError

    def require_wanted(self) -> None:
        if self.durable.canceled():
            raise CanceledError

    def go_on(self, *outcomes: Outcome) -> None:
        if any(outcome.evidence.get("canceled") for outcome in outcomes):
            raise CanceledError

    def page(self, message: str, commands: Sequence[Command]) -> None:
        """Call a person, with the exact commands."""
        self.durable.step("page", message=message, commands=list(commands))


def failure(step: str, outcomes: Outcomes) -> FailedError:
    name, problem = next((name, one.problem) for name, one in outcomes.items() if one.problem)
    several = problem.model_copy(update={"message": f"{name}: {problem.message}"})
    return FailedError(step, several, tuple(outcomes))


def _is_failure(outcome: Outcome) -> bool:
    return outcome.problem is not None and outcome.problem.kind in ("failed", "blocked")


def must_go_back(outcome: Outcome) -> bool:
    """After a removal was sent, or may have been, what is not known to be well goes back."""
    return outcome.problem is not None and (
        _is_failure(outcome) or bool(outcome.evidence.get("unsure"))
    )


def _is_retried(outcome: Outcome) -> bool:
    """What goes back goes back at once, though nobody can say what came of it."""
    if outcome.problem is None or outcome.evidence.get("unsure"):
        return False
    return outcome.problem.kind in _RETRIED
