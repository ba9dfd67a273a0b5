"""Whether a run has sent a phase, or may have: if not, what it found is not its work. Pure."""

from __future__ import annotations

from collections import Counter

from sfcutover.cutover.phase import SENDING, SENT, UNSEEN
from sfcutover.report.facts import Facts


def may_be_sent(facts: Facts, target: str, phase: str, after: int, before: int) -> bool:
    """True if it was sent between two events, by their numbers, whatever became of it; also for
    a package of which nobody knows whether the org has it."""
    kinds = Counter(
        each.kind
        for each in facts.all(SENDING, SENT, UNSEEN)
        if (each.target, each.text("phase")) == (target, phase) and after < each.seq < before
    )
    return kinds[SENT] > 0 or kinds[SENDING] > kinds[UNSEEN]
