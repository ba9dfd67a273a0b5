"""The five steps of a cutover and their rollbacks, as one durable flow.

Only the order stands here. What a step does is in ``steps``; that it is done once, and gone
on with after a crash, is the business of ``durable``. The flow decides by outcomes alone, so
that it comes to the same decisions when it is gone through again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice, repeat
from typing import Protocol

from sfcutover.config import Cutover
from sfcutover.errors import ExitCode
from sfcutover.steps.outcome import Outcome, Problem
from sfcutover.steps.paging import TRIES_A_PAGE, pause_after

Outcomes = Mapping[str, Outcome]
RETRY_SECONDS = (1.0, 3.0, 9.0)  # before what nobody can say for certain is looked at again
DRAIN_SECONDS = 1.0  # LoginTime has whole seconds: a proof must not share one with old traffic
PAUSES = ("add-new", "switch", "verify", "remove-old")
_RETRIED = ("inconclusive", "later")


class Durable(Protocol):
    """How the flow gets things done. Everything returns what it returned the first time."""

    def step(self, name: str, **arguments: object) -> Outcome:
        """One step of the whole run."""

    def on_targets(
        self, action: str, targets: Sequence[str], arguments: Mapping[str, Mapping[str, object]]
    ) -> Outcomes:
        """One action on several targets, side by side; arguments by target."""

    def pause(self, step: str, reason: str, message: str, next_: str) -> bool:
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
    next: str


class _StoppedError(Exception):
    """The flow goes no further forwards."""


class _FailedError(_StoppedError):
    def __init__(self, step: str, problem: Problem, targets: Sequence[str] = ()) -> None:
        super().__init__(problem.message)
        self.step, self.problem, self.targets = step, problem, tuple(targets)


class _CanceledError(_StoppedError):
    pass


@dataclass
class CutoverFlow:
    """One run. targets: names, in order."""

    durable: Durable
    cutover: Cutover
    targets: tuple[str, ...]
    _moved: bool = field(default=False, init=False)  # traffic may leave by the new addresses
    _snapshots: Outcomes = field(default_factory=dict, init=False)
    _removed: list[str] = field(default_factory=list, init=False)

    def run(self) -> Ending:
        """Forwards, or back as far as is needed."""
        try:
            return self._forwards()
        except _CanceledError:
            return self._canceled()

    def _forwards(self) -> Ending:
        try:
            self._prepare()
        except _FailedError as error:
            return _nothing_changed(error)
        try:
            self._add()
        except _FailedError as error:
            return self._back_before_the_switch(error)
        try:
            self._switch()
            proofs = self._verify()
        except _FailedError as error:
            return self._back_to_old(error)
        return self._remove_in_waves(proofs)

    # Forwards.

    def _prepare(self) -> None:
        self._one("probe")
        self._snapshots = self._each("snapshot", self.targets)

    def _add(self) -> None:
        self._wait_for_a_person("add-new")
        self._each("add-new", self.targets)
        patience = self.cutover.verify.patience if self.cutover.verify else 0.0
        self._each("verify-new", self.targets, {"patience": patience})

    def _switch(self) -> None:
        switch = self.cutover.switch
        if switch is not None and switch.manual:
            change = self.cutover.change
            new = ", ".join(map(str, change.new))
            self._moved = True
            self._ask("switch", "switch", f"move the traffic of {self.cutover.app} to {new}", "")
            return
        self._wait_for_a_person("switch")
        self._moved = True
        self._one("switch")

    def _verify(self) -> Outcomes:
        """Once more with the new addresses put on again where one was refused."""
        self._wait_for_a_person("verify")
        self.durable.sleep(DRAIN_SECONDS)
        try:
            return self._each("verify", self.targets)
        except _FailedError as error:
            self.durable.tell("verify-again", message=error.problem.text)
            self._each("add-new", error.targets)
            return self._each("verify", self.targets)

    def _remove_in_waves(self, proofs: Outcomes) -> Ending:
        self._settle(proofs)
        self._wait_for_a_person("remove-old")
        for number, wave in enumerate(_waves(self.targets, self.cutover.waves), 1):
            self._require_wanted()
            self.durable.tell("wave", number=number, targets=list(wave))
            try:
                self._retire(wave, proofs)
            except _FailedError as error:
                return self._back_after_removal(error)
        return Ending(
            "done",
            ExitCode.DONE,
            "the cutover is done: every target's list holds the new addresses and not the old",
            "customers redeem through the new addresses",
            "sfcutover report --format html --out report.html",
        )

    def _settle(self, proofs: Outcomes) -> None:
        settle = self.cutover.verify.settle if self.cutover.verify else 0.0
        last = max(map(_last_proof, proofs.values()))
        self._go_on(self.durable.step("settle", until=last + settle))

    def _retire(self, wave: Sequence[str], proofs: Outcomes) -> None:
        """Take the old addresses off the lists of a wave, and watch each."""
        waiting = {name: {"proof": proofs[name].evidence.get("proof")} for name in wave}
        while waiting:
            outcomes = self._retried("retire", tuple(waiting), waiting)
            self._removed += [name for name in outcomes if name not in self._removed]
            if any(map(_must_go_back, outcomes.values())):
                raise _failure("remove-old", _all_but_well(outcomes))
            self._go_on(*outcomes.values())
            waiting = {name: waiting[name] for name, one in outcomes.items() if not one.ok}
            if waiting:
                self._ask_about("remove-old", {name: outcomes[name] for name in waiting})

    # Back.

    def _back_before_the_switch(self, error: _FailedError) -> Ending:
        """No traffic has moved: take the new addresses off where this run has put them on."""
        self._start_rollback(error)
        baselines = {
            name: {"baseline": one.evidence.get("live")} for name, one in self._snapshots.items()
        }
        outcomes = self.durable.on_targets("remove-new", self.targets, baselines)
        left = [
            name for name, one in outcomes.items() if not one.ok or one.evidence.get("canceled")
        ]
        rest = (
            f"the new addresses may still be on the list of {', '.join(left)}, which harms nobody"
            if left
            else "the lists are as they were before the run"
        )
        return _rolled_back(
            error,
            f"no traffic was moved; {rest}",
            "correct what is named, then start again: sfcutover run"
            + ("; sfcutover rollback --to baseline takes them off" if left else ""),
        )

    def _back_to_old(self, error: _FailedError) -> Ending:
        """Traffic goes back; the lists hold the old addresses, and keep the new ones."""
        self._start_rollback(error)
        where = self._revert()
        return _rolled_back(
            error,
            f"{where}; old and new addresses are on the lists",
            "correct what is named, then start again: sfcutover run; sfcutover rollback --to "
            "baseline takes the new addresses off",
        )

    def _back_after_removal(self, error: _FailedError) -> Ending:
        """The old addresses come back on the lists of the targets that failed."""
        self._start_rollback(error)
        self._restore(error.targets)
        others = [name for name in self._removed if name not in error.targets]
        proofs = self.durable.on_targets("check-new", error.targets, {})
        refused = [name for name, one in proofs.items() if not one.ok]
        if not refused:
            where = "traffic stays on the new addresses, each of which still redeems"
        elif others:
            where = (
                f"redemptions through the new addresses fail at {', '.join(refused)}, and "
                f"{', '.join(others)} no longer lists the old ones"
            )
            self._page(
                f"traffic has to go back: {where}",
                ["sfcutover rollback --yes", "sfcutover switch --revert"],
            )
        else:
            where = self._revert()
        return _rolled_back(
            error,
            f"the old addresses are back on the list of {', '.join(error.targets)}; {where}",
            "find the address that was refused: sfcutover verify --via new; then start again: "
            "sfcutover run",
        )

    def _start_rollback(self, error: _FailedError) -> None:
        self.durable.tell(
            "rollback-started",
            reason=error.problem.text,
            failed_step=error.step,
            targets=list(error.targets),
        )

    def _restore(self, names: Sequence[str]) -> None:
        """Until the old addresses are back. Adding is always safe, so it is tried for ever."""
        waiting, tries = tuple(names), 0
        while waiting:
            outcomes = self.durable.on_targets("restore-old", waiting, {})
            waiting = tuple(name for name, one in outcomes.items() if not one.ok)
            if waiting:
                problem = next(one.problem for one in outcomes.values() if one.problem)
                if tries % TRIES_A_PAGE == 0:
                    self._page(
                        f"the old addresses are not back on the list of {', '.join(waiting)}: "
                        f"{problem.text}; customers may be locked out",
                        ["sfcutover rollback --yes", "sfcutover switch --revert"],
                    )
                self.durable.sleep(pause_after(tries))
                tries += 1

    def _revert(self) -> str:
        """Traffic back to the old addresses, once every list holds them; where it leaves then."""
        self._restore(self.targets)
        if not self._switch_back():
            self._page("traffic was not moved back", ["sfcutover switch --revert"])
            return "traffic may still leave by the new addresses: nobody has moved it back"
        proof = self.durable.step("prove-old")
        for seconds in RETRY_SECONDS:  # what was put back may take a while to reach every server
            if proof.problem is None:
                break
            self.durable.sleep(seconds)
            proof = self.durable.step("prove-old")
        if proof.problem is None:
            self._moved = False
            return "traffic is back on the old addresses"
        self._page(proof.problem.text, ["sfcutover verify --via old"])
        return "traffic was moved back, but a redemption through the old addresses does not succeed"

    def _switch_back(self) -> bool:
        """False if a person has said that it is left."""
        switch = self.cutover.switch
        old = ", ".join(map(str, self.cutover.change.old))
        if switch is None or switch.manual:
            message = f"move the traffic back to {old}"
            return self.durable.pause("switch-back", "switch", message, "")
        while (problem := self.durable.step("switch-back").problem) is not None:
            self._page(problem.text, ["sfcutover switch --revert"])
            again = "approve runs the command again"
            if not self.durable.pause("switch-back", "failed", problem.text, again):
                return False
        return True

    def _page(self, message: str, commands: list[str]) -> None:
        self.durable.step("page", message=message, commands=commands)

    def _canceled(self) -> Ending:
        states = self.durable.on_targets("state", self.targets, {})
        known = [f"{name}: {one.evidence.get('state', 'unknown')}" for name, one in states.items()]
        traffic = "traffic leaves by the new addresses, or is on its way there"
        return Ending(
            "canceled",
            ExitCode.INTERRUPTED,
            f"canceled at a safe point; {'; '.join(known)}",
            "nothing was half done: each list is as said; "
            + (traffic if self._moved else "no traffic was moved"),
            "sfcutover run starts anew from there; sfcutover rollback puts the old addresses back"
            + ("; sfcutover switch --revert moves the traffic back" if self._moved else ""),
        )

    # Steps, tried again where nobody can say.

    def _one(self, name: str) -> Outcome:
        while True:
            self._require_wanted()
            outcome = self.durable.step(name)
            for seconds in RETRY_SECONDS:
                if outcome.problem is None or outcome.problem.kind not in _RETRIED:
                    break
                self.durable.sleep(seconds)
                outcome = self.durable.step(name)
            self._go_on(outcome)
            if outcome.problem is None:
                return outcome
            if outcome.problem.kind in ("failed", "blocked") or name == "probe":
                raise _FailedError(name, outcome.problem)
            self._ask_about(name, {"": outcome})

    def _each(
        self, action: str, names: Sequence[str], arguments: Mapping[str, object] | None = None
    ) -> Outcomes:
        """An action that must succeed on every target; the outcomes."""
        done: dict[str, Outcome] = {}
        waiting = tuple(names)
        while waiting:
            self._require_wanted()
            by_target = {name: dict(arguments or {}) for name in waiting}
            done |= self._retried(action, waiting, by_target)
            problems = {name: done[name] for name in waiting if not done[name].ok}
            failed = {name: one for name, one in problems.items() if _is_failure(one)}
            if not failed:
                self._go_on(*(done[name] for name in waiting))
            if failed or (problems and action == "snapshot"):
                raise _failure(action, failed or problems)
            waiting = tuple(problems)
            if waiting:
                self._ask_about(action, problems)
        return done

    def _retried(
        self, action: str, names: Sequence[str], arguments: Mapping[str, Mapping[str, object]]
    ) -> dict[str, Outcome]:
        outcomes = dict(self.durable.on_targets(action, names, arguments))
        for seconds in RETRY_SECONDS:
            again = [name for name, one in outcomes.items() if _is_retried(one)]
            if not again or any(map(_must_go_back, outcomes.values())):
                break
            self.durable.sleep(seconds)
            outcomes |= self.durable.on_targets(action, again, arguments)
        return outcomes

    def _wait_for_a_person(self, step: str) -> None:
        self._require_wanted()
        if self.durable.is_to_wait(step):
            self._ask(step, "pause-before", f"the next step is {step}", "")

    def _ask_about(self, step: str, outcomes: Outcomes) -> None:
        """Inconclusive is no failure: nothing goes back, a person looks."""
        name, problem = next((name, one.problem) for name, one in outcomes.items() if one.problem)
        place = f"{name}: " if name else ""
        self._ask(step, problem.kind, f"{place}{problem.text}", problem.next)

    def _ask(self, step: str, reason: str, message: str, next_: str) -> None:
        if not self.durable.pause(step, reason, message, next_):
            raise _CanceledError

    def _require_wanted(self) -> None:
        if self.durable.canceled():
            raise _CanceledError

    def _go_on(self, *outcomes: Outcome) -> None:
        if any(outcome.evidence.get("canceled") for outcome in outcomes):
            raise _CanceledError


def _waves(names: Sequence[str], sizes: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """The names in groups of these sizes; the last size goes for all that follow."""
    rest = iter(names)
    for size in chain(sizes, repeat(sizes[-1])):
        wave = tuple(islice(rest, size))
        if not wave:
            return
        yield wave


def _failure(step: str, outcomes: Outcomes) -> _FailedError:
    name, problem = next((name, one.problem) for name, one in outcomes.items() if one.problem)
    several = problem.model_copy(update={"message": f"{name}: {problem.message}"})
    return _FailedError(step, several, tuple(outcomes))


def _all_but_well(outcomes: Outcomes) -> Outcomes:
    """Those that must go back first, then all others that are not known to be well: if the run
    goes back anyway, so do they."""
    first = {name: one for name, one in outcomes.items() if _must_go_back(one)}
    return first | {name: one for name, one in outcomes.items() if one.problem is not None}


def _is_failure(outcome: Outcome) -> bool:
    return outcome.problem is not None and outcome.problem.kind in ("failed", "blocked")


def _must_go_back(outcome: Outcome) -> bool:
    """After a removal was sent, or may have been, what is not known to be well goes back."""
    return outcome.problem is not None and (
        _is_failure(outcome) or bool(outcome.evidence.get("unsure"))
    )


def _is_retried(outcome: Outcome) -> bool:
    """What goes back goes back at once, though nobody can say what came of it."""
    if outcome.problem is None or outcome.evidence.get("unsure"):
        return False
    return outcome.problem.kind in _RETRIED


def _last_proof(outcome: Outcome) -> float:
    proof = outcome.evidence.get("proof")
    text = proof.get("last_proof") if isinstance(proof, dict) else None
    return datetime.fromisoformat(str(text)).timestamp()


def _nothing_changed(error: _FailedError) -> Ending:
    problem = error.problem
    return Ending("failed", problem.exit_code, problem.text, problem.tokens, problem.next)


def _rolled_back(error: _FailedError, tokens: str, next_: str) -> Ending:
    code = error.problem.exit_code or ExitCode.FAILED
    return Ending("rolled-back", code, f"{error.step}: {error.problem.text}", tokens, next_)
