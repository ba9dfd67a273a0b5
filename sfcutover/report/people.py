"""What people were asked, and what they said. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sfcutover.documents.reports import DecisionDocument
from sfcutover.report.facts import Facts
from sfcutover.runs.documents import moment_text
from sfcutover.runs.journal import Event
from sfcutover.runs.store import Request


@dataclass(frozen=True)
class Pause:
    """A wait for a person. approved: the event that ended it, None while there is none."""

    asked: Event
    approved: Event | None


def pauses(facts: Facts) -> list[Pause]:
    """Every wait, with its approval. They bear the same number."""
    approvals = {each.number("pause"): each for each in facts.all("approved")}
    return [Pause(each, approvals.get(each.number("pause"))) for each in facts.all("paused")]


def decisions(facts: Facts) -> list[DecisionDocument]:
    """Every question with its answer, and who ended the run, if somebody did."""
    found = [_answered(facts, each) for each in pauses(facts)]
    canceled = any(each.decision == "canceled" for each in found)
    if facts.cancellation is not None and not canceled:
        found.append(_document(None, "canceled", facts.cancellation))
    return found


def _answered(facts: Facts, pause: Pause) -> DecisionDocument:
    if (said := pause.approved) is not None:
        note = said.data.get("note")
        request = Request(
            "approve",
            None,
            said.text("who"),
            None if note is None else str(note),
            said.number("time") or said.time,
        )
        return _document(pause.asked, "approved", request)
    if facts.cancellation is not None:
        return _document(pause.asked, "canceled", facts.cancellation)
    if facts.approval is not None:
        return _document(pause.asked, "approved", facts.approval)
    return _document(pause.asked, "open", None)


def _document(asked: Event | None, decision: str, said: Request | None) -> DecisionDocument:
    return DecisionDocument.model_validate(
        {
            "decision": decision,
            "step": asked.step if asked else None,
            "reason": asked.text("reason") if asked else None,
            "message": asked.text("message") if asked else "the run is to end",
            "asked": moment_text(asked.time) if asked else None,
            "decided": moment_text(said.time) if said else None,
            "who": said.who if said else None,
            "note": said.note if said else None,
        }
    )


def switched_by_hand(facts: Facts, step: str) -> Iterator[Event]:
    """Where a person has said that the traffic was moved."""
    for pause in pauses(facts):
        if pause.approved and pause.asked.step == step and pause.asked.text("reason") == "switch":
            yield pause.approved
