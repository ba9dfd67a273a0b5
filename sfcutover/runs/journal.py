"""What happened in a run, event by event: for the live view, the report, and the run itself.

An event is on disk before what it announces is done, so that a step that is started again finds how
far it had come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from sfcutover.runs.background import BackgroundThread
from sfcutover.runs.database import RETRY_SECONDS, Database
from sfcutover.runs.event import Event, event_of, event_row, select_events
from sfcutover.runs.tables import JOURNAL, RUNS

_KEPT_SECONDS = 600.0  # how long a buffered event is tried to be put on disk
_READ_SECONDS = 5.0


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
        return insert_event(self.database, event_row(self.run, kind, step, target, data))

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

    def of_other_runs(self, kind: str) -> list[Event]:
        """Every event of a kind of the runs besides this one that have not ended."""
        others = sa.select(RUNS.c.id).where(RUNS.c.ended.is_(None), RUNS.c.id != self.run)
        return self._select(
            sa.select(JOURNAL).where(JOURNAL.c.kind == kind, JOURNAL.c.run.in_(others))
        )

    def buffered(self, target: str) -> BufferedJournal:
        """A journal of this target that waits for no database, with what can be read soon."""
        thread = BackgroundThread("first read")
        events = thread.do(self.read, _READ_SECONDS)
        thread.close()
        return BufferedJournal(self, target, events or ())

    def close(self) -> None:
        """Nothing is left to write."""

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


def insert_event(
    database: Database, row: Mapping[str, object], seconds: float = RETRY_SECONDS
) -> int:
    """Put a row on disk, tried for at most these seconds; its number."""

    def insert(connection: sa.Connection) -> int:
        key = connection.execute(sa.insert(JOURNAL), dict(row)).inserted_primary_key
        return int(key[0]) if key else 0

    return database.run(insert, seconds=seconds)


class BufferedJournal(Journal):
    """The journal of one target whose list is watched or restored: no step waits for it.

    An event is in memory immediately, and reaches the database by a separate thread. A
    database that hangs, is full or away stops no watch and no restore. Only that a removal is
    about to be sent must be on disk first. Of the run and of other targets it asks the database.
    """

    def __init__(self, journal: Journal, target: str, events: Sequence[Event]) -> None:
        super().__init__(journal.database, journal.run)
        self.target = target
        self._events = [each for each in events if each.target == target]
        self._thread = BackgroundThread("buffered-journal")

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
        row = event_row(self.run, kind, step, target, data)
        if durably:
            number = insert_event(self.database, row)
        else:
            number = self._thread.do(lambda: insert_event(self.database, row, _KEPT_SECONDS)) or 0
        newest = self._events[-1].seq if self._events else 0
        self._events.append(event_of({**row, "seq": number or newest + 1}))
        return number

    def all(self, kind: str, step: str | None = None, target: str | None = None) -> list[Event]:
        """Of this target from memory, of others from the database."""
        if target != self.target:
            return super().all(kind, step, target)
        return select_events(self._events, kind, step, target)

    def last(self, kind: str, step: str | None = None, target: str | None = None) -> Event | None:
        """As all."""
        if target != self.target:
            return super().last(kind, step, target)
        found = self.all(kind, step, target)
        return found[-1] if found else None

    def buffered(self, _target: str) -> BufferedJournal:
        """This journal, which waits for nothing already."""
        return self

    def close(self) -> None:
        """Take no more events; events so far are still written."""
        self._thread.close()
