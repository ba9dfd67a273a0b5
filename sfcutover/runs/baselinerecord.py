"""The baseline record: what stood in a target's org before the first deployment of a cutover.

Every later command and run of the cutover is bound to it, and every rollback uses it. It is kept
until a rollback to the baseline was read back complete.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa
from pydantic import Field, ValidationError

from sfcutover.allowlist.baseline import BaselineDocument
from sfcutover.allowlist.diff import RangeDocument
from sfcutover.errors import ConfigError
from sfcutover.runs.database import Database
from sfcutover.runs.event import moment_text
from sfcutover.runs.tables import BASELINES
from sfcutover.util.document import Document
from sfcutover.util.secrets import redact

_READ_SECONDS = 5.0
_WRITING = 0x73666362  # a lock of PostgreSQL's by number: one record is written at a time


class BaselineRecord(Document):
    """The baseline of one target. instance_url is noted, as an org may get another.

    components: as they were. before_add_new: False where the first deployment that is known here
    was remove-old, so that it is unknown which new addresses had been there before. old, new:
    the ranges of cutover.yaml; new has every range that was ever deployed. policies: by field, each
    text that the cutover has ever set it to. recorded: seconds since 1970.
    canaries: whose grants have proven addresses, by the canary's name: ``00D…/005…``, as the
    identity URL has it. switched: when traffic started to move to the new addresses, in seconds
    since 1970, null where it has not or is unknown. removals: ids of the deployments that were
    sent to remove old addresses, the newest last.
    """

    cutover: str
    target: str
    app: str
    instance_url: str
    organization_id: str
    components: list[BaselineDocument]
    before_add_new: bool
    old: list[RangeDocument]
    new: list[RangeDocument]
    policies: dict[str, list[str]]
    recorded: float
    by: str
    switched: float | None = None
    canaries: dict[str, str] = Field(default_factory=dict)
    removals: list[str] = Field(default_factory=list)

    @property
    def component_ids(self) -> dict[str, str]:
        """By path, as far as the org has said them."""
        return {each.path: each.id for each in self.components if each.id is not None}

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""
        return f"its first deployment ({moment_text(self.recorded)}, {self.by})"


class BaselineStore:
    """The records of one cutover. Every method raises what Database.run raises."""

    def __init__(self, database: Database, cutover: str) -> None:
        self._database = database
        self._cutover = cutover

    def find(self, target: str) -> BaselineRecord | None:
        """The record of a target. Raises ConfigError for one that can't be read."""

        def look(connection: sa.Connection) -> str | None:
            if not self._has_table(connection):
                return None  # a state of which nothing was written yet
            return self._text(connection, target)

        text = self._database.run(look, seconds=_READ_SECONDS, reads=True)
        return None if text is None else self._parsed(text)

    def keep(
        self, target: str, change: Callable[[BaselineRecord | None], BaselineRecord]
    ) -> BaselineRecord:
        """Change the record of a target, or make it, in one transaction; the record as it is on
        disk then. change: gets None where there is none."""

        def write(connection: sa.Connection) -> BaselineRecord:
            if self._database.is_shared:  # SQLite has one writer at a time anyway
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITING)))
            text = self._text(connection, target)
            before = None if text is None else self._parsed(text)
            after = change(before)
            values = {"record": redact(after.model_dump_json())}
            if before is None:
                key = {"cutover": self._cutover, "target": target, "written": time.time()}
                connection.execute(sa.insert(BASELINES).values(key | values))
            elif after != before:
                connection.execute(sa.update(BASELINES).where(self._is(target)).values(values))
            return after

        return self._database.run(write)

    def forget(self, target: str) -> None:
        """Remove the record of a target: the cutover has left no trace there."""
        self._database.run(lambda c: c.execute(sa.delete(BASELINES).where(self._is(target))))

    def _has_table(self, connection: sa.Connection) -> bool:
        return self._database.has_tables or sa.inspect(connection).has_table(BASELINES.name)

    def _text(self, connection: sa.Connection, target: str) -> str | None:
        query = sa.select(BASELINES.c.record).where(self._is(target))
        found: str | None = connection.scalar(query)
        return found

    def _is(self, target: str) -> sa.ColumnElement[bool]:
        return sa.and_(BASELINES.c.cutover == self._cutover, BASELINES.c.target == target)

    def _parsed(self, text: str) -> BaselineRecord:
        try:
            return BaselineRecord.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(
                f"the baseline record of {self._cutover} is from another version: "
                f"{'.'.join(map(str, first['loc']))} {first['msg']}",
                where=str(self._database),
                hint="use the version of sfcutover that wrote it",
            ) from None
