"""The database that state.url names: SQLite on this machine, or PostgreSQL for several.

A database that restarts is asked again: every call here is one transaction, and is
repeated while the connection fails.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from sfcutover.config.state import State
from sfcutover.errors import Advice, Command, ConfigError, NetworkError, OperationFailedError
from sfcutover.runs import sqlite
from sfcutover.runs.tables import METADATA, STATE, STATE_VERSION
from sfcutover.util.files import make_folders_durably
from sfcutover.util.secrets import passwords_in, remember

T = TypeVar("T")
RETRY_SECONDS = 90.0  # a PostgreSQL that restarts is back by then
_KINDS = ("sqlite", "postgresql")
_NOTHING_DONE = (
    "this command has done nothing; if a run was in progress, an old address may be missing from "
    "an allowlist that no process monitors"
)
_TOKENS = (
    "what the run has already done in the org stays; an allowlist that lost addresses was "
    "monitored to the end, or has them back; nothing more is removed while the state cannot be "
    "written"
)


class Database:
    """An opened state database. url: with its password, a secret. engine: its connections.

    has_tables: True once they are known to exist.
    """

    def __init__(self, url: sa.URL, where: str) -> None:
        self.url = url
        self._where = where
        self.engine = _engine(url)
        self.has_tables = False

    @classmethod
    def at(cls, state: State) -> Database:
        """The one of this state; no file is made, and no server asked. Raises ConfigError."""
        return cls(_in_folder(_url(state), state.folder), state.where)

    @classmethod
    def open(cls, state: State, *, create: bool = True) -> Database:
        """Open it, and make its tables if they are missing.

        create: False to only read what exists: a missing SQLite file is then an error.
        Raises ConfigError for a URL that is none, and for a database of another program or another
        version of sfcutover, which stays as it is; NetworkError for a server that doesn't answer;
        OperationFailedError for a file that can't be written.
        """
        database = cls.at(state)
        if not database.is_shared:
            _make_folder(database.url, state.where, create)
        return database._opened(create)

    @classmethod
    def open_file(cls, path: Path, where: str) -> Database:
        """A SQLite file that is there, as open does it. where: names it in an error."""
        return cls(sa.URL.create("sqlite", database=str(path)), where)._opened(False)

    def _opened(self, create: bool) -> Database:
        if not self.is_shared:
            self._require_own_file()
        try:
            if not self.is_shared:
                self.patiently(lambda: sqlite.use_write_ahead_log(self.engine))
            self.run(self._make_tables, seconds=15.0 if create else 5.0)
        except (NetworkError, OperationFailedError) as error:
            live = (Command("diff", "remove-old"), " shows the live allowlist")
            hint = Advice(error.advice, "; ", *live)
            raise error.replaced(impact=_NOTHING_DONE, hint=hint) from error
        self.has_tables = True
        return self

    @property
    def is_shared(self) -> bool:
        """True if other machines can have part in it."""
        return self.url.get_backend_name() == "postgresql"

    @property
    def file(self) -> Path:
        """Of SQLite."""
        return Path(self.url.database or "")

    def __str__(self) -> str:
        """Its place, without its password and parameters, of which one may be a password."""
        return self.url.set(query={}).render_as_string(hide_password=True)

    @property
    def engine_url(self) -> str:
        """The URL with its password, for the workflow engine; never to be shown."""
        return self.url.render_as_string(hide_password=False)

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """One transaction that only reads, so that no writer waits for it; retried as in run."""
        return self.run(work, reads=True)

    def run(
        self,
        work: Callable[[sa.Connection], T],
        *,
        seconds: float = RETRY_SECONDS,
        reads: bool = False,
    ) -> T:
        """One transaction, again while the database can't be reached, at most these seconds."""
        return self.patiently(lambda: self._transaction(work, reads), seconds)

    def patiently(self, work: Callable[[], T], seconds: float = RETRY_SECONDS) -> T:
        """Do what needs the database, again while it can't be reached, at most these seconds.

        Raises NetworkError or OperationFailedError.
        """
        attempts = Retrying(
            retry=retry_if_exception(_is_passing),
            wait=wait_random_exponential(multiplier=0.05, max=2.0),
            stop=stop_after_delay(seconds),
            reraise=True,
        )
        try:
            result: T = attempts(work)
        except (InterfaceError, InternalError, OperationalError, PoolTimeoutError) as error:
            raise self.unavailable(error) from None
        except DatabaseError as error:
            if type(error) is not DatabaseError:
                raise  # a defect, not the database's state
            raise self.unavailable(error) from None
        return result

    def close(self) -> None:
        """Close what is not in use. The last one that closes SQLite leaves one file."""
        if self.is_shared:
            self.engine.dispose()
        else:
            sqlite.close(self.engine)

    def _require_own_file(self) -> None:
        """Before anything is written to it. Raises ConfigError."""
        try:
            found = sqlite.tables_of(self.file)
        except sqlite3.OperationalError:
            return  # it is asked again, and the reason told
        except sqlite3.DatabaseError:
            raise self._foreign("is not a SQLite database") from None
        if found and not any(name.startswith(_OURS) for name in found):
            raise self._foreign("is the database of another program")

    def _make_tables(self, connection: sa.Connection) -> None:
        if self.is_shared:  # two processes that create them together block each other
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TABLES)))
        names = sa.inspect(connection).get_table_names()
        if any(name.startswith(_OURS) for name in names):
            self._require_version(connection, names)
        METADATA.create_all(connection)
        if connection.scalar(sa.select(STATE.c.version)) is None:
            connection.execute(sa.insert(STATE).values(version=STATE_VERSION))

    def _require_version(self, connection: sa.Connection, tables: list[str]) -> None:
        """Raises ConfigError."""
        query = sa.select(STATE.c.version)
        version = connection.scalar(query) if STATE.name in tables else "0"
        if version != STATE_VERSION:
            raise self._foreign(
                f"has the state version {version}, but this sfcutover uses version {STATE_VERSION}"
            )

    def _foreign(self, what: str) -> ConfigError:
        place = f"the state file {self.url.database}" if not self.is_shared else str(self)
        return ConfigError(
            f"{place} {what}; it was not changed",
            where=self._where,
            hint="name another database in state.url, or finish its runs with the version of "
            "sfcutover that created it",
        )

    def _transaction(self, work: Callable[[sa.Connection], T], reads: bool) -> T:
        with self.engine.connect() as connection:
            connection.execution_options(reads=reads)
            with connection.begin():
                return work(connection)

    def unavailable(
        self, error: DBAPIError | PoolTimeoutError
    ) -> NetworkError | OperationFailedError:
        """What the database says that can't be used, as one of our errors."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        reason = " ".join(str(cause).split())[:300]
        if self.is_shared:
            return NetworkError(
                f"the state database does not answer: {reason}",
                where=self._where,
                hint="check that PostgreSQL is running and that state.url is correct, then run "
                "this again",
                impact=_TOKENS,
            )
        return OperationFailedError(
            f"the state file {self.url.database} cannot be used: {reason}",
            where=self._where,
            hint="free disk space or correct the permissions, then run this again",
            impact=_TOKENS,
        )


_OURS = "sfcutover_"
_LASTING = (  # of SQLite: asking again does not help
    "is full",
    "disk I/O error",
    "readonly",
    "unable to open",
    "no such column",
    "no such table",
    "has no column",
    "malformed",
    "not a database",
    "unsupported file format",
)
_TABLES = 0x73667462  # a lock of PostgreSQL's, by number


def _url(state: State) -> sa.URL:
    text = state.database_url()
    try:
        url = sa.make_url(text)
        known = url.get_backend_name() in _KINDS
    except (ArgumentError, ValueError):
        known = False
    if not known:
        raise ConfigError(
            "state.url names no database",
            where=state.where,
            hint="write sqlite:///.sfcutover/state.db or postgresql+psycopg://host/database; with "
            "a password, take the whole URL from {env: NAME}",
        )
    if passwords_in(text):
        remember([text])  # with its passwords, as they are and decoded
    if url.get_backend_name() == "postgresql":
        from sfcutover.runs.postgresql import with_keepalives  # psycopg: only where it is needed

        return with_keepalives(url)
    return url


def _in_folder(url: sa.URL, folder: Path) -> sa.URL:
    no_path = url.database in (None, "", ":memory:") or str(url.database).startswith("file:")
    if url.get_backend_name() != "sqlite" or no_path:
        return url
    return url.set(database=str(folder / str(url.database)))


def _make_folder(url: sa.URL, where: str, create: bool) -> None:
    path = Path(url.database or "")
    if not url.database or url.database == ":memory:":
        raise ConfigError(
            "a run cannot be stored in memory", where=where, hint="name a file in state.url"
        )
    if not create and not path.exists():
        raise ConfigError(
            f"there is no run yet: {path} is missing",
            where=where,
            hint=Advice(
                "start one: ", Command("run"), "; or change to the folder where it was started"
            ),
        )
    try:
        make_folders_durably(path.parent)
    except OSError as error:
        raise ConfigError(
            f"the folder {path.parent} cannot be created: {error.strerror}",
            where=where,
            hint="name another file in state.url",
        ) from None


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        return sqlite.create_engine(url)
    from sfcutover.runs import postgresql  # psycopg: only where it is needed

    return postgresql.create_engine(url)


def _is_passing(error: BaseException) -> bool:
    """A server that restarts, or hands over to another and is read-only meanwhile, is back soon."""
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, OperationalError | InterfaceError | InternalError):
        return False
    text = str(error.orig)
    return not any(words in text for words in _LASTING)
