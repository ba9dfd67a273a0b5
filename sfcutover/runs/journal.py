"""What happened in a run, event by event: for the live view, the report, and the run itself.

An event is on disk before what it announces is done, so that a step that is begun again
finds how far it had come.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa

from sfcutover.errors import Command, Text
from sfcutover.runs.database import JOURNAL, RETRY_SECONDS, Database
from sfcutover.runs.threads import Lane
from sfcutover.util.document import commands_of, text_of
from sfcutover.util.secrets import redact

Data = dict[str, object]


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


class Journal:
    """The journal of one run."""

    def __init__(self, database: Database, run: str) -> None:
        self.database = database
        self.run = run

    def write(
        self,
        kind: str,
        step: str | None,
        target: str | None,
        data: Mapping[str, object],
        *,
        durably: bool = True,
    ) -> int:
        """Put an event on disk, secrets masked; its number. Raises what Database.run raises.

        durably: that is what this journal always does.
        """
        return insert_event(self.database, journal_row(self.run, kind, step, target, data))

    def read(self, after: int = 0) -> list[Event]:
        """The events behind a number, the oldest first."""
        query = sa.select(JOURNAL).where(JOURNAL.c.run == self.run, JOURNAL.c.seq > after)
        return self._select(query.order_by(JOURNAL.c.seq))

    def newest(self) -> int:
        """The number of the newest event, 0 before the first."""
        query = sa.select(sa.func.max(JOURNAL.c.seq)).where(JOURNAL.c.run == self.run)
        return self.database.read(lambda c: c.scalar(query)) or 0

    def last(self, kind: str, step: str | None = None, target: str | None = None) -> Event | None:
        """The newest event of a kind, of a step and a target."""
        query = self._of_kind(kind, step, target)
        found = self._select(query.order_by(JOURNAL.c.seq.desc()).limit(1))
        return found[0] if found else None

    def all(self, kind: str, step: str | None = None, target: str | None = None) -> list[Event]:
        """Every event of a kind, of a step and a target, the oldest first."""
        return self._select(self._of_kind(kind, step, target).order_by(JOURNAL.c.seq))

    def _of_kind(
        self, kind: str, step: str | None, target: str | None
    ) -> sa.Select[tuple[object, ...]]:
        query = sa.select(JOURNAL).where(JOURNAL.c.run == self.run, JOURNAL.c.kind == kind)
        if step is not None:
            query = query.where(JOURNAL.c.step == step)
        if target is not None:
            query = query.where(JOURNAL.c.target == target)
        return query

    def _select(self, query: sa.Select[tuple[object, ...]]) -> list[Event]:
        return self.database.read(
            lambda c: [event_of(dict(row)) for row in c.execute(query).mappings()]
        )


def journal_row(
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


def insert_event(
    database: Database, row: Mapping[str, object], seconds: float = RETRY_SECONDS
) -> int:
    """Put a row on disk, tried for so many seconds; its number."""

    def insert(connection: sa.Connection) -> int:
        key = connection.execute(sa.insert(JOURNAL).values(dict(row))).inserted_primary_key
        return int(key[0]) if key else 0

    return database.run(insert, seconds=seconds)


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


_KEPT_SECONDS = 600.0  # so long an event is tried to be put on disk
_READ_SECONDS = 5.0


class VigilJournal(Journal):
    """What has happened to one target. Of the run and of others it asks the database."""

    def __init__(self, journal: Journal, target: str, events: Sequence[Event]) -> None:
        super().__init__(journal.database, journal.run)
        self.target = target
        self._events = [each for each in events if each.target == target]
        self._lane = Lane("vigil")

    @classmethod
    def soon(cls, journal: Journal, target: str) -> VigilJournal:
        """With what can be read soon: where addresses are put back, that is not waited for."""
        lane = Lane("first look")
        events = lane.do(journal.read, _READ_SECONDS)
        lane.close()
        return cls(journal, target, events or ())

    def write(
        self,
        kind: str,
        step: str | None,
        target: str | None,
        data: Mapping[str, object],
        *,
        durably: bool = False,
    ) -> int:
        """durably: on disk before this returns; raises then what Journal.write raises."""
        row = journal_row(self.run, kind, step, target, data)
        if durably:
            number = insert_event(self.database, row)
        else:
            number = self._lane.do(lambda: insert_event(self.database, row, _KEPT_SECONDS)) or 0
        newest = self._events[-1].seq if self._events else 0
        self._events.append(event_of({**row, "seq": number or newest + 1}))
        return number

    def all(self, kind: str, step: str | None = None, target: str | None = None) -> list[Event]:
        """Of this target from memory, of others from the database."""
        if target != self.target:
            return super().all(kind, step, target)
        found = [each for each in self._events if each.kind == kind]
        return [each for each in found if step is None or each.step == step]

    def last(self, kind: str, step: str | None = None, target: str | None = None) -> Event | None:
        """As all."""
        if target != self.target:
            return super().last(kind, step, target)
        found = self.all(kind, step, target)
        return found[-1] if found else None

    def close(self) -> None:
        """The vigil is over."""
        self._lane.close()
