"""Step 5 of a run: what is asked before the old addresses are removed, and the waves of targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat

from sfcutover.config.cutover import Cutover
from sfcutover.cutover.approvals import PAUSED, Approvals, sentences
from sfcutover.cutover.evidence import Evidence
from sfcutover.cutover.proofs import SettleEvidence
from sfcutover.cutover.removalgate import TRAFFIC_MOVED
from sfcutover.cutover.stepresult import Problem, ProblemKind
from sfcutover.cutover.steprunner import (
    CHECKS,
    Flow,
    StepArguments,
    StepResults,
    failure,
    must_roll_back,
)

APPROVED = "the approval of remove-old"
_SEE_METRICS = (
    "check the application's own metrics for the addresses from which customers redeem; "
    "approving confirms that they no longer use the old ones"
)


@dataclass
class Removal:
    """The removal of the old addresses from every list. targets: names, in order. proofs: of the
    new addresses, by target."""

    flow: Flow
    cutover: Cutover
    targets: tuple[str, ...]
    approvals: Approvals
    proofs: Mapping[str, Evidence]
    _says_moved: bool = field(default=False, init=False)  # the operator says customers have left

    async def prepare(self) -> None:
        """Wait until the proofs have settled, and ask what is to be asked. Raises StepFailedError
        where a check has failed since the switch: no list has changed, and traffic can go back."""
        await self._require_checks()
        await self._announce_removal(await self._settle())
        await self._require_checks()

    async def remove(self) -> None:
        """Wave by wave. Raises StepFailedError, after which old addresses are to be restored."""
        for number, wave in enumerate(waves(self.targets, self.cutover.waves), 1):
            await self.flow.require_not_canceled()
            await self.flow.runner.tell("wave", number=number, targets=list(wave))
            await self._remove(wave)

    async def _require_checks(self) -> None:
        if any("switch" in each.during for each in self.cutover.checks):
            await self.flow.one(CHECKS)

    async def _settle(self) -> dict[str, str]:
        """By target, why nothing can say that customers have left the old addresses."""
        settled = await self.flow.one("settle", StepArguments(proofs=dict(self.proofs)))
        return settled.evidence.doubts if isinstance(settled.evidence, SettleEvidence) else {}

    async def _announce_removal(self, doubts: Mapping[str, str]) -> None:
        """Ask where the operator wants that, and where nothing says that customers have left.

        An approval answers the doubt that it shows, so that there is one question.
        """
        said = await self.flow.runner.says_traffic_moved()
        if await self.flow.pauses_before("remove-old"):
            await self.approvals.ask("remove-old", self.targets, PAUSED, doubts)
        elif doubts and said:
            message = f"{'; '.join(sentences(doubts))}; confirmed: {TRAFFIC_MOVED}"
            await self.flow.runner.tell("traffic-moved", message=message)
        elif doubts:
            await self._ask_about_traffic(self.targets, doubts)
        self._says_moved = said

    async def _ask_about_traffic(self, names: Sequence[str], doubts: Mapping[str, str]) -> None:
        reason = ProblemKind.DOUBT.value
        await self.approvals.ask("remove-old", names, reason, doubts, _SEE_METRICS)

    def _removing(self, name: str) -> StepArguments:
        """What a removal is told: the proof, and what the operator has approved and answered."""
        answered = APPROVED if self.approvals.has_shown_doubt("remove-old", name) else ""
        return StepArguments(
            proof=self.proofs[name],
            announced=self.approvals.of("remove-old", name),
            traffic_moved=answered or (TRAFFIC_MOVED if self._says_moved else ""),
        )

    async def _remove(self, wave: Sequence[str]) -> None:
        """Remove the old addresses from the lists of a wave, and watch each."""
        waiting, left = tuple(wave), self.targets[self.targets.index(wave[0]) :]
        while waiting:
            arguments = {name: self._removing(name) for name in waiting}
            results = await self.flow.retried("remove-and-watch", waiting, arguments)
            if any(map(must_roll_back, results.values())):
                raise failure("remove-old", _all_but_well(results))
            self.flow.require_completed(*results.values())
            if not all(one.ok for one in results.values()):
                await self._require_checks()
            waiting = tuple(name for name, one in results.items() if not one.ok)
            doubts = {name: one.message for name, one in _of_kind(results, ProblemKind.DOUBT)}
            if _of_kind(results, ProblemKind.CHANGED):
                await self._ask_again(
                    [name for name in left if name in waiting or name not in wave], doubts
                )
            elif doubts:
                await self._ask_about_traffic(tuple(doubts), doubts)
            elif waiting:
                await self.flow.ask_about("remove-old", {name: results[name] for name in waiting})

    async def _ask_again(self, names: Sequence[str], doubts: Mapping[str, str]) -> None:
        """For these targets, which are all that are left; the approval is void."""
        shown = {**await self.approvals.void("remove-old"), **doubts}
        still = {name: doubt for name, doubt in shown.items() if name in names}
        await self.approvals.ask("remove-old", names, PAUSED, still)


def waves(names: Sequence[str], sizes: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """The names in groups of these sizes; the last size goes for all that follow."""
    rest = iter(names)
    for size in chain(sizes, repeat(sizes[-1])):
        wave = tuple(islice(rest, size))
        if not wave:
            return
        yield wave


def _all_but_well(results: StepResults) -> StepResults:
    """Those that must roll back first, then all others whose success is unknown: if the run
    rolls back anyway, so do they."""
    first = {name: one for name, one in results.items() if must_roll_back(one)}
    return first | {name: one for name, one in results.items() if one.problem is not None}


def _of_kind(results: StepResults, kind: ProblemKind) -> list[tuple[str, Problem]]:
    """The problems of a kind, by target."""
    found = ((name, one.problem) for name, one in results.items())
    return [(name, one) for name, one in found if one is not None and one.kind == kind.value]
