"""The removal permit: what lets a phase remove addresses. Only a gate that passed gives one.

The gate wants fresh evidence for each address that stays, settled, and quiet addresses; where
nothing can say that they are quiet, the permit carries that doubt, and the operator answers it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.ranges import IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.addressproof import History
from sfcutover.cutover.addressuse import AddressUse, doubt_of
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.evidence import (
    Evidence,
    ProvenList,
    Wanted,
    check_evidence,
    evidence_lists,
)
from sfcutover.cutover.quiet import QuietPeriod
from sfcutover.cutover.redemptionerrors import unseen
from sfcutover.errors import Advice, Command, GateError
from sfcutover.salesforce.connection import Connection
from sfcutover.util.clock import Clock
from sfcutover.util.serverclock import ServerTime

TRAFFIC_MOVED = "--traffic-moved"  # how the operator answers beforehand
_COUNTDOWN_STEP = 1.0  # seconds


class PermitVoidError(GateError):
    """A list was saved between its proof and the removal: it must be proven again."""


@dataclass(frozen=True)
class RemovalPermit:
    """This phase may remove what it removes. reason: what was proven.

    doubt: what nothing has shown, in a sentence; the permit does not count until it is answered.
    lists: that were proven; it counts for no others. None where nothing was. quiet: what the quiet
    checks have shown, in words; None where there are none.
    """

    phase: Phase
    reason: str
    doubt: str | None = None
    lists: Mapping[str, ProvenList] | None = None
    quiet: str | None = None

    def answered(self, how: str) -> RemovalPermit:
        """The same, where the operator has said that customers have left. how: recorded."""
        if self.doubt is None:
            return self
        return replace(self, reason=f"{self.reason}; {self.doubt}; confirmed: {how}", doubt=None)

    def require_holding(self, live: Snapshot) -> None:
        """Raises PermitVoidError where a list was saved since it was proven."""
        if self.lists is not None and self.lists != evidence_lists(live, None):
            raise PermitVoidError(
                "an allowlist was saved after its proof",
                hint=Advice("verify again: ", Command("verify")),
            )


class Gate(Protocol):
    """Decides whether a phase may remove addresses."""

    def permit(
        self, context: TargetContext, connection: Connection, phase: Phase, live: Snapshot
    ) -> RemovalPermit:
        """Raises GateError if it may not, and what proving raises."""


def require_permit(phase: Phase, permit: RemovalPermit | None) -> None:
    """Raise GateError for a phase that removes addresses without a permit, UnseenTrafficError
    where its doubt is not answered.

    Adding never needs one.
    """
    if not phase.removes:
        return
    if permit is None or permit.phase is not phase:
        raise unproven(phase)
    if permit.doubt is not None:
        raise unseen(permit.doubt)


def unproven(phase: Phase) -> GateError:
    """The error of a removal that no gate has permitted."""
    proof = "each new address" if phase is Phase.REMOVE_OLD else "the old egress"
    return GateError(
        f"{phase} is refused: no redemption has proven {proof}",
        hint=Advice(
            "configure verify: and egress: in cutover.yaml, then run this again, or create "
            "evidence first: ",
            Command("verify", "--out", "evidence.json"),
        ),
    )


@dataclass(frozen=True)
class RemovalGate:
    """What must hold before a phase may remove addresses from one target's list.

    removed: the ranges it removes. wanted: what the evidence must prove. settle: how long ago the
    last proof must lie, in seconds. quiet: what shows that customers have left; None where nothing
    does. late: how long after the last proof its rows in LoginHistory are waited for. now: the
    org's time. clock: for all waiting. countdown: receives the remaining seconds.
    """

    phase: Phase
    wanted: Wanted
    removed: tuple[IpRange, ...]
    settle: float
    late: float
    history: History
    now: Callable[[], ServerTime]
    clock: Clock
    quiet: QuietPeriod | None = None
    countdown: Callable[[float], None] = lambda _: None

    def permit(
        self, evidence: Evidence, live: Snapshot, proven_at: float | None = None
    ) -> RemovalPermit:
        """Raises GateError naming what does not hold; waits for what is left of settle.

        proven_at: the clock's time of the proof, where this process made it.
        Raises NetworkError if the org can't say whether removed addresses are in use.
        """
        check_evidence(evidence, self.wanted, live, self.now())
        self._wait_until_settled(evidence, proven_at)
        doubt = self.doubt(evidence)
        use = AddressUse(self.history, evidence)
        use.require_quiet(self.removed)
        reason = f"{len(evidence.addresses)} addresses proven by {evidence.proven_by}"
        quiet = None
        if self.quiet is not None:
            quiet = self.quiet.require()
            use.require_quiet(self.removed)  # meanwhile
            reason = f"{reason}; {quiet}"
        lists = evidence.lists if self.wanted.confirmed is None else None
        return RemovalPermit(self.phase, reason, doubt, lists, quiet)

    def seconds_to_settle(self, evidence: Evidence) -> float:
        """What is left of settle, by the org's clock."""
        return max(0.0, self.settle - self._age(evidence))

    def doubt(self, evidence: Evidence) -> str | None:
        """Why nothing says that customers have left the addresses to be removed.

        Waits for rows that are late, and then for settle again: others' are late by as much.
        """
        use = AddressUse(self.history, evidence)
        shown = use.shown()
        if shown == "incomplete":
            shown = use.await_shown(self.clock, self.late - self._age(evidence))
            if shown == "complete":
                self._wait(self.clock.now() + self.settle)
        return None if self.quiet else doubt_of(self.phase, shown)

    def _wait_until_settled(self, evidence: Evidence, proven_at: float | None) -> None:
        """By the monotonic clock, so that a clock that jumps can't shorten the wait."""
        if proven_at is None:
            self._wait(self.clock.now() + self.seconds_to_settle(evidence))
        else:
            self._wait(proven_at + self.settle)

    def _wait(self, end: float) -> None:
        while (left := end - self.clock.now()) > 0:
            self.countdown(left)
            self.clock.pause(min(left, _COUNTDOWN_STEP))

    def _age(self, evidence: Evidence) -> float:
        """Seconds since the last proof, at least."""
        return max(0.0, self.now().least_since(evidence.end))
