"""The five steps of a cutover in their order.

Only the order is here. ``steps`` says what a step does; ``engine`` executes each once and
continues after a crash; ``rollback`` undoes what failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat

from sfcutover.config.cutover import Cutover
from sfcutover.cutover.baseline import StateEvidence
from sfcutover.cutover.evidence import Evidence
from sfcutover.cutover.operator import announcement
from sfcutover.cutover.proofs import SettleEvidence, VoidProofs
from sfcutover.cutover.removalgate import TRAFFIC_MOVED
from sfcutover.cutover.rollback import Rollback
from sfcutover.cutover.stepresult import ProblemKind, StepResult
from sfcutover.cutover.steprunner import (
    Flow,
    RunCanceledError,
    RunResult,
    StepArguments,
    StepFailedError,
    StepResults,
    failure,
    must_roll_back,
)
from sfcutover.cutover.verify import VerifyEvidence
from sfcutover.errors import Advice, Command, ExitCode
from sfcutover.traffic.switch import DRAIN_SECONDS

APPROVED = "the approval of remove-old"
_SEE_METRICS = (
    "see in the application's own metrics by which addresses customers redeem; approve says that "
    "they have left the old ones"
)
PAUSES = ("add-new", "switch", "verify", "remove-old")


@dataclass
class Workflow:
    """One run. targets: names, in order."""

    flow: Flow
    cutover: Cutover
    targets: tuple[str, ...]
    _moved: bool = field(default=False, init=False)  # traffic may leave by the new addresses
    _snapshots: StepResults = field(default_factory=dict, init=False)
    _proofs: StepResults = field(default_factory=dict, init=False)  # from before the switch

    @property
    def _rollback(self) -> Rollback:
        return Rollback(self.flow, self.cutover, self.targets)

    def run(self) -> RunResult:
        """All steps, or back as far as is needed."""
        try:
            return self._forwards()
        except RunCanceledError:
            return self._canceled()

    def _forwards(self) -> RunResult:
        try:
            self._prepare()
        except StepFailedError as error:
            return _nothing_changed(error)
        try:
            self._add()
        except StepFailedError as error:
            return self._rollback.before_the_switch(error, self._snapshots)
        try:
            self._switch()
            proofs = _proofs_in(self._verify())
        except StepFailedError as error:
            if not self._moved:
                return self._rollback.before_the_switch(error, self._snapshots)
            return self._rollback.to_old(error)
        return self._remove_in_waves(proofs)

    def _prepare(self) -> None:
        self.flow.one("probe")
        self._snapshots = self.flow.each("snapshot", self.targets)

    def _add(self) -> None:
        self._pause_before("add-new")
        self._add_and_prove()

    def _add_and_prove(self) -> None:
        self.flow.each("add-new", self.targets)
        patience = self.cutover.verify.patience if self.cutover.verify else 0.0
        arguments = StepArguments(patience=patience)
        self._proofs = self.flow.each("verify-new", self.targets, arguments)

    def _pause_before(self, step: str, *doubts: str) -> bool:
        does = announcement(step, self.cutover, self.targets)
        return self.flow.pause_before(step, "; ".join((does, *doubts)))

    def _switch(self) -> None:
        switch = self.cutover.switch
        if switch is not None and switch.manual:
            change = self.cutover.change
            new = ", ".join(map(str, change.new))
            self._with_proofs("proofs")
            self._moved = True
            self.flow.ask(
                "switch", "switch", f"move the traffic of {self.cutover.app} to {new}", ""
            )
            return
        self._pause_before("switch")
        self._moved = True
        self._with_proofs("switch")

    def _with_proofs(self, step: str) -> None:
        """A step for which the proofs must count still: where a list was saved since, its new
        addresses are added and proven again first."""
        while _is_void(self.flow.one(step, StepArguments(proofs=_proofs_in(self._proofs)))):
            self._moved = False
            self._add_and_prove()

    def _verify(self) -> StepResults:
        """Once more with the new addresses deployed again where one was refused."""
        self._pause_before("verify")
        self.flow.runner.sleep(DRAIN_SECONDS)
        try:
            return self.flow.each("verify", self.targets)
        except StepFailedError as error:
            self.flow.runner.tell("verify-again", message=error.problem.text)
            self.flow.each("add-new", error.targets)
            return self.flow.each("verify", self.targets)

    def _remove_in_waves(self, proofs: Mapping[str, Evidence]) -> RunResult:
        said = self._announce_removal(self._settle(proofs))
        waiting = {
            name: StepArguments(proof=proof, traffic_moved=said) for name, proof in proofs.items()
        }
        for number, wave in enumerate(waves(self.targets, self.cutover.waves), 1):
            self.flow.require_not_canceled()
            self.flow.runner.tell("wave", number=number, targets=list(wave))
            try:
                self._remove({name: waiting[name] for name in wave})
            except StepFailedError as error:
                return self._rollback.after_removal(error)
        return RunResult(
            "done",
            ExitCode.DONE,
            "the cutover is done: every target's list holds the new addresses and not the old",
            "customers redeem through the new addresses",
            Advice(Command("report", "--format", "html", "--out", "report.html")),
        )

    def _settle(self, proofs: Mapping[str, Evidence]) -> dict[str, str]:
        """By target, why nothing can say that customers have left the old addresses."""
        settled = self.flow.runner.step("settle", StepArguments(proofs=dict(proofs)))
        self.flow.require_completed(settled)
        return settled.evidence.doubts if isinstance(settled.evidence, SettleEvidence) else {}

    def _announce_removal(self, doubts: Mapping[str, str]) -> str:
        """How the operator says that customers have left; empty where that is in no doubt.

        An approval answers the doubt that it shows, so that there is one question.
        """
        sentences = _sentences(doubts)
        approved = self._pause_before("remove-old", *sentences)
        if not doubts:
            return TRAFFIC_MOVED if self.flow.runner.says_traffic_moved() else ""
        if approved:
            return APPROVED
        if self.flow.runner.says_traffic_moved():
            message = f"{'; '.join(sentences)}; answered: {TRAFFIC_MOVED}"
            self.flow.runner.tell("traffic-moved", message=message)
            return TRAFFIC_MOVED
        self._ask_about_traffic("; ".join(sentences))
        return APPROVED

    def _ask_about_traffic(self, doubt: str) -> None:
        does = announcement("remove-old", self.cutover, self.targets)
        message = f"the next step is remove-old: {does}; {doubt}"
        self.flow.ask("remove-old", ProblemKind.DOUBT.value, message, _SEE_METRICS)

    def _remove(self, waiting: dict[str, StepArguments]) -> None:
        """Remove the old addresses from the lists of a wave, and watch each."""
        while waiting:
            results = self.flow.retried("remove-and-watch", tuple(waiting), waiting)
            if any(map(must_roll_back, results.values())):
                raise failure("remove-old", _all_but_well(results))
            self.flow.require_completed(*results.values())
            unseen = {
                name: one.problem.message
                for name, one in results.items()
                if one.problem is not None and one.problem.kind == ProblemKind.DOUBT.value
            }
            waiting = {name: waiting[name] for name, one in results.items() if not one.ok}
            if unseen:
                self._ask_about_traffic("; ".join(_sentences(unseen)))
                said = {"traffic_moved": APPROVED}
                waiting |= {name: waiting[name].model_copy(update=said) for name in unseen}
            elif waiting:
                self.flow.ask_about("remove-old", {name: results[name] for name in waiting})

    def _canceled(self) -> RunResult:
        states = {
            name: one.evidence if isinstance(one.evidence, StateEvidence) else None
            for name, one in self.flow.runner.on_targets("state", self.targets).items()
        }
        known = [f"{name}: {one.state if one else 'unknown'}" for name, one in states.items()]
        holds_old = all(one is not None and one.holds_old for one in states.values())
        traffic = "traffic leaves by the new addresses, or is on its way there"
        revert = Command("switch", "--revert")
        return RunResult(
            "canceled",
            ExitCode.INTERRUPTED,
            f"it ended at a safe point; {'; '.join(known)}",
            "nothing was half done: each list is as said; "
            + (traffic if self._moved else "no traffic was moved"),
            Advice(
                Command("run"),
                " starts anew from there",
                *(() if holds_old else ("; ", Command("rollback"), " restores the old addresses")),
                *(("; ", revert, " moves the traffic back") if self._moved else ()),
            ),
        )


def waves(names: Sequence[str], sizes: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """The names in groups of these sizes; the last size goes for all that follow."""
    rest = iter(names)
    for size in chain(sizes, repeat(sizes[-1])):
        wave = tuple(islice(rest, size))
        if not wave:
            return
        yield wave


def _all_but_well(results: StepResults) -> StepResults:
    """Those that must roll back first, then all others that are not known to be well: if the run
    rolls back anyway, so do they."""
    first = {name: one for name, one in results.items() if must_roll_back(one)}
    return first | {name: one for name, one in results.items() if one.problem is not None}


def _proofs_in(results: StepResults) -> dict[str, Evidence]:
    return {
        name: one.evidence.proof
        for name, one in results.items()
        if isinstance(one.evidence, VerifyEvidence)
    }


def _is_void(result: StepResult) -> bool:
    return isinstance(result.evidence, VoidProofs) and bool(result.evidence.void)


def _sentences(doubts: Mapping[str, str]) -> list[str]:
    """Each doubt once, with its targets."""
    targets: dict[str, list[str]] = {}
    for name, doubt in doubts.items():
        targets.setdefault(doubt, []).append(name)
    return [f"{doubt} ({', '.join(names)})" for doubt, names in targets.items()]


def _nothing_changed(error: StepFailedError) -> RunResult:
    problem = error.problem
    return RunResult("failed", problem.exit_code, problem.text, problem.tokens, problem.next)
