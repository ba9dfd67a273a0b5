"""The gate before a phase that takes addresses off: fresh evidence, settled, and quiet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sfcutover.clearance import Clearance
from sfcutover.errors import GateError
from sfcutover.evidence import Evidence, check_evidence
from sfcutover.gates.verify import History
from sfcutover.ipranges import IpRange
from sfcutover.phases import Phase
from sfcutover.polling import Clock
from sfcutover.snapshot import Snapshot

_COUNTDOWN_STEP = 1.0  # seconds


@dataclass(frozen=True)
class RemovalGate:
    """What must hold before a phase may remove addresses from one target's list.

    removed: the ranges it takes off. settle, max_age: how long ago the last proof must,
    and may, lie. countdown: told the seconds that are left.
    """

    phase: Phase
    removed: tuple[IpRange, ...]
    settle: float
    max_age: timedelta
    history: History
    clock: Clock
    countdown: Callable[[float], None]

    @property
    def via(self) -> str:
        """The egress whose addresses must have been proven."""
        return "new" if self.phase is Phase.REMOVE_OLD else "old"

    def clear(self, evidence: Evidence, live: Snapshot, instance_url: str) -> Clearance:
        """Raises GateError naming what does not hold; waits for what is left of settle."""
        check_evidence(
            evidence, instance_url=instance_url, via=self.via, live=live, max_age=self.max_age
        )
        self._wait_until_settled(evidence)
        self._require_quiet(evidence)
        count = len(evidence.addresses)
        return Clearance(self.phase, f"{count} addresses proven by {evidence.proof}")

    def _wait_until_settled(self, evidence: Evidence) -> None:
        """By the monotonic clock, so that a wall clock that jumps can't shorten the wait."""
        passed = (datetime.now(UTC) - evidence.last_proof).total_seconds()
        left = min(self.settle, max(0.0, self.settle - passed))
        end = self.clock.now() + left
        while (left := end - self.clock.now()) > 0:
            self.countdown(left)
            self.clock.pause(min(left, _COUNTDOWN_STEP))

    def _require_quiet(self, evidence: Evidence) -> None:
        """No redemption may have come from a removed address since the last proof."""
        rows = self.history.redemptions(evidence.last_proof)
        busy = {
            str(login.source)
            for login in rows or ()
            if login.time > evidence.last_proof
            and any(entry.contains(IpRange(login.source, login.source)) for entry in self.removed)
        }
        if busy:
            raise GateError(
                f"redemptions still come from {', '.join(sorted(busy))}",
                hint="find what still leaves from there and switch it over, then verify again",
                tokens="nothing was removed; those redemptions still work",
            )
