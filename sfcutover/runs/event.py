"""An event of a run or a command, and the log of a command that no run keeps."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from sfcutover.errors import Command, Text
from sfcutover.util.document import Document, UtcTime, commands_of, text_of
from sfcutover.util.secrets import redact

Data = dict[str, object]
# Kinds of events by which runs and commands decide.
BOUND = "bound"  # which organization, app and components a run has reached first
CANCEL_REQUESTED = "cancel-requested"
IMPORTED = "state-imported"  # the run continues from an export, from which others may, too


@dataclass(frozen=True)
class Event:
    """One line of the journal. time: seconds since 1970, this machine's clock.

    seq: counts up within a database. step and target: what it belongs to, if to one.
    """

    seq: int
    run: str
    time: float
    kind: str
    step: str | None = None
    target: str | None = None
    data: Data = field(default_factory=dict)

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def text(self, key: str) -> str:
        """A value of data as text, empty if it isn't there."""
        value = self.data.get(key)
        return "" if value is None else str(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of data as texts, empty if it isn't there."""
        value = self.data.get(key)
        return tuple(map(str, value)) if isinstance(value, list) else ()

    def text_map(self, key: str) -> dict[str, str]:
        """A map of data as texts, empty if it isn't there."""
        value = self.data.get(key)
        return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}

    def advice(self, key: str) -> Text:
        """A text of data that may suggest commands, empty if it isn't there."""
        return text_of(self.data.get(key) or "")

    @property
    def commands(self) -> list[Command]:
        """The commands that data suggests."""
        return commands_of(self.data.get("commands") or [])

    def number(self, key: str) -> float:
        """A value of data as a number, 0 if it is none."""
        value = self.data.get(key)
        return float(value) if isinstance(value, int | float) else 0.0


def moment_text(seconds: float) -> str:
    """UTC, ISO 8601, milliseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class EventDocument(Document):
    """One event of a run."""

    schema_: Literal["sfcutover/event/1"] = Field("sfcutover/event/1", alias="schema")
    """Name and version of this document's format."""
    run: str
    """Id of the run."""
    seq: int
    """Number of the event, counting up in its run."""
    time: UtcTime
    """When it happened, UTC, ISO 8601."""
    kind: str
    """Kind of the event."""
    step: str | None
    """Name of the step; null where it belongs to none."""
    target: str | None
    """Name of the target; null where it belongs to none."""
    data: dict[str, object]
    """What the event tells; its keys depend on the kind."""

    @classmethod
    def of(cls, event: Event) -> EventDocument:
        return cls(
            run=event.run,
            seq=event.seq,
            time=moment_text(event.time),
            kind=event.kind,
            step=event.step,
            target=event.target,
            data=event.data,
        )


class CommandLog:
    """The events of a single command, in its memory only. show: gets each event."""

    run = ""

    def __init__(self, show: Callable[[Event], None] = lambda _: None) -> None:
        self._show = show
        self._events: list[Event] = []

    def write(
        self,
        kind: str,
        step: str | None,
        target: str | None,
        data: Mapping[str, object],
        *,
        durably: bool = False,
    ) -> int:
        """Keep an event, secrets masked, and show it; its number."""
        row = event_row(self.run, kind, step, target, data)
        event = event_of({**row, "seq": len(self._events) + 1})
        self._events.append(event)
        self._show(event)
        return event.seq

    def all(self, kind: str, step: str | None = None, target: str | None = None) -> list[Event]:
        """Every event of a kind, of a step and a target, the oldest first."""
        return select_events(self._events, kind, step, target)

    def last(self, kind: str, step: str | None = None, target: str | None = None) -> Event | None:
        """The newest event of a kind, of a step and a target."""
        found = self.all(kind, step, target)
        return found[-1] if found else None

    def buffered(self, _target: str) -> CommandLog:
        """This log, which waits for nothing."""
        return self

    def close(self) -> None:
        """Nothing is left to write."""


@dataclass(frozen=True)
class EventList:
    """Events that were read, the oldest first."""

    events: Sequence[Event]

    def all(self, kind: str, step: str | None = None, target: str | None = None) -> list[Event]:
        """Every event of a kind, of a step and a target, the oldest first."""
        return select_events(self.events, kind, step, target)


def select_events(
    events: Iterable[Event], kind: str, step: str | None, target: str | None
) -> list[Event]:
    """Those of a kind, and of a step and a target where these are given."""
    return [
        each
        for each in events
        if each.kind == kind
        and (step is None or each.step == step)
        and (target is None or each.target == target)
    ]


def event_row(
    run: str, kind: str, step: str | None, target: str | None, data: Mapping[str, object]
) -> dict[str, object]:
    """An event that happens now as a row, secrets masked."""
    return {
        "run": run,
        "time": time.time(),
        "kind": kind,
        "step": step,
        "target": target,
        "data": redact(json.dumps(dict(data), ensure_ascii=False, default=asdict)),
    }


def event_of(row: Mapping[str, object]) -> Event:
    """The event of a row that has its number."""
    step, target = row["step"], row["target"]
    return Event(
        int(str(row["seq"])),
        str(row["run"]),
        float(str(row["time"])),
        str(row["kind"]),
        None if step is None else str(step),
        None if target is None else str(target),
        json.loads(str(row["data"])),
    )
