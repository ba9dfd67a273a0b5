"""An artificial run made event by event, and the documents in its events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TypedDict, Unpack

from sfcutover.allowlist.diff import CapacityDocument, ComponentDiffDocument, RangeDocument
from sfcutover.allowlist.phases import PhaseName
from sfcutover.allowlist.plan import PhaseDocument
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.cutover.evidence import (
    AddressEvidence,
    CanaryEvidence,
    Evidence,
    ProvenList,
    list_hash,
)
from sfcutover.cutover.watchtrigger import CheckResultDocument, RoundDocument
from sfcutover.output.report.rundata import RunData
from sfcutover.runs.event import Event
from sfcutover.runs.store import Run, RunOptions
from tests.support import SECURITY, SECURITY_NAME, SECURITY_PATH
from tests.unit.cutover.journaled import problem_document, recorded_evidence
from tests.unit.cutover.proven import canary_evidence, evidence

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()
OLD, NEW = ("203.0.113.10", "203.0.113.11"), ("198.51.100.20", "198.51.100.21")
TARGET = "packaging"
Data = Mapping[str, object]


class Given(TypedDict, total=False):
    """now: seconds since the run started. The others as RunData has them."""

    now: float
    place: str | None


@dataclass
class Story:
    """A run that started at noon; every time is in seconds since then."""

    targets: Sequence[str] = (TARGET,)
    pause_before: tuple[str, ...] = ()
    config: Data = field(default_factory=dict)
    started: float = NOON
    events: list[Event] = field(default_factory=list)
    ended: float | None = None
    outcome: str | None = None

    def tell(
        self,
        at: float,
        kind: str,
        step: str | None = None,
        target: str | None = None,
        **data: object,
    ) -> None:
        number, time = len(self.events) + 1, self.started + at
        self.events.append(Event(number, "move.1", time, kind, step, target, json_of(data)))

    def start(self) -> None:
        self.tell(0, "run-started", targets=list(self.targets))

    def step(
        self,
        name: str,
        start: float,
        end: float | None = None,
        target: str | None = None,
        evidence: Data | None = None,
        problem: str | None = None,
    ) -> None:
        """A step that started, and ended unless end is None."""
        self.tell(start, "step-started", name, target)
        if end is not None:
            self.end_step(name, end, target, evidence, problem)

    def end_step(
        self,
        name: str,
        at: float,
        target: str | None = None,
        evidence: Data | None = None,
        problem: str | None = None,
    ) -> None:
        found = None if problem else recorded_evidence(name) | dict(evidence or {})
        said = problem_document("failed", problem) if problem else None
        self.tell(at, "step-ended", name, target, seconds=1.0, evidence=found, problem=said)

    def cancel_step(self, name: str, at: float, target: str = TARGET) -> None:
        self.tell(at, "step-ended", name, target, evidence={"canceled": True}, problem=None)

    def snapshot(self, at: float, target: str = TARGET) -> None:
        evidence = {
            "instance_url": f"https://{target}.my.salesforce.com",
            "state": "the old addresses are on the allowlist",
            "live": lists(OLD),
        }
        self.step("snapshot", at, at + 1, target, evidence)

    def deploy(
        self, phase: PhaseName, at: float, live: Iterable[str], target: str = TARGET, step: str = ""
    ) -> None:
        """A step that plans, sends and reads back within 4 seconds."""
        name = step or phase
        self.tell(at, "step-started", name, target)
        self.plan(phase, at + 1, target, name)
        self.send(phase, at + 2, target, name)
        self.end_step(name, at + 4, target, deployed(phase, live))

    def plan(
        self,
        phase: PhaseName,
        at: float,
        target: str = TARGET,
        step: str = "",
        changed: bool = True,
    ) -> None:
        planned = phase_document(phase, changed=changed).model_dump(mode="json")
        self.tell(at, "planned", step or phase, target, phase=planned)

    def send(
        self, phase: str, at: float, target: str = TARGET, step: str = "", done: bool = True
    ) -> None:
        identifier = f"0Af{phase[:3]}{target}"
        name = step or phase
        self.tell(at, "deployment-sent", name, target, phase=phase, id=identifier)
        more = {"status": "Succeeded", "done": True} if done else {"status": "InProgress"}
        self.tell(at + 1, "deployment-progress", name, target, id=identifier, **more)

    def find(self, phase: PhaseName, at: float, live: Iterable[str], target: str = TARGET) -> None:
        """A step that sends nothing, because the phase is already live."""
        self.tell(at, "step-started", phase, target)
        self.plan(phase, at + 1, target, changed=False)
        self.end_step(phase, at + 2, target, deployed(phase, live, changed=False))

    def prove(self, step: str, at: float, target: str = TARGET, **changes: object) -> None:
        evidence = {"proof": proof(target, self.started + at, changes)}
        self.step(step, at, at + 2, target, evidence)

    def watch(
        self,
        at: float,
        rounds: Iterable[float],
        target: str = TARGET,
        outcome: str | None = "passed",
    ) -> None:
        """A watch of 60 seconds with rounds every 10, of which some may be missing."""
        self.tell(at, "step-started", "watch", target)
        started = self.started + at
        self.tell(at, "watch-started", "watch", target, until=started + 60, interval=10)
        for number, after in enumerate(rounds):
            passed = CheckResultDocument(
                name="canary redemption", verdict="passed", detail="redeemed"
            )
            round_ = RoundDocument(
                number=number, time=iso(started + after), elapsed=after, results=[passed]
            )
            document = round_.model_dump(mode="json")
            self.tell(at + after, "watch-round", "watch", target, round=document)
        if outcome is not None:
            self.end_step("watch", at + 60, target, {"outcome": outcome})

    def traffic(
        self,
        seconds: Iterable[int],
        address: str,
        status: str = "redeemed",
        target: str = TARGET,
        count: int = 5,
    ) -> None:
        rows = [(int(self.started) + second, address, status, count) for second in seconds]
        if rows:
            self.tell(
                rows[-1][0] - self.started + 2,
                "traffic",
                None,
                target,
                through=rows[-1][0],
                buckets=rows,
            )

    def end(self, at: float, outcome: str = "done", message: str = "it is done") -> None:
        self.ended, self.outcome = self.started + at, outcome
        self.tell(
            at, "run-ended", outcome=outcome, exit_code=0, message=message, impact="fine", next="x"
        )

    def data(self, **given: Unpack[Given]) -> RunData:
        """The data of the run, an hour after it started unless ``now`` is given."""
        config = {
            "version": 1,
            "app": "Acme_Connector",
            "name": "move",
            "targets": [{"name": each, "org": {"alias": each}} for each in self.targets],
            "old": [{"range": each} for each in OLD],
            "new": [{"range": each} for each in NEW],
            "verify": {"settle": "30s", "client_id": "a", "refresh_token": {"file": "token"}},
            "watch": {"duration": "60s", "interval": "10s"},
            **self.config,
        }
        run = Run(
            "move.1",
            "move",
            1,
            json.dumps(config),
            self.started,
            options=RunOptions(self.pause_before),
            ended=self.ended,
            outcome=self.outcome,
            exit_code=None if self.ended is None else 0,
        )
        events = sorted(self.events, key=lambda each: each.time)
        in_order = tuple(
            Event(number, each.run, each.time, each.kind, each.step, each.target, each.data)
            for number, each in enumerate(events, 1)
        )
        return RunData(
            run,
            in_order,
            self.started + given.get("now", 3600),
            given.get("place"),
        )


def phase_document(
    phase: PhaseName, *, changed: bool = True, capacity: tuple[int, int] = (5, 12)
) -> PhaseDocument:
    """The changes of a phase: none, or the addresses of its name."""
    moved = [RangeDocument(range=each) for each in (NEW if phase.endswith("-new") else OLD)]
    adds = phase in ("add-new", "restore-old")
    component = ComponentDiffDocument(
        path=SECURITY_PATH,
        type=SECURITY,
        full_name=SECURITY_NAME,
        carrier="token-ip-ranges",
        added=moved if adds and changed else [],
        removed=moved if changed and not adds else [],
        unchanged=3,
        fields=[],
        capacity=CapacityDocument(
            ranges=capacity[0], addresses=capacity[1], max_ranges=128, max_addresses=256
        ),
    )
    return PhaseDocument(
        phase=phase,
        changed=changed,
        package_sha256=f"{phase}-{changed}",
        components=[component],
        notes=[],
    )


def proof(target: str, at: float, changes: Data) -> Data:
    """Evidence of both new addresses, as JSON."""
    canary = canary_evidence(NEW, datetime.fromtimestamp(at, UTC)).model_copy(
        update={
            "last_proof": datetime.fromtimestamp(at + 1, UTC),
            "addresses": [
                AddressEvidence(address=each, redeemed=1, seen_by_echo=18) for each in NEW
            ],
            **_known(changes, CanaryEvidence),
        }
    )
    made = evidence(canary, target=target).model_copy(update=_known(changes, Evidence))
    return json_of(made.model_dump(mode="json"))


def _known(changes: Data, model: type[Evidence | CanaryEvidence]) -> dict[str, object]:
    """The changes of a model's fields."""
    return {name: value for name, value in changes.items() if name in model.model_fields}


def deployed(phase: PhaseName, live: Iterable[str], *, changed: bool = True) -> Data:
    """The finding of a deploy step, without its deployments."""
    return {"phase": phase, "changed": changed, "deployments": [], "live": lists(live)}


def lists(ranges: Iterable[str]) -> list[dict[str, object]]:
    """A list that was read back."""
    entries = [{"range": each, "description": None} for each in ranges]
    return [{"path": SECURITY_PATH, "carrier": "token-ip-ranges", "ranges": entries}]


def hashed(ranges: Iterable[str]) -> dict[str, ProvenList]:
    """The part of a proof that names the list that it was made for."""
    found = list_hash(Allowlist(tuple(map(IpRange.parse, ranges))))
    return {SECURITY_PATH: ProvenList(sha256=found)}


def json_of(data: Data) -> dict[str, object]:
    """The model in the form that the journal returns."""
    found: dict[str, object] = json.loads(json.dumps(dict(data), default=asdict))
    return found


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
