"""A SQLite state that travels: exported to one file, and imported where its runs continue.

Each export of a state has a number. A state, and each user of a machine, remember the newest that
they have seen, so that an older one is never continued beside it.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from sfcutover.config.state import State
from sfcutover.errors import Advice, Command, ConfigError, OperationFailedError
from sfcutover.runs import sqlite
from sfcutover.runs.database import Database
from sfcutover.runs.event import IMPORTED, event_row
from sfcutover.runs.process import config_key
from sfcutover.runs.processlock import ProcessLock
from sfcutover.runs.store import RunStore, missing_file
from sfcutover.runs.tables import BASELINES, EXPORTS, JOURNAL, RUNS
from sfcutover.util.ciprovider import current_actor
from sfcutover.util.files import (
    fingerprint,
    make_folders_durably,
    replace_durably,
    staging_file,
    state_folder,
    write_durably,
)

_UNTOUCHED = "the existing state is unchanged; no run was resumed"


@dataclass(frozen=True)
class Export:
    """lineage: the same for a state and all that come from it. number: counts its exports up."""

    lineage: str
    number: int


def export_state(database: Database, cutover: str, path: Path) -> Export:
    """A consistent copy of the state in one file (mode 0600), whole or not at all.

    Raises StillRunningError while a process performs one of its runs, ConfigError for a state from
    which another folder of this user has continued, OperationFailedError for a file that can't be
    written.
    """
    with _alone(database, _cutovers(database) | {cutover}):
        before = database.read(_export_in)
        if before is not None:
            _require_newest(before, str(database.file), "this state")
        export = database.run(_count_up)
        with _written(path) as staging:
            sqlite.copy(database.file, staging)
            _mark(staging, time.time())
            replace_durably(staging, path)
        _note_seen(export)
        return export


def import_state(state: State, cutover: str, path: Path) -> Export:
    """Let the state be what an export holds.

    Raises ConfigError for a file that is no export, of another version, or older than one seen,
    and where the state in place has what it lacks; StillRunningError while a process performs one
    of its runs; OperationFailedError for a state that can't be written.
    """
    place = Database.at(state)
    with closing(place), ExitStack() as held, _written(place.file) as staging:
        _copy_of_export(path, staging)
        with closing(_opened(staging, path)) as brought:
            export = _require_export(brought, path)
            names = _cutovers(brought) | {cutover}
            held.enter_context(_alone(place, names))
            _require_newest(export, str(path), "this export")
            if missing_file(place) is None:
                _require_contained(state, brought, export, path)
            _note_import(brought, export)
        _mark(staging, None)
        _remove_logs(place.file)
        replace_durably(staging, place.file)
        _note_seen(export)
        return export


@contextmanager
def _alone(database: Database, cutovers: set[str]) -> Iterator[None]:
    """No process performs a run of these cutovers beside the file meanwhile."""
    with ExitStack() as stack:
        for each in sorted(cutovers):
            stack.enter_context(ProcessLock(database, each, "run", config_key("")))
        yield


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """A file beside path that is renamed onto it; removed, if it was not."""
    staging: Path | None = None
    try:
        make_folders_durably(path.parent.absolute())
        staging = staging_file(path)
        yield staging
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise OperationFailedError(
            f"the state was not written: {reason}",
            where=str(path),
            hint="free disk space or correct the permissions, then run this again",
            impact=_UNTOUCHED,
        ) from error
    finally:
        if staging is not None:
            staging.unlink(missing_ok=True)
            _remove_logs(staging)


def _remove_logs(path: Path) -> None:
    """Of a database that is closed: what was in them is in its file."""
    for suffix in ("-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


def _copy_of_export(path: Path, staging: Path) -> None:
    if not path.exists():
        raise _refused("the file does not exist", path)
    try:
        if EXPORTS.name not in sqlite.tables_of(path):
            raise _refused("the file is not an exported state", path)
        sqlite.copy(path, staging)
        if not sqlite.is_whole(staging):
            raise _refused("the exported state is damaged", path)
    except (OSError, sqlite3.Error) as error:
        raise _refused(f"the file cannot be read as an exported state: {error}", path) from error


def _opened(staging: Path, path: Path) -> Database:
    """Raises ConfigError for the state of another version."""
    try:
        return Database.open_file(staging, str(path))
    except ConfigError as error:
        raise error.replaced(
            message=error.message.replace(f"the state file {staging}", "the file"),
            hint="import it with the version of sfcutover that exported it",
        ) from error


def _require_export(brought: Database, path: Path) -> Export:
    exported = brought.read(lambda c: c.scalar(sa.select(EXPORTS.c.exported)))
    export = brought.read(_export_in)
    if export is None or exported is None:
        raise _refused("the file is a state in use, not an export", path)
    return export


def _require_contained(state: State, brought: Database, export: Export, path: Path) -> None:
    """The state in place has nothing that would be lost. Raises ConfigError."""
    with closing(Database.open(state, create=False)) as place:
        if place.read(_is_empty):
            return
        own = place.read(_export_in)
        if own is None or own.lineage != export.lineage:
            raise _refused(f"the state {place.file} has runs of its own", path)
        if export.number < own.number:
            raise _refused(_older(export, own.number), path)
        if not _has_all_of(place, brought):
            raise _refused(
                f"the state {place.file} has changed since the export, and has events that the "
                f"export lacks",
                path,
            )


def _require_newest(export: Export, where: str, what: str) -> None:
    """By what this user has seen on this machine. Raises ConfigError."""
    seen = _seen(export.lineage)
    if export.number < seen:
        raise _refused(f"{what}: {_older(export, seen)}", Path(where))


def _older(export: Export, seen: int) -> str:
    return f"number {export.number} is older than number {seen}, which was seen here"


def _refused(message: str, path: Path) -> ConfigError:
    return ConfigError(
        f"{message}; nothing was imported or exported",
        where=str(path),
        hint=Advice(
            "use the newest export; ",
            Command("runs"),
            " shows the runs of the existing state; to discard them, move its file away",
        ),
    )


def _cutovers(database: Database) -> set[str]:
    return {run.cutover for run in RunStore(database).all() if run.ended is None}


def _export_in(connection: sa.Connection) -> Export | None:
    row = connection.execute(sa.select(EXPORTS.c.lineage, EXPORTS.c.number)).one_or_none()
    return None if row is None else Export(str(row.lineage), int(row.number))


def _count_up(connection: sa.Connection) -> Export:
    before = _export_in(connection)
    if before is None:
        export = Export(uuid.uuid4().hex, 1)
        connection.execute(sa.insert(EXPORTS).values(vars(export)))
        return export
    export = Export(before.lineage, before.number + 1)
    connection.execute(sa.update(EXPORTS).values(number=export.number))
    return export


def _is_empty(connection: sa.Connection) -> bool:
    tables = (RUNS, BASELINES, EXPORTS)
    return not any(connection.scalar(sa.select(sa.func.count()).select_from(t)) for t in tables)


def _has_all_of(place: Database, brought: Database) -> bool:
    """True if the newest event in place, and each record there, are in what was brought, too."""
    columns = (JOURNAL.c.seq, JOURNAL.c.run, JOURNAL.c.time, JOURNAL.c.kind)
    told = sa.select(*columns).where(JOURNAL.c.kind != IMPORTED)
    newest = place.read(lambda c: c.execute(told.order_by(JOURNAL.c.seq.desc()).limit(1)).first())
    if newest is not None:
        same = told.where(JOURNAL.c.seq == newest.seq)
        if brought.read(lambda c: c.execute(same).first()) != newest:
            return False
    records = sa.select(BASELINES.c.cutover, BASELINES.c.target, BASELINES.c.record)
    own, other = (each.read(lambda c: set(c.execute(records))) for each in (place, brought))
    return {row[:2] for row in own} <= {row[:2] for row in other}


def _note_import(brought: Database, export: Export) -> None:
    """In the journal of each run that may continue."""
    said = {"number": export.number, "by": current_actor()}
    runs = [run.id for run in RunStore(brought).all() if run.ended is None]
    rows = [event_row(run, IMPORTED, None, None, said) for run in runs]
    if rows:
        brought.run(lambda c: c.execute(sa.insert(JOURNAL), rows))


def _mark(path: Path, exported: float | None) -> None:
    """An export says when it was made; a state in use says nothing. One file, as it is closed."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE sfcutover_exports SET exported = ?", (exported,))
        connection.commit()
        connection.execute("PRAGMA journal_mode=DELETE")


def _seen_file(lineage: str) -> Path:
    return state_folder() / f"exports-{fingerprint(lineage)}"


def _seen(lineage: str) -> int:
    """The newest export of this lineage that this user has made or imported here, 0 for none."""
    try:
        return int(_seen_file(lineage).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return 0


def _note_seen(export: Export) -> None:
    write_durably(_seen_file(export.lineage), f"{max(export.number, _seen(export.lineage))}\n")
