"""What a step found, in a few words: from the evidence that its end carries. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sfcutover.runs.events import Event

Evidence = Mapping[str, object]

CANCELED = "canceled"
_PROOFS = {
    "login-history": "the org's LoginHistory",
    "proxy-per-address": "a proxy URL for each address",
    "confidence": "a long run of successes",
}


def finding(evidence: Evidence) -> str:
    """Empty where there is nothing to say beyond that it is done."""
    match evidence:
        case {"canceled": True}:
            return CANCELED
        case {"tries": tries, "seen": seen}:
            return f"{tries} answers of the echo, from {_addresses(seen)}"
        case {"proof": dict(proof)}:
            return _proven(proof)
        case {"changed": False}:
            return "nothing to change, read back"
        case {"phase": _, "live": live}:
            return _read_back(evidence, live)
        case {"outcome": str(outcome), "rounds": rounds}:
            return f"{outcome} after {rounds} rounds"
        case {"state": str(state)}:
            return state
        case _:
            return ""


def rolled_back(evidence: Evidence) -> str | None:
    """Why a watch has put the old addresses back, if it has."""
    if evidence.get("outcome") != "rolled-back":
        return None
    return f"rolled back: {'; '.join(map(str, _list(evidence.get('reasons'))))}"


def redemptions(evidence: Evidence) -> int:
    """How many of its own redemptions a proof is made of."""
    match evidence.get("proof"):
        case {"redemptions": int(count)}:
            return count
        case _:
            return 0


def _proven(proof: Evidence) -> str:
    kind = str(proof.get("proof"))
    count = proof.get("redemptions")
    addresses = _addresses(proof.get("addresses"))
    return f"{addresses} proven by {_PROOFS.get(kind, kind)}; {count} redemptions"


def _read_back(evidence: Evidence, live: object) -> str:
    counts = [len(_list(each.get("ranges"))) for each in _mappings(live)]
    entries = " and ".join(f"{count} entries" for count in counts)
    clearance = evidence.get("clearance")
    return f"read back: {entries}" + (f"; allowed by: {clearance}" if clearance else "")


def _addresses(value: object) -> str:
    return ", ".join(str(each.get("address")) for each in _mappings(value))


def _mappings(value: object) -> Iterator[Evidence]:
    return (each for each in _list(value) if isinstance(each, dict))


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


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


def looks_of(event: Event) -> list[tuple[str, str]]:
    """Who looked in a watch-round, the canary first, and the verdict of each."""
    done = event.data.get("round")
    looks = done.get("looks") if isinstance(done, dict) else None
    return [(str(look["name"]), str(look["verdict"])) for look in looks or () if look]


def evidence_of(event: Event) -> dict[str, object]:
    """What a step-ended event says was found."""
    evidence = event.data.get("evidence")
    return evidence if isinstance(evidence, dict) else {}


def texts_of(event: Event, name: str) -> tuple[str, ...]:
    """A list in an event's data."""
    value = event.data.get(name)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def detail_of(event: Event) -> str:
    """The newest word about a step; empty for an event that has none."""
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
            return ", ".join(f"{name} {verdict}" for name, verdict in looks_of(event))
        case "step-ended":
            return finding(evidence_of(event))
        case _:
            return ""
