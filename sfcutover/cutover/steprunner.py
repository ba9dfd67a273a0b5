"""What the workflow is made of: steps, retried where their result is unknown, and approvals.

A workflow decides by results alone, so that it comes to the same decisions when it is
executed again after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import Field

from sfcutover.cutover.announcement import Announced, Announcement
from sfcutover.cutover.evidence import Evidence
from sfcutover.cutover.stepresult import Problem, StepEvidence, StepResult
from sfcutover.errors import Command, Text
from sfcutover.util.document import Document

StepResults = Mapping[str, StepResult]
RETRY_SECONDS = (1.0, 3.0, 9.0)  # before a step with an unknown result is tried again
_RETRIED = ("inconclusive", "later")
NEW_PROCESS = (
    "the process that executes the run cannot receive the variable: stop it, set the variable, "
    "then approve in the environment that has it"
)


class StepArguments(Document):
    """What a step is told. Each step takes its own.

    patience: seconds (verify-new). proofs: of the new addresses, by target (switch, settle).
    proof: of the new addresses (remove-old). traffic_moved: how it was said that customers have
    left the addresses to be removed, empty where it was not (remove-old, remove-new). announced:
    what the step may change, where that was announced. step: the one to announce, or whose
    policies are to stay (restore-policies). message, commands: for the operator (page).
    """

    patience: float = 0.0
    proofs: dict[str, Evidence] = Field({})
    proof: Evidence | None = None
    traffic_moved: str = ""
    announced: Announced | None = None
    step: str = ""
    message: str = ""
    commands: tuple[Command, ...] = ()


CHECKS = "checks"  # the step that sees whether a check has failed since the switch
NO_ARGUMENTS = StepArguments()
NONE: Mapping[str, StepArguments] = {}


@dataclass(frozen=True)
class Question:
    """What the operator is asked. announcement: where they approve a step."""

    step: str
    reason: str
    message: str
    next: Text
    announcement: Announcement | None = None


class Approval(StepEvidence):
    """What the operator said of a pause; who, when and why are empty where they did not approve.

    pause: its number. is_current: False where cutover.yaml is another since it was announced.
    failed: what the checks have found meanwhile, so that nothing need be answered.
    """

    approved: bool
    who: str = ""
    time: float = 0.0
    note: str | None = None
    pause: int = 0
    is_current: bool = True
    failed: Problem | None = None


class Execute(Protocol):
    """Executes a step on one target by its name."""

    def __call__(self, step: str, arguments: StepArguments = ...) -> StepResult: ...


class StepRunner(Protocol):
    """How the workflow gets things done. Everything returns what it returned the first time."""

    async def step(self, name: str, arguments: StepArguments = ...) -> StepResult:
        """One step of the whole run."""

    async def on_targets(
        self, action: str, targets: Sequence[str], arguments: Mapping[str, StepArguments] = ...
    ) -> StepResults:
        """One action on several targets, in parallel; arguments by target."""

    async def announce(self, step: str) -> Announced:
        """What a step of the whole run does, as cutover.yaml says it."""

    async def pause(self, question: Question) -> Approval:
        """Wait until the operator approves or cancels, or cutover.yaml is not as announced."""

    async def pauses_before(self, step: str) -> bool:
        """True if the operator wants to approve this step."""

    async def says_traffic_moved(self) -> bool:
        """True if the operator has said beforehand that customers have left the old addresses."""

    async def is_canceled(self) -> bool:
        """True if the run is to end."""

    async def sleep(self, seconds: float) -> None:
        """Wait; what has passed counts after a crash."""

    async def tell(self, kind: str, **data: object) -> None:
        """An event of the whole run, once."""


@dataclass(frozen=True)
class RunResult:
    """How a run ended. outcome: done, failed, rolled-back or canceled."""

    outcome: str
    exit_code: int
    message: str
    impact: str
    next: Text


class StepFailedError(Exception):
    """A step failed: the run rolls back. targets: where, if it was on targets."""

    def __init__(self, step: str, problem: Problem, targets: Sequence[str] = ()) -> None:
        super().__init__(problem.message)
        self.step, self.problem, self.targets = step, problem, tuple(targets)


class ChangedError(Exception):
    """A step would not do what was announced: nothing was done, and it is to be announced again."""


class RunCanceledError(Exception):
    """The run is to be canceled: the workflow goes no further."""


@dataclass(frozen=True)
class Flow:
    """Steps, and what is made of their results.

    Every method raises StepFailedError where a step failed, ChangedError where it would not do what
    was announced, and RunCanceledError where the run is to end.
    """

    runner: StepRunner

    async def one(self, name: str, arguments: StepArguments = NO_ARGUMENTS) -> StepResult:
        """One step of the whole run, until it succeeds; the operator is asked meanwhile."""
        while True:
            await self.require_not_canceled()
            result = await self._tried(name, arguments)
            self.require_completed(result)
            if result.problem is None:
                return result
            if result.problem.is_failure or name == "probe":
                raise StepFailedError(name, result.problem)
            if result.is_changed:
                raise ChangedError
            await self.ask_about(name, {"": result})

    async def each(
        self, action: str, names: Sequence[str], arguments: Mapping[str, StepArguments] = NONE
    ) -> StepResults:
        """An action that must succeed on every target; the results. arguments: by target."""
        done: dict[str, StepResult] = {}
        waiting = tuple(names)
        about = next((one.step for one in arguments.values() if one.step), action)
        while waiting:
            await self.require_not_canceled()
            done |= await self.retried(action, waiting, arguments)
            problems = {name: done[name] for name in waiting if not done[name].ok}
            failed = {name: one for name, one in problems.items() if _is_failure(one)}
            if action == "announce":  # changes nothing, so there is nothing to roll back
                failed = {}
            if not failed:
                self.require_completed(*(done[name] for name in waiting))
            if failed or (problems and action == "snapshot"):
                raise failure(action, failed or problems)
            if any(one.is_changed for one in problems.values()):
                raise ChangedError
            waiting = tuple(problems)
            if waiting:
                await self.ask_about(about, problems)
        return done

    async def retried(
        self, action: str, names: Sequence[str], arguments: Mapping[str, StepArguments]
    ) -> dict[str, StepResult]:
        """An action on targets, again where its result is unknown, unless one must roll back."""
        results = dict(await self.runner.on_targets(action, names, arguments))
        for seconds in RETRY_SECONDS:
            again = [name for name, one in results.items() if _is_retried(one)]
            if not again or any(map(must_roll_back, results.values())):
                break
            await self.runner.sleep(seconds)
            results |= await self.runner.on_targets(action, again, arguments)
        return results

    async def pauses_before(self, step: str) -> bool:
        """True if the operator wants to approve the step."""
        await self.require_not_canceled()
        return await self.runner.pauses_before(step)

    async def ask_about(self, step: str, results: StepResults) -> None:
        """An unknown result is no failure: nothing is rolled back, the operator decides."""
        name, problem = next((name, one.problem) for name, one in results.items() if one.problem)
        place = f"{name}: " if name else ""
        next_ = NEW_PROCESS if problem.kind == "environment" else problem.next
        await self.ask(Question(step, problem.kind, f"{place}{problem.text}", next_))

    async def ask(self, question: Question) -> Approval:
        """Pause for approval. Raises RunCanceledError if the operator cancels instead, and
        StepFailedError where something fails meanwhile."""
        answer = await self.runner.pause(question)
        if answer.failed is not None:
            raise StepFailedError(CHECKS, answer.failed)
        if answer.is_current and not answer.approved:
            raise RunCanceledError
        return answer

    async def require_not_canceled(self) -> None:
        if await self.runner.is_canceled():
            raise RunCanceledError

    def require_completed(self, *results: StepResult) -> None:
        """Raises RunCanceledError if a step ended because the run is to be canceled."""
        if any(result.is_canceled for result in results):
            raise RunCanceledError

    async def alert(self, message: str, *commands: Command) -> None:
        """Alert the operator, with the exact commands."""
        await self.runner.step("page", StepArguments(message=message, commands=commands))

    async def _tried(self, name: str, arguments: StepArguments) -> StepResult:
        result = await self.runner.step(name, arguments)
        for seconds in RETRY_SECONDS:
            if result.problem is None or result.problem.kind not in _RETRIED:
                break
            await self.runner.sleep(seconds)
            result = await self.runner.step(name, arguments)
        return result


def failure(step: str, results: StepResults) -> StepFailedError:
    """The first problem of these results, naming its target."""
    name, problem = next((name, one.problem) for name, one in results.items() if one.problem)
    several = problem.model_copy(update={"message": f"{name}: {problem.message}"})
    return StepFailedError(step, several, tuple(results))


def must_roll_back(result: StepResult) -> bool:
    """After a removal was sent, or may have been, a result without a known success rolls back."""
    return result.problem is not None and (_is_failure(result) or result.is_rolled_back)


def _is_failure(result: StepResult) -> bool:
    return result.problem is not None and result.problem.is_failure


def _is_retried(result: StepResult) -> bool:
    """A result that must roll back does so immediately, even if it is unknown."""
    if result.problem is None or result.is_rolled_back:
        return False
    return result.problem.kind in _RETRIED
