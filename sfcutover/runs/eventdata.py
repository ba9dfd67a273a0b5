"""What stands in an event's data, by kind. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sfcutover.runs.findings import finding
from sfcutover.runs.journal import Event


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
