"""The runs of a database: started, changed and ended; what they are made of."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from itertools import takewhile
from pathlib import Path

import sqlalchemy as sa

from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover
from sfcutover.errors import Advice, Command, ConfigError, StillRunningError
from sfcutover.runs.database import Database
from sfcutover.runs.event import event_row
from sfcutover.runs.journal import Journal
from sfcutover.runs.process import Process, config_key
from sfcutover.runs.processlock import alive
from sfcutover.runs.tables import JOURNAL, RUNS

WORKFLOW_VERSION = "6"  # a run is finished by the version of the workflow that it started with
ROLLED_BACK = "rolled-back"
DONE = "done"
_BEGIN = 0x73666375  # a lock of PostgreSQL's by number: one run is started at a time


@dataclass(frozen=True)
class RunOptions:
    """pause_before: steps that wait for the operator first. traffic_moved: the operator says that
    customers have left the old addresses."""

    pause_before: tuple[str, ...] = ()
    traffic_moved: bool = False

    def as_text(self) -> str:
        return json.dumps(vars(self))

    @classmethod
    def from_text(cls, text: str) -> RunOptions:
        data = json.loads(text)
        return cls(tuple(data["pause_before"]), bool(data["traffic_moved"]))

    def joined(self, later: RunOptions) -> RunOptions:
        """With what a later command has asked for."""
        return RunOptions(
            tuple(dict.fromkeys((*self.pause_before, *later.pause_before))),
            self.traffic_moved or later.traffic_moved,
        )


@dataclass(frozen=True)
class Run:
    """A cutover that is carried out, or was. Times are seconds since 1970, None until they exist.

    config: what cutover.yaml said, as config_text gives it. version: of the workflow, and program:
    of sfcutover, that it started with.
    """

    id: str
    cutover: str
    number: int
    config: str
    started: float
    options: RunOptions = field(default_factory=RunOptions)
    ended: float | None = None
    outcome: str | None = None
    exit_code: int | None = None
    version: str = WORKFLOW_VERSION
    program: str = ""


class RunStore:
    """Reads and writes runs."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def journal(self, run: str) -> Journal:
        return Journal(self.database, run)

    def alive(self, cutover: str) -> list[Process]:
        """The processes that take part in a cutover's runs."""
        return alive(self.database, cutover)

    def place(self, run: Run) -> str | None:
        """Where a process executes a run, or would continue it; None where none does."""
        if run.ended is not None:
            return None
        config = config_key(run.config)
        found = [each for each in self.alive(run.cutover) if each.config == config]
        runs = [each for each in found if each.role == "run"]
        return next((each.place for each in (*runs, *found)), None)

    def all(self) -> list[Run]:
        """Every run, the newest first."""
        return self._select(sa.select(RUNS).order_by(RUNS.c.started.desc()))

    def find(self, identifier: str) -> Run:
        """By its id, or the newest of a cutover by its name. Raises ConfigError."""
        query = sa.select(RUNS).where((RUNS.c.id == identifier) | (RUNS.c.cutover == identifier))
        found = self._select(query.order_by(RUNS.c.number.desc()))
        exact = [run for run in found if run.id == identifier]
        if not found:
            raise ConfigError(
                f"there is no run {identifier!r}",
                where=self.database.url.render_as_string(),
                hint=Advice(Command("runs"), " lists the existing runs"),
            )
        return (exact or found)[0]

    def active(self, cutover: str) -> Run | None:
        """The run of a cutover that has not ended."""
        query = sa.select(RUNS).where(RUNS.c.cutover == cutover, RUNS.c.ended.is_(None))
        found = self._select(query.order_by(RUNS.c.number.desc()))
        return found[0] if found else None

    def newest(self, cutover: str) -> Run | None:
        """The newest run of a cutover."""
        query = sa.select(RUNS).where(RUNS.c.cutover == cutover)
        found = self._select(query.order_by(RUNS.c.number.desc()).limit(1))
        return found[0] if found else None

    def rollbacks_in_a_row(self, cutover: str) -> int:
        """How many runs of a cutover ended rolled back since one was done."""
        query = sa.select(RUNS).where(RUNS.c.cutover == cutover, RUNS.c.ended.is_not(None))
        newest_first = self._select(query.order_by(RUNS.c.number.desc()))
        since_done = takewhile(lambda run: run.outcome != DONE, newest_first)
        return sum(run.outcome == ROLLED_BACK for run in since_done)

    def begin(self, cutover: str, config: str, options: RunOptions) -> Run:
        """A new run.

        Raises StillRunningError where a run of this cutover, or of another that changes one of its
        lists, has not ended.
        """

        def insert(connection: sa.Connection) -> Run:
            if self.database.is_shared:  # SQLite has one writer at a time anyway
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_BEGIN)))
            _require_alone(connection, cutover, config)
            highest = sa.select(sa.func.max(RUNS.c.number)).where(RUNS.c.cutover == cutover)
            number = (connection.scalar(highest) or 0) + 1
            run = Run(
                f"{cutover}.{number}",
                cutover,
                number,
                config,
                time.time(),
                options,
                program=metadata.version("sfcutover"),
            )
            row = vars(run) | {"options": options.as_text()}
            connection.execute(sa.insert(RUNS).values(row))
            return run

        return self.database.run(insert)

    def accept(self, run: Run, config: str, options: RunOptions, by: str) -> None:
        """Let the run continue with another cutover.yaml, and with more pauses.

        by: who accepts the differences; they are in the journal immediately.
        """
        values = {"config": config, "options": run.options.joined(options).as_text()}
        update = sa.update(RUNS).where(RUNS.c.id == run.id).values(values)
        changes = differences(run.config, config)
        event = event_row(run.id, "changes-accepted", None, None, {"changes": changes, "by": by})

        def both(connection: sa.Connection) -> None:
            connection.execute(update)
            if changes:
                connection.execute(sa.insert(JOURNAL).values(event))

        self.database.run(both)

    def end(self, run: str, ending: Mapping[str, object]) -> bool:
        """End the run, in its row and its journal together; False if it had ended before.

        ending: outcome, exit_code, message, impact, next.
        """
        code = int(str(ending["exit_code"]))
        values = {"ended": time.time(), "outcome": ending["outcome"], "exit_code": code}
        update = sa.update(RUNS).where(RUNS.c.id == run, RUNS.c.ended.is_(None)).values(values)
        event = event_row(run, "run-ended", None, None, ending)

        def both(connection: sa.Connection) -> bool:
            if not connection.execute(update).rowcount:
                return False
            connection.execute(sa.insert(JOURNAL).values(event))
            return True

        return self.database.run(both)

    def ended_before(self, moment: float) -> list[Run]:
        """The runs that ended before a time, in seconds since 1970; the oldest first."""
        query = sa.select(RUNS).where(RUNS.c.ended < moment)
        return self._select(query.order_by(RUNS.c.ended))

    def remove(self, runs: Sequence[Run]) -> None:
        """Remove ended runs with their journals."""
        ids = [run.id for run in runs]

        def both(connection: sa.Connection) -> None:
            connection.execute(sa.delete(JOURNAL).where(JOURNAL.c.run.in_(ids)))
            ended = RUNS.c.ended.is_not(None)
            connection.execute(sa.delete(RUNS).where(RUNS.c.id.in_(ids), ended))

        self.database.run(both)

    def _select(self, query: sa.Select[tuple[object, ...]]) -> list[Run]:
        rows = self.database.read(lambda c: c.execute(query).mappings().all())
        return [
            Run(**{**row, "options": RunOptions.from_text(str(row["options"]))}) for row in rows
        ]


def _require_alone(connection: sa.Connection, cutover: str, config: str) -> None:
    """Two cutovers of one list would bypass each other's gates."""
    query = sa.select(RUNS.c.id, RUNS.c.cutover, RUNS.c.config).where(RUNS.c.ended.is_(None))
    for identifier, name, other in connection.execute(query):
        if name == cutover or share_a_list(other, config):
            raise StillRunningError(
                f"this run of {name} has not ended, and changes the same allowlist",
                where=identifier,
                hint=Advice("let it finish, or cancel it: ", Command("cancel", identifier)),
                impact="this command changed nothing; the run continues",
            )


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


Flat = dict[str, str]


def config_text(cutover: Cutover, templates: Templates) -> str:
    """What the file says, without its layout; the place of the state may differ.

    With it goes what the --templates folder holds, as both decide what is deployed.
    """
    data = cutover.model_dump(mode="json", exclude={"state"}, exclude_defaults=True, by_alias=True)
    if templates.overrides:
        data["templates"] = templates.overrides
    return json.dumps(data, sort_keys=True, ensure_ascii=False)


def cutover_of(text: str) -> Cutover:
    """The cutover of a text that config_text made. Raises ValidationError."""
    data = json.loads(text)
    data.pop("templates", None)
    return Cutover.model_validate(data)


def differences(before: str, after: str) -> list[str]:
    """What differs between two texts of config_text, one line for each value."""
    old, new = _flat(json.loads(before)), _flat(json.loads(after))
    return [
        f"{key}: {old.get(key, 'unset')} -> {new.get(key, 'unset')}"
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]


# What the flow of a run is made of: with another of these, it would be another flow.
_FIXED = ("name", "app", "carriers", "waves", "switch.manual")  # and some of each target


def fixed(before: str, after: str) -> list[str]:
    """The differences with which a started run cannot continue."""
    return [each for each in differences(before, after) if _is_fixed(each.partition(":")[0])]


def share_a_list(one: str, other: str) -> bool:
    """True for two cutovers that change a list of the same app in the same org."""
    first, second = json.loads(one), json.loads(other)
    orgs = [[each.get("org") for each in config["targets"]] for config in (first, second)]
    return first["app"] == second["app"] and any(org in orgs[1] for org in orgs[0])


def is_of_a_template(difference: str) -> bool:
    """True for a difference of the --templates folder."""
    return difference.startswith("templates.")


def _is_fixed(key: str) -> bool:
    if key.startswith("targets["):
        return key.endswith((".name", "]"))
    return any(key == each or key.startswith((f"{each}.", f"{each}[")) for each in _FIXED)


def _flat(value: object, path: str = "") -> Flat:
    match value:
        case dict():
            parts = [_flat(each, f"{path}.{key}".lstrip(".")) for key, each in value.items()]
        case list():
            parts = [_flat(each, f"{path}[{index}]") for index, each in enumerate(value)]
        case _:
            return {path: json.dumps(value, ensure_ascii=False)}
    return {key: text for part in parts for key, text in part.items()}
