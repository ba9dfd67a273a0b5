"""The five steps of a cutover in their order.

Only the order is here. ``steps`` says what a step does; ``engine`` executes each once and
continues after a crash; ``rollback`` undoes what failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sfcutover.config.cutover import Cutover
from sfcutover.cutover.announcement import Announced, Announcement
from sfcutover.cutover.approvals import PAUSED, Approvals, sentences
from sfcutover.cutover.baseline import StateEvidence
from sfcutover.cutover.control import ControlEvidence
from sfcutover.cutover.evidence import Evidence
from sfcutover.cutover.proofs import VoidProofs
from sfcutover.cutover.removal import Removal
from sfcutover.cutover.resave import KNOWN_ISSUE
from sfcutover.cutover.rollback import Rollback
from sfcutover.cutover.stepresult import ProblemKind, StepResult
from sfcutover.cutover.steprunner import (
    CHECKS,
    ChangedError,
    Flow,
    Question,
    RunCanceledError,
    RunResult,
    StepArguments,
    StepFailedError,
    StepResults,
)
from sfcutover.cutover.verify import VerifyEvidence
from sfcutover.errors import Advice, Command, ExitCode
from sfcutover.traffic.switch import DRAIN_SECONDS

_ENFORCE = (
    "check in Setup that the app enforces its Refresh Token IP Allowlist; approving continues "
    "without that proof, and the evidence records this"
)
PAUSES = ("add-new", "switch", "verify", "remove-old")


@dataclass
class Workflow:
    """One run. targets: names, in order."""

    flow: Flow
    cutover: Cutover
    targets: tuple[str, ...]
    _moved: bool = field(default=False, init=False)  # traffic may leave from the new addresses
    _proofs: StepResults = field(default_factory=dict, init=False)  # from before the switch
    _approvals: Approvals = field(init=False)

    def __post_init__(self) -> None:
        self._approvals = Approvals(self.flow)

    @property
    def _rollback(self) -> Rollback:
        return Rollback(self.flow, self.cutover, self.targets)

    async def run(self) -> RunResult:
        """All steps, or back as far as is needed."""
        try:
            return await self._forwards()
        except RunCanceledError:
            return await self._canceled()

    async def _forwards(self) -> RunResult:
        try:
            await self._prepare()
            await self._control()
        except StepFailedError as error:
            return _nothing_changed(error)
        while True:  # again where new: grows before the traffic moves
            moves = await self.flow.runner.announce("switch")
            try:
                await self._add(moves)
                await self._switch(moves)
                removal = self._removal(_proofs_in(await self._verify()))
                await removal.prepare()
            except ChangedError:
                continue
            except StepFailedError as error:
                if not self._moved:
                    return await self._rollback.before_the_switch(error)
                return await self._rollback.to_old(error)
            try:
                await removal.remove()
            except StepFailedError as error:
                if error.step == CHECKS:  # nothing was removed in this wave
                    return await self._rollback.to_old(error)
                return await self._rollback.after_removal(error)
            return await self._ended()

    def _removal(self, proofs: Mapping[str, Evidence]) -> Removal:
        return Removal(self.flow, self.cutover, self.targets, self._approvals, proofs)

    async def _prepare(self) -> None:
        await self.flow.one("probe")
        await self.flow.each("snapshot", self.targets)

    async def _control(self) -> None:
        """See that each list blocks; the operator decides where one does not."""
        results = await self.flow.each("control", self.targets)
        reasons = {
            name: one.evidence.reason
            for name, one in results.items()
            if isinstance(one.evidence, ControlEvidence) and one.evidence.outcome == "not-shown"
        }
        if reasons:
            message = "; ".join(sentences(reasons))
            await self.flow.ask(Question("control", ProblemKind.DOUBT, message, _ENFORCE))

    async def _add(self, moves: Announced) -> None:
        """moves: how the traffic is going to move, and to which addresses."""
        await self._approve_if_wanted("add-new")
        await self._add_and_prove(moves)

    async def _approve_if_wanted(self, step: str) -> None:
        if await self.flow.pauses_before(step):
            await self._approvals.ask(step, self.targets, PAUSED)

    async def _add_and_prove(self, moves: Announced) -> None:
        await self._deploy_new(self.targets)
        try:
            self._proofs = await self._prove_new(moves)
        except StepFailedError as error:
            if error.problem.kind != "blocked":
                raise
            self._proofs = await self._prove_saved_again(error, moves)

    async def _prove_new(self, moves: Announced) -> StepResults:
        patience = self.cutover.verify.patience if self.cutover.verify else 0.0
        arguments = StepArguments(patience=patience, announced=moves)
        proving = dict.fromkeys(self.targets, arguments)
        return await self.flow.each("verify-new", self.targets, proving)

    async def _prove_saved_again(self, error: StepFailedError, moves: Announced) -> StepResults:
        """A new address is refused although it was added: add it again where it is not on the
        list; where it is, the org may honour it after another save."""
        message = f"{error.problem.text}; possible cause: {KNOWN_ISSUE}"
        await self.flow.runner.tell("save-again", message=message, targets=list(error.targets))
        await self._deploy_new(error.targets)
        try:
            await self.flow.each("resave", error.targets)
            return await self._prove_new(moves)
        except StepFailedError as again:
            words = (
                f"{again.problem.message}; the allowlist was saved once more because of "
                f"{KNOWN_ISSUE}"
            )
            problem = again.problem.model_copy(update={"message": words})
            raise StepFailedError(again.step, problem, again.targets) from again

    async def _deploy_new(self, names: Sequence[str]) -> None:
        while True:
            given = {name: self._approvals.of("add-new", name) for name in names}
            arguments = {name: StepArguments(announced=one) for name, one in given.items()}
            try:
                await self.flow.each("add-new", names, arguments)
                return
            except ChangedError:
                await self._approvals.void("add-new")
                await self._approvals.ask("add-new", self.targets, PAUSED)

    async def _switch(self, moves: Announced) -> None:
        """Raises ChangedError where the switch is no longer what moves says: nothing was moved."""
        announcement = Announcement(step="switch", parts={"": moves})
        if self.cutover.switch is not None and self.cutover.switch.manual:
            await self._with_proofs("proofs", moves)
            self._moved = True
            new = ", ".join(each.range for each in moves.added)
            does = f"move the traffic of {self.cutover.app} to {new}"
            await self._approvals.require(announcement, "switch", does)
            return
        if await self.flow.pauses_before("switch"):
            await self._approvals.require(announcement, PAUSED, "")
        await self._with_proofs("switch", moves)

    async def _with_proofs(self, step: str, moves: Announced) -> None:
        """A step for which the proofs must count still: where a list was saved since, its new
        addresses are added and proven again first."""
        moved = self._moved  # perhaps by the operator
        while True:
            self._moved = moved or step == "switch"
            arguments = StepArguments(proofs=_proofs_in(self._proofs), announced=moves)
            try:
                if not _is_void(await self.flow.one(step, arguments)):
                    return
            except ChangedError:
                self._moved = moved
                await self._approvals.void(step)
                raise
            self._moved = moved
            await self._add_and_prove(moves)

    async def _verify(self) -> StepResults:
        """Once more with the new addresses deployed again where one was refused."""
        await self._approve_if_wanted("verify")
        await self.flow.runner.sleep(DRAIN_SECONDS)
        try:
            return await self.flow.each("verify", self.targets)
        except StepFailedError as error:
            await self.flow.runner.tell("verify-again", message=error.problem.text)
            await self._deploy_new(error.targets)
            return await self.flow.each("verify", self.targets)

    async def _ended(self) -> RunResult:
        """By the lists as they are after the last watch: a deployment of another user may have
        waited behind ours."""
        states = await self._states()
        undone = {name: one for name, one in states.items() if one and not one.is_done}
        if undone:
            return await self._undone(undone)
        unread = [name for name, one in states.items() if one is None]
        where = "every target's allowlist has the new addresses and not the old ones"
        if unread:
            where = f"each allowlist was read back; {', '.join(unread)} does not answer now"
        pending = [each for one in states.values() if one for each in one.pending]
        may_change = f"; deployment {', '.join(pending)} has not ended" if pending else ""
        return RunResult(
            "done",
            ExitCode.DONE,
            f"{where}{may_change}",
            "redemptions succeeded through every new address; no old one is on an allowlist",
            Advice(Command("report", "--format", "html", "--out", "report.html")),
        )

    async def _undone(self, states: Mapping[str, StateEvidence]) -> RunResult:
        """Another user has changed lists since remove-old was read back."""
        changes = [f"{name}: {_undoing(one)}" for name, one in states.items()]
        message = f"the allowlist was changed after remove-old was read back; {'; '.join(changes)}"
        missing = [each for one in states.values() for each in one.new_missing]
        add = Command("deploy", "add-new")
        if missing:
            await self.flow.alert(message, add)
        return RunResult(
            "failed",
            ExitCode.DRIFT,
            message,
            f"redemptions from {', '.join(missing)} are refused"
            if missing
            else "the new addresses are allowed, and the old ones, too",
            Advice(
                *((add, " adds them again; ") if missing else ()),
                "find who changed it; then ",
                Command("run"),
                " proves the new addresses again and removes the old ones",
            ),
        )

    async def _states(self) -> dict[str, StateEvidence | None]:
        """How the list of each target stands; None where it can't be read."""
        results = await self.flow.retried("state", self.targets, {})
        found = {name: one.evidence for name, one in results.items()}
        return {
            name: one if isinstance(one, StateEvidence) else None for name, one in found.items()
        }

    async def _canceled(self) -> RunResult:
        states = await self._states()
        known = [f"{name}: {_standing(one)}" for name, one in states.items()]
        pending = [each for one in states.values() if one for each in one.pending]
        is_idle = None not in states.values() and not pending
        idle = ["no deployment is in flight"] if is_idle else []
        holds_old = all(one is not None and one.holds_old for one in states.values())
        traffic = "traffic leaves from the new addresses, or is moving there"
        revert = Command("switch", "--revert")
        return RunResult(
            "canceled",
            ExitCode.INTERRUPTED,
            "; ".join((*idle, *known)),
            "each allowlist is as stated; " + (traffic if self._moved else "no traffic was moved"),
            Advice(
                Command("run"),
                " starts a new run from this state",
                *(() if holds_old else ("; ", Command("rollback"), " restores the old addresses")),
                *(("; ", revert, " moves the traffic back") if self._moved else ()),
                *(part for each in pending for part in ("; ", Command("deployment", "wait", each))),
            ),
        )


def _undoing(state: StateEvidence) -> str:
    """What keeps the cutover from being done on a list."""
    parts = [f"{', '.join(state.old_listed)} is on the allowlist again"] if state.old_listed else []
    parts += [f"{', '.join(state.new_missing)} is missing"] if state.new_missing else []
    return ", ".join(parts) + (f" ({state.changed_by})" if state.changed_by else "")


def _standing(state: StateEvidence | None) -> str:
    """How a list stands, and what may still change it."""
    if state is None:
        return "unknown"
    pending = ", ".join(state.pending)
    return (
        f"{state.state}; deployment {pending} has not ended and may change it"
        if pending
        else state.state
    )


def _proofs_in(results: StepResults) -> dict[str, Evidence]:
    return {
        name: one.evidence.proof
        for name, one in results.items()
        if isinstance(one.evidence, VerifyEvidence)
    }


def _is_void(result: StepResult) -> bool:
    return isinstance(result.evidence, VoidProofs) and bool(result.evidence.void)


def _nothing_changed(error: StepFailedError) -> RunResult:
    problem = error.problem
    return RunResult("failed", problem.exit_code, problem.text, problem.impact, problem.next)
