"""The journal of a list that is watched or put back: nobody waits for it.

What is told stands in memory at once, and gets to the database by a thread of its own. A
database that hangs, is full or away keeps no list from being watched, and no address from
being put back. Only that a removal is about to be sent must be on disk first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sfcutover.runs.journal import Event, Journal, event_of, insert_event, journal_row
from sfcutover.runs.lane import Lane

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
