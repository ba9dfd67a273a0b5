"""The ways back of a cutover: each undoes as much as is needed, and removes only what is proven.

Putting addresses back is always safe, so it is tried for ever, and before traffic moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sfcutover.config.cutover import Cutover
from sfcutover.cutover.flow import RETRY_SECONDS, Ending, FailedError, Flow, Outcomes
from sfcutover.cutover.notify import TRIES_A_PAGE, pause_after
from sfcutover.errors import Advice, Command, ExitCode, Text

_REVERT = Command("switch", "--revert")
_TO_BASELINE = Command("rollback", "--to", "baseline")


@dataclass(frozen=True)
class WayBack:
    """targets: all of the run, in order."""

    flow: Flow
    cutover: Cutover
    targets: tuple[str, ...]

    def before_the_switch(self, error: FailedError, snapshots: Outcomes) -> Ending:
        """No traffic has moved: take the new addresses off where this run has put them on."""
        self._start_rollback(error)
        baselines = {
            name: {"baseline": one.evidence.get("live")} for name, one in snapshots.items()
        }
        outcomes = self.flow.durable.on_targets("remove-new", self.targets, baselines)
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
            Advice(
                "correct what is named, then start again: ",
                Command("run"),
                *(("; ", _TO_BASELINE, " removes them") if left else ()),
            ),
        )

    def to_old(self, error: FailedError) -> Ending:
        """Traffic goes back; the lists hold the old addresses, and keep the new ones."""
        self._start_rollback(error)
        where = self._revert()
        return _rolled_back(
            error,
            f"{where}; old and new addresses are on the lists",
            Advice(
                "correct what is named, then start again: ",
                Command("run"),
                "; ",
                _TO_BASELINE,
                " removes the new addresses",
            ),
        )

    def after_removal(self, error: FailedError) -> Ending:
        """The old addresses come back on the lists of the targets that failed; on all, with the
        traffic, only where a new one is still refused then."""
        self._start_rollback(error)
        self._restore(error.targets)
        refused = self._refused(error.targets)
        if refused:  # an address may have been lost from the list; adding is always safe
            self.flow.durable.on_targets("add-new", refused, {})
            refused = self._refused(refused)
        where = "each new address still redeems, so this run moves no traffic"
        if refused:
            where = self._revert()
        return _rolled_back(
            error,
            f"the old addresses are back on the list of {', '.join(error.targets)}; {where}",
            Advice(
                "find out what failed; ",
                Command("verify", "--via", "new"),
                " shows whether each new address redeems; then start again: ",
                Command("run"),
            ),
        )

    def _refused(self, names: Sequence[str]) -> tuple[str, ...]:
        """The targets at which a redemption through a new address fails."""
        proofs = self.flow.durable.on_targets("check-new", names, {})
        return tuple(name for name, one in proofs.items() if not one.ok)

    def _start_rollback(self, error: FailedError) -> None:
        self.flow.durable.tell(
            "rollback-started",
            reason=error.problem.text,
            failed_step=error.step,
            targets=list(error.targets),
        )

    def _restore(self, names: Sequence[str]) -> None:
        """Until the old addresses are back. Adding is always safe, so it is tried for ever."""
        waiting, tries = tuple(names), 0
        while waiting:
            outcomes = self.flow.durable.on_targets("restore-old", waiting, {})
            waiting = tuple(name for name, one in outcomes.items() if not one.ok)
            if waiting:
                problem = next(one.problem for one in outcomes.values() if one.problem)
                if tries % TRIES_A_PAGE == 0:
                    self.flow.page(
                        f"the old addresses are not back on the list of {', '.join(waiting)}: "
                        f"{problem.text}; customers may be locked out",
                        [Command("rollback", "--yes"), _REVERT],
                    )
                self.flow.durable.sleep(pause_after(tries))
                tries += 1

    def _revert(self) -> str:
        """Traffic back to the old addresses, once every list holds them; where it leaves then."""
        self._restore(self.targets)
        if not self._switch_back():
            self.flow.page("traffic was not moved back", [_REVERT])
            return "traffic may still leave by the new addresses: nobody has moved it back"
        proof = self.flow.durable.step("prove-old")
        for seconds in RETRY_SECONDS:  # what was put back may take a while to reach every server
            if proof.problem is None:
                break
            self.flow.durable.sleep(seconds)
            proof = self.flow.durable.step("prove-old")
        if proof.problem is None:
            return "traffic is back on the old addresses"
        self.flow.page(proof.problem.text, [Command("verify", "--via", "old")])
        return "traffic was moved back, but a redemption through the old addresses does not succeed"

    def _switch_back(self) -> bool:
        """False if a person has said that it is left."""
        switch = self.cutover.switch
        old = ", ".join(map(str, self.cutover.change.old))
        if switch is None or switch.manual:
            message = f"move the traffic back to {old}"
            return self.flow.durable.pause("switch-back", "switch", message, "")
        while (problem := self.flow.durable.step("switch-back").problem) is not None:
            self.flow.page(problem.text, [_REVERT])
            again = "approve runs the command again"
            if not self.flow.durable.pause("switch-back", "failed", problem.text, again):
                return False
        return True


def _rolled_back(error: FailedError, tokens: str, next_: Text) -> Ending:
    code = error.problem.exit_code or ExitCode.FAILED
    return Ending("rolled-back", code, f"{error.step}: {error.problem.text}", tokens, next_)
