"""The permission to take addresses off, which only a passed gate gives."""

from __future__ import annotations

from dataclasses import dataclass

from sfcutover.allowlist.phases import Phase
from sfcutover.errors import GateError


@dataclass(frozen=True)
class Clearance:
    """A gate's word that this phase may remove what it removes. reason: what was proven."""

    phase: Phase
    reason: str


def require_clearance(phase: Phase, clearance: Clearance | None) -> None:
    """Raise GateError for a phase that removes addresses and was not cleared.

    Adding never needs a clearance.
    """
    if not phase.removes or (clearance is not None and clearance.phase is phase):
        return
    proof = "each new address" if phase is Phase.REMOVE_OLD else "the old egress"
    raise GateError(
        f"{phase} is refused: no redemption has proven {proof}",
        hint="configure verify: and egress: in cutover.yaml, then run this again, or make "
        "evidence first: sfcutover verify --out evidence.json",
    )
