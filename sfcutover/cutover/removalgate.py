"""The removal permit: what lets a phase remove addresses. Only a gate that passed gives one.

The gate wants fresh evidence for each address that stays, settled, and quiet addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.ranges import IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.addressproof import History
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.evidence import Evidence, Wanted, check_evidence
from sfcutover.cutover.redemptionerrors import StillInUseError
from sfcutover.errors import Advice, Command, GateError
from sfcutover.salesforce.connection import Connection
from sfcutover.util.clock import Clock

_COUNTDOWN_STEP = 1.0  # seconds


@dataclass(frozen=True)
class RemovalPermit:
    """This phase may remove what it removes. reason: what was proven."""

    phase: Phase
    reason: str


class Gate(Protocol):
    """Decides whether a phase may remove addresses."""

    def permit(
        self, context: TargetContext, connection: Connection, phase: Phase, live: Snapshot
    ) -> RemovalPermit:
        """Raises GateError if it may not, and what proving raises."""


def require_permit(phase: Phase, permit: RemovalPermit | None) -> None:
    """Raise GateError for a phase that removes addresses without a permit.

    Adding never needs one.
    """
    if phase.removes and (permit is None or permit.phase is not phase):
        raise unproven(phase)


def unproven(phase: Phase) -> GateError:
    """The error of a removal that no gate has permitted."""
    proof = "each new address" if phase is Phase.REMOVE_OLD else "the old egress"
    return GateError(
        f"{phase} is refused: no redemption has proven {proof}",
        hint=Advice(
            "configure verify: and egress: in cutover.yaml, then run this again, or make "
            "evidence first: ",
            Command("verify", "--out", "evidence.json"),
        ),
    )


@dataclass(frozen=True)
class RemovalGate:
    """What must hold before a phase may remove addresses from one target's list.

    removed: the ranges it removes. wanted: what the evidence must prove. settle: how long
    ago the last proof must lie, in seconds. clock: for all waiting. wall: the clock that dates
    evidence of another process. countdown: told the seconds that are left.
    """

    phase: Phase
    wanted: Wanted
    removed: tuple[IpRange, ...]
    settle: float
    history: History
    clock: Clock
    countdown: Callable[[float], None] = lambda _: None
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)

    def permit(
        self, evidence: Evidence, live: Snapshot, proven_at: float | None = None
    ) -> RemovalPermit:
        """Raises GateError naming what does not hold; waits for what is left of settle.

        proven_at: the clock's time of the proof, where this process made it.
        Raises NetworkError if the org can't say whether removed addresses are in use.
        """
        check_evidence(evidence, self.wanted, live, self.wall())
        self._wait_until_settled(evidence, proven_at)
        self._require_quiet(evidence)
        count = len(evidence.addresses)
        return RemovalPermit(self.phase, f"{count} addresses proven by {evidence.proof}")

    def _wait_until_settled(self, evidence: Evidence, proven_at: float | None) -> None:
        """By the monotonic clock, so that a wall clock that jumps can't shorten the wait."""
        if proven_at is None:
            passed = max(0.0, (self.wall() - evidence.last_proof).total_seconds())
            proven_at = self.clock.now() - passed
        end = proven_at + self.settle
        while (left := end - self.clock.now()) > 0:
            self.countdown(left)
            self.clock.pause(min(left, _COUNTDOWN_STEP))

    def _require_quiet(self, evidence: Evidence) -> None:
        """No redemption may have come from a removed address since the last proof.

        LoginTime has whole seconds, so the one of the last proof counts as a whole.
        """
        since = evidence.last_proof.replace(microsecond=0)
        rows = self.history.redemptions(since)
        busy = {
            str(login.source)
            for login in rows or ()
            if login.time >= since
            and any(entry.contains(IpRange(login.source, login.source)) for entry in self.removed)
        }
        if busy:
            raise StillInUseError(
                f"redemptions still come from {', '.join(sorted(busy))}",
                hint="find what still leaves from there and switch it over, then verify again",
                impact="nothing was removed; those redemptions still work",
            )
