"""What is known of a run's steps, its deployments and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass

_UNDECIDED = ("inconclusive", "later", "person")


@dataclass
class StepState:
    """A step on one target, or on the run as a whole (target None). Times in seconds since 1970.

    tries: how often it was begun; begun: the newest time. detail: the newest word about it.
    kind: of the problem, as Problem has it. needed: False where it found everything done.
    redeemed: the canary's own redemptions in this try.
    """

    name: str
    target: str | None
    started: float
    ended: float | None = None
    problem: str | None = None
    tries: int = 1
    detail: str = ""
    begun: float = 0.0
    kind: str = ""
    needed: bool = True
    redeemed: int = 0

    @property
    def mark(self) -> str:
        """running, done or failed."""
        if self.ended is None:
            return "running"
        return "failed" if self.problem else "done"

    @property
    def undecided(self) -> bool:
        """True if nobody can say yet: it's tried again, or a person is asked."""
        return self.problem is not None and self.kind in _UNDECIDED


@dataclass
class Deployment:
    """One deployment as far as it was seen. step: the one that has sent it."""

    id: str
    target: str
    phase: str
    sent: float
    status: str = "Pending"
    deployed: int = 0
    total: int = 0
    done: bool = False
    step: str = ""


@dataclass
class Pause:
    """What the run waits for. seq: of its event, which an approval names."""

    seq: int
    step: str
    since: float
    reason: str
    message: str
    next: str
