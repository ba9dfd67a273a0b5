"""The five steps of a cutover as one durable flow, forwards.

Only the order stands here. What a step does is in ``steps``; that it is done once, and gone
on with after a crash, is the business of ``durable``; what happens where one fails, that of
``wayback``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice, repeat

from sfcutover.config.cutover import Cutover
from sfcutover.cutover.flow import (
    CanceledError,
    Ending,
    FailedError,
    Flow,
    Outcomes,
    failure,
    must_go_back,
)
from sfcutover.cutover.notify import announcement
from sfcutover.cutover.outcome import Outcome
from sfcutover.cutover.rollback import WayBack
from sfcutover.errors import Advice, Command, ExitCode
from sfcutover.traffic.switch import DRAIN_SECONDS

PAUSES = ("add-new", "switch", "verify", "remove-old")


@dataclass
class CutoverFlow:
    """One run. targets: names, in order."""

    flow: Flow
    cutover: Cutover
    targets: tuple[str, ...]
    _moved: bool = field(default=False, init=False)  # traffic may leave by the new addresses
    _snapshots: Outcomes = field(default_factory=dict, init=False)

    @property
    def _back(self) -> WayBack:
        return WayBack(self.flow, self.cutover, self.targets)

    def run(self) -> Ending:
        """Forwards, or back as far as is needed."""
        try:
            return self._forwards()
        except CanceledError:
            return self._canceled()

    def _forwards(self) -> Ending:
        try:
            self._prepare()
        except FailedError as error:
            return _nothing_changed(error)
        try:
            self._add()
        except FailedError as error:
            return self._back.before_the_switch(error, self._snapshots)
        try:
            self._switch()
            proofs = self._verify()
        except FailedError as error:
            return self._back.to_old(error)
        return self._remove_in_waves(proofs)

    def _prepare(self) -> None:
        self.flow.one("probe")
        self._snapshots = self.flow.each("snapshot", self.targets)

    def _add(self) -> None:
        self._wait_before("add-new")
        self.flow.each("add-new", self.targets)
        patience = self.cutover.verify.patience if self.cutover.verify else 0.0
        self.flow.each("verify-new", self.targets, {"patience": patience})

    def _wait_before(self, step: str) -> bool:
        does = announcement(step, self.cutover, self.targets)
        return self.flow.wait_for_a_person(step, does)

    def _switch(self) -> None:
        switch = self.cutover.switch
        if switch is not None and switch.manual:
            change = self.cutover.change
            new = ", ".join(map(str, change.new))
            self._moved = True
            self.flow.ask(
                "switch", "switch", f"move the traffic of {self.cutover.app} to {new}", ""
            )
            return
        if self._wait_before("switch"):
            self.flow.each("add-new", self.targets)  # who knows what happened to the lists
        self._moved = True
        self.flow.one("switch")

    def _verify(self) -> Outcomes:
        """Once more with the new addresses put on again where one was refused."""
        self._wait_before("verify")
        self.flow.durable.sleep(DRAIN_SECONDS)
        try:
            return self.flow.each("verify", self.targets)
        except FailedError as error:
            self.flow.durable.tell("verify-again", message=error.problem.text)
            self.flow.each("add-new", error.targets)
            return self.flow.each("verify", self.targets)

    def _remove_in_waves(self, proofs: Outcomes) -> Ending:
        self._settle(proofs)
        self._wait_before("remove-old")
        for number, wave in enumerate(_waves(self.targets, self.cutover.waves), 1):
            self.flow.require_wanted()
            self.flow.durable.tell("wave", number=number, targets=list(wave))
            try:
                self._retire(wave, proofs)
            except FailedError as error:
                return self._back.after_removal(error)
        return Ending(
            "done",
            ExitCode.DONE,
            "the cutover is done: every target's list holds the new addresses and not the old",
            "customers redeem through the new addresses",
            Advice(Command("report", "--format", "html", "--out", "report.html")),
        )

    def _settle(self, proofs: Outcomes) -> None:
        settle = self.cutover.verify.settle if self.cutover.verify else 0.0
        last = max(map(_last_proof, proofs.values()))
        self.flow.go_on(self.flow.durable.step("settle", until=last + settle))

    def _retire(self, wave: Sequence[str], proofs: Outcomes) -> None:
        """Take the old addresses off the lists of a wave, and watch each."""
        waiting = {name: {"proof": proofs[name].evidence.get("proof")} for name in wave}
        while waiting:
            outcomes = self.flow.retried("retire", tuple(waiting), waiting)
            if any(map(must_go_back, outcomes.values())):
                raise failure("remove-old", _all_but_well(outcomes))
            self.flow.go_on(*outcomes.values())
            waiting = {name: waiting[name] for name, one in outcomes.items() if not one.ok}
            if waiting:
                self.flow.ask_about("remove-old", {name: outcomes[name] for name in waiting})

    def _canceled(self) -> Ending:
        states = self.flow.durable.on_targets("state", self.targets, {})
        known = [f"{name}: {one.evidence.get('state', 'unknown')}" for name, one in states.items()]
        holds_old = all(one.evidence.get("holds_old") for one in states.values())
        traffic = "traffic leaves by the new addresses, or is on its way there"
        revert = Command("switch", "--revert")
        return Ending(
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


def _waves(names: Sequence[str], sizes: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """The names in groups of these sizes; the last size goes for all that follow."""
    rest = iter(names)
    for size in chain(sizes, repeat(sizes[-1])):
        wave = tuple(islice(rest, size))
        if not wave:
            return
        yield wave


def _all_but_well(outcomes: Outcomes) -> Outcomes:
    """Those that must go back first, then all others that are not known to be well: if the run
    goes back anyway, so do they."""
    first = {name: one for name, one in outcomes.items() if must_go_back(one)}
    return first | {name: one for name, one in outcomes.items() if one.problem is not None}


def _last_proof(outcome: Outcome) -> float:
    proof = outcome.evidence.get("proof")
    text = proof.get("last_proof") if isinstance(proof, dict) else None
    return datetime.fromisoformat(str(text)).timestamp()


def _nothing_changed(error: FailedError) -> Ending:
    problem = error.problem
    return Ending("failed", problem.exit_code, problem.text, problem.tokens, problem.next)
