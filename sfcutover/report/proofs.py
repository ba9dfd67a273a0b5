"""What the gates of a run proved, and how long and how well it was watched afterwards. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

from sfcutover.cutover.documents import LookDocument, RoundDocument
from sfcutover.cutover.evidence import Evidence
from sfcutover.documents.reports import ReportProofDocument, ReportWatchDocument
from sfcutover.report.facts import Facts, problem_of
from sfcutover.runs.documents import moment_text
from sfcutover.runs.journal import Event
from sfcutover.runs.progress import evidence_of

_VERIFIERS = ("verify-new", "verify")


def proofs(facts: Facts) -> list[ReportProofDocument]:
    """Every proof in the order in which it was made; of a step done again, the last one."""
    found: dict[tuple[str, str], tuple[Event, object]] = {}
    for event, evidence in facts.succeeded(*_VERIFIERS):
        found[event.step or "", event.target or ""] = event, evidence.get("proof")
    for event in facts.all("proven"):
        found[event.step or "", event.target or ""] = event, event.data.get("evidence")
    made = sorted(found.values(), key=lambda one: one[0].seq)
    return [_proof(event, proof) for event, proof in made]


def _proof(event: Event, proof: object) -> ReportProofDocument:
    return ReportProofDocument(
        step=event.step or "",
        target=event.target or "",
        recorded=moment_text(event.time),
        evidence=Evidence.model_validate(proof),
    )


def watches(facts: Facts) -> list[ReportWatchDocument]:
    """The watch of each target that it was begun for."""
    begun: dict[str, Event] = {}
    for event in facts.all("watch-begun"):
        begun.setdefault(event.target or "", event)
    return [_watch(facts, name, event) for name, event in begun.items()]


def _watch(facts: Facts, target: str, begun: Event) -> ReportWatchDocument:
    mine = [each for each in facts.events if each.target == target and each.step == "watch"]
    rounds = [
        RoundDocument.model_validate(each.data.get("round"))
        for each in mine
        if each.kind == "watch-round"
    ]
    ended = facts.progress.steps["watch", target].ended if mine else None
    verdicts = Counter(look.verdict for each in rounds for look in each.looks)
    return ReportWatchDocument(
        target=target,
        begun=moment_text(begun.time),
        until=moment_text(begun.number("until")),
        ended=None if ended is None else moment_text(ended),
        outcome=_outcome(mine) if ended is not None else None,
        rounds=len(rounds),
        looks=dict(verdicts),
        interval=begun.number("interval"),
        longest_gap=_longest_gap([begun.time, *map(_time, rounds)]),
        incidents=[text for each in rounds for text in _incidents(each)],
    )


def _outcome(events: Iterable[Event]) -> str:
    """What its last end says; a watch that has none was ended with the run."""
    for last in [each for each in events if each.kind == "step-ended"][-1:]:
        if (problem := problem_of(last)) is not None:
            return problem
        if outcome := evidence_of(last).get("outcome"):
            return str(outcome)
    return "canceled"


def _time(round_: RoundDocument) -> float:
    return datetime.fromisoformat(round_.time).timestamp()


def _longest_gap(times: list[float]) -> float:
    gaps = (later - earlier for earlier, later in pairwise(times))
    return round(max(gaps, default=0.0), 3)


def _incidents(round_: RoundDocument) -> list[str]:
    return [_incident(round_, look) for look in round_.looks if look.verdict != "passed"]


def _incident(round_: RoundDocument, look: LookDocument) -> str:
    return f"{_clock(round_)} {look.name} {look.verdict}: {look.detail}"


def _clock(round_: RoundDocument) -> str:
    return f"{datetime.fromisoformat(round_.time):%H:%M:%SZ}"
