"""The state of a run, derived from its journal. Pure: every view and the report share it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pydantic import TypeAdapter

from sfcutover.cutover.control import ControlEvidence
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.dispatch import parse_result
from sfcutover.cutover.evidence import Evidence
from sfcutover.cutover.stepnames import BACK
from sfcutover.cutover.stepresult import StepResult
from sfcutover.cutover.verify import VerifyEvidence
from sfcutover.cutover.watch import WatchEvidence
from sfcutover.cutover.watchtrigger import CheckResultDocument, RoundDocument, is_redemption
from sfcutover.errors import Text
from sfcutover.runs.event import Event

CANCELED = "canceled"
STOPPED = "stopped"  # kind of a step that neither failed nor was done
_BEFORE_TRAFFIC = ("control", "verify-new")
AWAITING_APPROVAL, ACTION_REQUIRED = "AWAITING APPROVAL", "ACTION REQUIRED"  # of a pause
ASKS_ONLY = ("pause-before", "switch", "doubt")  # reasons of pauses in which nothing has failed
_UNDECIDED = (
    *("inconclusive", "later", "person", "environment"),
    *("identity", "user-rule", "doubt", "changed"),
)


StepMark = Literal["running", "done", "failed", "skipped", "unproven"]


@dataclass
class StepState:
    """A step on one target, or on the run as a whole (target None). Times in seconds since 1970.

    tries: how often it was started; newest_start: of the newest try. kind: of the problem, as
    Problem has it. needed: False where it found everything done. open: why it was skipped, or what
    it leaves unproven. redeemed: the canary's own redemptions in this try.
    """

    name: str
    target: str | None
    started: float
    ended: float | None = None
    problem: str | None = None
    tries: int = 1
    newest_start: float = 0.0
    kind: str = ""
    needed: bool = True
    is_skipped: bool = False
    open: str = ""
    redeemed: int = 0

    @property
    def mark(self) -> StepMark:
        """How it stands. skipped: it was not made; unproven: it was, and showed nothing."""
        if self.ended is None:
            return "running"
        if self.problem:
            return "failed"
        if self.is_skipped:
            return "skipped"
        return "unproven" if self.open else "done"

    @property
    def undecided(self) -> bool:
        """True if the result is open: the step is tried again, or the operator is asked."""
        return self.problem is not None and self.kind in _UNDECIDED


@dataclass
class Deployment:
    """One deployment as far as it was seen. phase: the name of the step that sent it, too."""

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
    """What the run waits for. number: within the run, which an approval names. digest: of what is
    announced, empty where nothing is."""

    number: int
    step: str
    since: float
    reason: str
    message: str
    next: Text
    digest: str = ""


@dataclass
class RunProgress:
    """The whole state of a run.

    deployments: by target and id, as copies of an org may give the same ids. traffic:
    redemptions by address, then by status, as LoginHistory has them. blocked_on: the
    targets on which an address was blocked. own_blocked: the run's own redemptions that were
    refused before traffic moved, from addresses that were not let in yet. results: of the watch, by
    their source, then by verdict. wakes: until when a step waits, by step and target. old, new:
    ranges as texts. redeemed: the canary's own redemptions, as far as they were told; refused:
    those that were blocked. proofs: the newest evidence, by target. unanswered: packages that were
    sent, perhaps, and that the org has not acknowledged, by target and phase.
    """

    steps: dict[tuple[str, str | None], StepState] = field(default_factory=dict)
    deployments: dict[tuple[str, str], Deployment] = field(default_factory=dict)
    traffic: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    pause: Pause | None = None
    is_cancel_requested: bool = False
    wakes: dict[tuple[str, str | None], float] = field(default_factory=dict)
    rollback: str | None = None
    pages: list[Event] = field(default_factory=list)
    ended: Event | None = None
    started: float = 0.0
    last: float = 0.0
    app: str = ""
    targets: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    wave: int = 0
    redeemed: int = 0
    refused: int = 0
    proofs: dict[str, Evidence] = field(default_factory=dict)
    results: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    blocked_on: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    own_blocked: int = 0
    unanswered: Counter[tuple[str, str]] = field(default_factory=Counter)
    _called_about: tuple[tuple[str, str | None], ...] = ()

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
            case "run-started":
                self.app = event.text("app")
                self.targets = event.texts("targets")
                self.old, self.new = event.texts("old"), event.texts("new")
            case "step-started":
                self._start(event)
            case "step-ended":
                self._end(event)
            case "deployment-sending":
                self.unanswered[event.target or "", event.text("phase")] += 1
            case "deployment-never-received":
                self.unanswered[event.target or "", event.text("phase")] -= 1
            case "deployment-sent":
                self.unanswered[event.target or "", event.text("phase")] -= 1
                self._deployment(event)
            case "deployment-progress":
                self._deployment(event)
            case "traffic":
                self._count(event)
            case "redemption-blocked":
                self.refused += 1
                self.own_blocked += event.step in _BEFORE_TRAFFIC
            case "paused":
                self._pause(event)
            case "approved":
                self._approve(event)
            case "cancel-requested":
                self.is_cancel_requested = True
            case "changes-accepted" if self.pause is not None and self.pause.digest:
                self.pause = None  # it is announced again
            case "settling" | "watch-started":
                self.wakes[_key(event)] = event.number("until")
            case "redeemed":
                self._redeem(self._current(event), int(event.number("count")))
            case "canary-redeemed":
                self.redeemed += 1
            case "watch-round":
                self._watch_round(event)
            case "proven":
                self.proofs[event.target or ""] = Evidence.model_validate(event.data["evidence"])
            case "wave":
                self.wave = int(event.number("number"))
            case "rolling-back" | "rollback-started":
                self.rollback = event.text("reason")
                self.wakes.pop(_key(event), None)
            case "page":
                self.pages.append(event)
                failed = (key for key, state in self.steps.items() if state.mark == "failed")
                self._called_about = tuple(key for key in failed if key[0] in BACK)
            case "run-ended":
                self._end_run(event)

    def prove(self, step: str, target: str, proof: Evidence) -> None:
        """Take into account what a step has proven of a target."""
        self.proofs[target] = proof
        if (state := self.steps.get((step, target))) is not None:
            self._redeem(state, proof.redemptions)

    def of_step(self, name: str) -> list[StepState]:
        """The states of one step, on all its targets."""
        return [state for (step, _), state in self.steps.items() if step == name]

    def running(self) -> list[StepState]:
        """The steps in progress, the newest last."""
        return [state for state in self.steps.values() if state.ended is None]

    @property
    def waits_for_approval(self) -> bool:
        """True if it waits for an approval, and nothing has failed."""
        asks_only = self.pause is not None and self.pause.reason in ASKS_ONLY
        return asks_only and self.rollback is None

    @property
    def has_blocked_others(self) -> bool:
        """True if more redemptions were blocked than the run's own before traffic moved."""
        blocked = sum(counts.get("blocked", 0) for counts in self.traffic.values())
        return blocked > self.own_blocked

    @property
    def page(self) -> Event | None:
        """The newest alert, unless what had failed then has been done since."""
        about = [self.steps[key].mark for key in self._called_about]
        answered = bool(about) and all(mark == "done" for mark in about)
        return self.pages[-1] if self.pages and not answered else None

    def may_lack_old(self, target: str) -> bool:
        """True if the old addresses are off the list, or may be."""
        removals = [one for one in self.of_step("remove-old") if one.target == target]
        was_sent = any(
            (one.target, one.phase) == (target, "remove-old") for one in self.deployments.values()
        )
        may_be_sent = self.unanswered[target, "remove-old"] > 0
        return was_sent or may_be_sent or any(one.mark == "done" for one in removals)

    def _start(self, event: Event) -> None:
        key = _key(event)
        before = self.steps.pop(key, None)
        state = StepState(key[0], key[1], event.time, newest_start=event.time)
        if before is not None:
            state.tries, state.started = before.tries + 1, before.started
        self.steps[key] = state
        if state.name in BACK and self.rollback is None:
            problems = (each.problem for each in self.steps.values() if each.problem)
            self.rollback = next(problems, "")

    def _end(self, event: Event) -> None:
        if (state := self.steps.get(_key(event))) is None:
            return
        state.ended = event.time
        result = result_of(event)
        if result.problem is not None:
            state.problem, state.kind = result.problem.message, result.problem.kind
        elif result.is_canceled:
            state.problem, state.kind = CANCELED, STOPPED
        match result.evidence:
            case WatchEvidence(is_failed=True, reasons=reasons):
                state.problem, state.kind = f"rolling back: {'; '.join(reasons)}", "failed"
            case DeployEvidence(changed=changed):
                state.needed = changed
            case ControlEvidence(outcome=outcome, reason=reason) as made if outcome != "shown":
                state.is_skipped, state.open = not made.is_made, reason
            case VerifyEvidence(proof=proof):
                self.prove(state.name, state.target or "", proof)
        self.wakes.pop(_key(event), None)

    def _pause(self, event: Event) -> None:
        reason, message = event.text("reason"), event.text("message")
        next_ = event.advice("next")
        digest = event.text("digest")
        number = int(event.number("pause"))
        self.pause = Pause(number, event.step or "", event.time, reason, message, next_, digest)
        if reason == "switch":
            self._start(event)  # the operator executes this step

    def _approve(self, event: Event) -> None:
        self.pause = None
        state = self.steps.get(_key(event))
        if state is not None and state.ended is None:
            state.ended = event.time

    def _end_run(self, event: Event) -> None:
        self.ended, self.pause = event, None
        for state in self.running():
            state.ended, state.kind = event.time, STOPPED
            state.problem = self._why_stopped(state, event.text("outcome"))

    def _why_stopped(self, state: StepState, outcome: str) -> str:
        """Why a step was open when its run ended."""
        restored = self.steps.get(("restore-old", state.target))
        if state.name == "watch" and restored is not None and restored.mark == "done":
            return "the old addresses are on the allowlist again"
        return CANCELED if outcome == "canceled" else "the run ended first"

    def _current(self, event: Event) -> StepState:
        """The step of an event; a command tells of none that it starts."""
        if _key(event) not in self.steps:
            self._start(event)
        return self.steps[_key(event)]

    def _redeem(self, state: StepState, count: int) -> None:
        """A step tells how many there were in this try; not every one has an event."""
        if count > state.redeemed:
            self.redeemed += count - state.redeemed
            state.redeemed = count

    def _watch_round(self, event: Event) -> None:
        for result in round_of(event).results:
            verdicts = self.results[result.name]
            verdicts[result.verdict] = verdicts.get(result.verdict, 0) + 1
            self.redeemed += is_redemption(result.name) and result.verdict == "passed"

    def _deployment(self, event: Event) -> None:
        target, identifier = event.target or "", event.text("id")
        known = self.deployments.get((target, identifier))
        if known is None:
            known = Deployment(identifier, target, event.text("phase"), event.time)
            self.deployments[target, identifier] = known
        known.status = event.text("status") or known.status
        known.deployed = int(event.number("deployed")) or known.deployed
        known.total = int(event.number("total")) or known.total
        known.done = known.done or event.data.get("done") is True

    def _count(self, event: Event) -> None:
        for bucket in buckets_of(event):
            counts = self.traffic[bucket.address]
            counts[bucket.status] = counts.get(bucket.status, 0) + bucket.redemptions
            if bucket.status == "blocked":
                self.blocked_on[bucket.address].add(event.target or "")


def pause_heading(step: str, reason: str) -> str:
    """Whether a pause was planned, or a fault caused it. step: behind the pause."""
    planned = reason in ASKS_ONLY and step not in BACK
    return AWAITING_APPROVAL if planned else ACTION_REQUIRED


def _key(event: Event) -> tuple[str, str | None]:
    return event.step or "", event.target


def result_of(event: Event) -> StepResult:
    """How a step ended. Raises ValidationError."""
    return parse_result(event.step or "", event.data)


def round_of(event: Event) -> RoundDocument:
    """A round of a watch. Raises ValidationError."""
    return RoundDocument.model_validate(event.data["round"])


def check_results_of(event: Event) -> list[CheckResultDocument]:
    """What a round of a watch has seen, or one of the checks before it. Raises ValidationError."""
    if event.kind == "watch-round":
        return round_of(event).results
    return _RESULTS.validate_python(event.data["results"])


class Bucket(NamedTuple):
    """Redemptions within one second (seconds since 1970). status: redeemed, blocked or other."""

    second: int
    address: str
    status: str
    redemptions: int


def buckets_of(event: Event) -> list[Bucket]:
    """What a traffic event counts. Raises ValidationError."""
    return _BUCKETS.validate_python(event.data["buckets"])


_BUCKETS = TypeAdapter(list[Bucket])
_RESULTS = TypeAdapter(list[CheckResultDocument])
