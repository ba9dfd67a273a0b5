"""The baseline records of one cutover, as its steps find, keep and forget them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sfcutover.config.cutover import Cutover

if TYPE_CHECKING:  # SQLAlchemy: imported only where there is a state, or one is written
    from sfcutover.runs.background import BackgroundThread
    from sfcutover.runs.baselinerecord import BaselineRecord, BaselineStore
    from sfcutover.runs.database import Database

_FIRST_SECONDS = 5.0  # where it was not found before


@dataclass
class RecordedBaselines:
    """By target. Threads may share it.

    database: the state, where it is open already; else it is opened when it is needed, and made
    by the first record.
    """

    cutover: Cutover
    database: Database | None = None
    _known: dict[str, BaselineRecord] = field(default_factory=dict, init=False)
    _owned: Database | None = field(default=None, init=False)
    _thread: BackgroundThread | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def find(self, target: str) -> BaselineRecord | None:
        """The record of a target. Raises what the state raises."""
        if self._opened is None and self.cutover.state.is_missing:
            return None
        record = self._store().find(target)
        if record is None:
            self._known.pop(target, None)
        else:
            self._known[target] = record
        return record

    def find_soon(self, target: str) -> BaselineRecord | None:
        """As find; where the state does not answer within seconds, what was found last."""
        if self._opened is None and self.cutover.state.is_missing:
            return None
        from sfcutover.runs.background import SOON_SECONDS, BackgroundThread

        self._thread = self._thread or BackgroundThread("baseline")
        seconds = SOON_SECONDS if target in self._known else _FIRST_SECONDS
        found = self._thread.do(lambda: (self.find(target),), seconds)
        return self._known.get(target) if found is None else found[0]

    def keep(
        self, target: str, change: Callable[[BaselineRecord | None], BaselineRecord]
    ) -> BaselineRecord:
        """Change or make a record; it is on disk when this returns. Raises what the state does."""
        record = self._store(create=True).keep(target, change)
        self._known[target] = record
        return record

    def note_removal(self, target: str, deployment: str) -> None:
        """Record a deployment that removes old addresses, so that a restore can cancel it.

        A state that does not answer is not waited for, as the removal is watched. Raises nothing.
        """
        self._note(target, lambda known: {"removals": [*known.removals, deployment]})

    def note_switch(self, target: str, switched: float | None) -> None:
        """Traffic starts to move to the new addresses (seconds since 1970), or moved back (None).

        As note_removal: nothing waits for it.
        """
        self._note(target, lambda _: {"switched": switched})

    def _note(self, target: str, update: Callable[[BaselineRecord], dict[str, object]]) -> None:
        if (record := self.find_soon(target)) is None or self._thread is None:
            return

        def change(known: BaselineRecord | None) -> BaselineRecord:
            newest = known or record
            return newest.model_copy(update=update(newest))

        self._thread.do(lambda: self.keep(target, change), _FIRST_SECONDS)

    def forget(self, target: str) -> None:
        """Remove a record. Raises what the state raises."""
        self._store().forget(target)
        self._known.pop(target, None)

    def close(self) -> None:
        """Close the state, if this has opened it."""
        if self._thread is not None:
            self._thread.close()
        if self._owned is not None:
            self._owned.close()

    @property
    def _opened(self) -> Database | None:
        return self.database or self._owned

    def _store(self, *, create: bool = False) -> BaselineStore:
        from sfcutover.runs.baselinerecord import BaselineStore
        from sfcutover.runs.database import Database

        with self._lock:
            if self.database is None and (create or self._owned is None):
                opened = Database.open if create else Database.at
                if self._owned is not None:
                    self._owned.close()
                self._owned = opened(self.cutover.state)
            database = self._opened
        if database is None:
            raise TypeError("a state is opened by now")
        return BaselineStore(database, self.cutover.name)
