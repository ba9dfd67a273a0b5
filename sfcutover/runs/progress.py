"""How a run stands, worked out from its journal. Pure: every view and the report share it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sfcutover.runs.journal import Event

FORWARDS = (
    "probe",
    "snapshot",
    "add-new",
    "verify-new",
    "switch",
    "verify",
    "settle",
    "remove-old",
    "watch",
)
BACK = ("restore-old", "check-new", "switch-back", "prove-old", "remove-new")
TITLES = {
    "probe": "1 probe: traffic leaves from exactly the new addresses",
    "snapshot": "  snapshot: the lists as they are",
    "add-new": "2 deploy add-new, read back",
    "verify-new": "  verify before traffic moves",
    "switch": "3 switch: traffic moves",
    "verify": "4 verify: a redemption through each new address",
    "settle": "  settle",
    "remove-old": "5 deploy remove-old, read back",
    "watch": "  watch",
    "restore-old": "back: deploy restore-old, read back",
    "check-new": "back: do the new addresses redeem?",
    "switch-back": "back: traffic moves to the old addresses",
    "prove-old": "back: a redemption through the old addresses",
    "remove-new": "back: deploy remove-new, read back",
}


@dataclass
class StepState:
    """A step on one target, or on the run as a whole (target None). Times in seconds since 1970.

    tries: how often it was begun. detail: the newest word about it.
    """

    name: str
    target: str | None
    started: float
    ended: float | None = None
    problem: str | None = None
    tries: int = 1
    detail: str = ""

    @property
    def mark(self) -> str:
        """running, done or failed."""
        if self.ended is None:
            return "running"
        return "failed" if self.problem else "done"


@dataclass
class Deployment:
    """One deployment as far as it was seen."""

    id: str
    target: str
    phase: str
    sent: float
    status: str = "Pending"
    deployed: int = 0
    total: int = 0
    done: bool = False


@dataclass
class Pause:
    """What the run waits for. seq: of its event, which an approval names."""

    seq: int
    step: str
    since: float
    reason: str
    message: str
    next: str


@dataclass
class RunProgress:
    """Everything at once. traffic: redemptions by address, then by status, as LoginHistory has
    them. wakes: until when a step waits, by step and target."""

    steps: dict[tuple[str, str | None], StepState] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    traffic: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    pause: Pause | None = None
    wakes: dict[tuple[str, str | None], float] = field(default_factory=dict)
    rollback: str | None = None
    pages: list[Event] = field(default_factory=list)
    ended: Event | None = None
    started: float = 0.0
    last: float = 0.0

    @classmethod
    def of(cls, events: Iterable[Event]) -> RunProgress:
        progress = cls()
        for event in events:
            progress.apply(event)
        return progress

    def apply(self, event: Event) -> None:
        """Take one more event into account."""
        self.started = self.started or event.time
        self.last = event.time
        match event.kind:
            case "step-started":
                self._start(event)
            case "step-ended":
                self._end(event)
            case "deployment-sent" | "deployment-progress":
                self._deployment(event)
            case "traffic":
                self._count(event)
            case "paused":
                self.pause = _pause(event)
            case "approved":
                self.pause = None
            case "settling" | "watch-begun":
                self.wakes[_key(event)] = event.number("until")
            case "rollback-started":
                self.rollback = event.text("reason")
            case "page":
                self.pages.append(event)
            case "run-ended":
                self.ended, self.pause = event, None
        if (step := self.steps.get(_key(event))) is not None:
            step.detail = _detail(event) or step.detail

    def of_step(self, name: str) -> list[StepState]:
        """The states of one step, on all its targets."""
        return [state for (step, _), state in self.steps.items() if step == name]

    def running(self) -> list[StepState]:
        """What is under way, the newest last."""
        return [state for state in self.steps.values() if state.ended is None]

    def _start(self, event: Event) -> None:
        key = _key(event)
        before = self.steps.pop(key, None)
        state = StepState(key[0], key[1], event.time)
        if before is not None:
            state.tries, state.started = before.tries + 1, before.started
        self.steps[key] = state

    def _end(self, event: Event) -> None:
        if (state := self.steps.get(_key(event))) is None:
            return
        state.ended = event.time
        problem = event.data.get("problem")
        state.problem = str(problem.get("message")) if isinstance(problem, dict) else None
        self.wakes.pop(_key(event), None)

    def _deployment(self, event: Event) -> None:
        identifier = event.text("id")
        known = self.deployments.get(identifier)
        if known is None:
            known = Deployment(identifier, event.target or "", event.text("phase"), event.time)
            self.deployments[identifier] = known
        known.status = event.text("status") or known.status
        known.deployed = int(event.number("deployed")) or known.deployed
        known.total = int(event.number("total")) or known.total
        known.done = known.done or event.data.get("done") is True

    def _count(self, event: Event) -> None:
        for bucket in buckets_of(event):
            counts = self.traffic[bucket.address]
            counts[bucket.status] = counts.get(bucket.status, 0) + bucket.count


@dataclass(frozen=True)
class Bucket:
    """Redemptions within one second (seconds since 1970). status: redeemed or blocked."""

    second: int
    address: str
    status: str
    count: int


def buckets_of(event: Event) -> list[Bucket]:
    """What a traffic event counts."""
    rows = event.data.get("buckets")
    return [Bucket(*row) for row in rows] if isinstance(rows, list) else []


def _key(event: Event) -> tuple[str, str | None]:
    return event.step or "", event.target


def _pause(event: Event) -> Pause:
    reason, message, next_ = (event.text(name) for name in ("reason", "message", "next"))
    return Pause(event.seq, event.step or "", event.time, reason, message, next_)


def _detail(event: Event) -> str:
    match event.kind:
        case "stage":
            return event.text("name")
        case "deployment-progress":
            return f"{event.text('id')} {event.text('status')}"
        case "probed":
            return f"{event.text('count')} answers of the echo"
        case "redeemed":
            return f"{event.text('count')} redemptions"
        case "note":
            return event.text("text")
        case "watch-round":
            return _round(event)
        case _:
            return ""


def _round(event: Event) -> str:
    done = event.data.get("round")
    looks = done.get("looks") if isinstance(done, dict) else None
    words = [f"{look['name']} {look['verdict']}" for look in looks or () if isinstance(look, dict)]
    return ", ".join(words)
