"""What people say to a run, from any machine: approve, cancel."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from sfcutover.runs.database import Database
from sfcutover.runs.tables import REQUESTS
from sfcutover.util.secrets import redact

Kind = Literal["approve", "cancel"]


@dataclass(frozen=True)
class Request:
    """pause: the journal's number of the pause that an approval answers."""

    kind: str
    pause: int | None
    who: str
    note: str | None
    time: float


class Requests:
    """The requests to one run."""

    def __init__(self, database: Database, run: str) -> None:
        self._database = database
        self._run = run

    def add(self, kind: Kind, who: str, note: str | None = None, pause: int | None = None) -> None:
        row = {
            "run": self._run,
            "kind": kind,
            "pause": pause,
            "who": redact(who),
            "note": None if note is None else redact(note),
            "time": time.time(),
        }
        self._database.run(lambda c: c.execute(sa.insert(REQUESTS).values(row)))

    def approval_of(self, pause: int) -> Request | None:
        """The first approval of a pause."""
        return self._first(REQUESTS.c.kind == "approve", REQUESTS.c.pause == pause)

    def cancellation(self) -> Request | None:
        """The first request to cancel."""
        return self._first(REQUESTS.c.kind == "cancel")

    def _first(self, *conditions: sa.ColumnElement[bool]) -> Request | None:
        columns = [REQUESTS.c[name] for name in ("kind", "pause", "who", "note", "time")]
        query = sa.select(*columns).where(REQUESTS.c.run == self._run, *conditions)
        row = self._database.read(
            lambda c: c.execute(query.order_by(REQUESTS.c.seq).limit(1)).mappings().first()
        )
        return None if row is None else Request(**row)
