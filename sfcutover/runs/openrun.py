"""A look at whether a run is under way, for whoever performs none. It makes nothing."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from sfcutover.config.cutover import Cutover
from sfcutover.runs.database import Database
from sfcutover.runs.tables import RUNS

_SECONDS = 5.0


def missing_file(database: Database) -> Path | None:
    """The SQLite file that the first run is going to make; None where there is a database."""
    path = None if database.is_shared else Path(database.url.database or "")
    return path if path is not None and not path.exists() else None


def open_run(cutover: Cutover) -> str | None:
    """The id of the cutover's run that has not ended. Raises what Database.at and run raise."""
    database = Database.at(cutover.state)
    try:
        return None if missing_file(database) else find_open(database, cutover.name)
    finally:
        database.close()


def find_open(database: Database, cutover: str) -> str | None:
    """As open_run, in a database that is there."""

    def look(connection: sa.Connection) -> str | None:
        if not sa.inspect(connection).has_table(RUNS.name):
            return None
        open_ = sa.select(RUNS.c.id).where(RUNS.c.cutover == cutover, RUNS.c.ended.is_(None))
        found: str | None = connection.scalar(open_)
        return found

    return database.run(look, seconds=_SECONDS, reads=True)
