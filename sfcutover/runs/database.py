"""The database that state.url names: SQLite on this machine, or PostgreSQL for several.

A database that restarts is asked again: every call here is one transaction, and is
repeated while the connection fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from sfcutover.config.traffic import State
from sfcutover.errors import (
    Advice,
    Command,
    ConfigError,
    NetworkError,
    OperationFailedError,
    SfcutoverError,
)
from sfcutover.util.files import make_folders_durably
from sfcutover.util.secrets import remember

METADATA = sa.MetaData()

RUNS = sa.Table(
    "sfcutover_runs",
    METADATA,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("cutover", sa.String(200), nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("config", sa.Text, nullable=False),  # JSON, normalized, without secrets
    sa.Column("options", sa.Text, nullable=False),  # JSON
    sa.Column("version", sa.String(20), nullable=False),  # of the flow
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("ended", sa.Float),
    sa.Column("outcome", sa.String(40)),
    sa.Column("exit_code", sa.Integer),
    sa.Column("owner", sa.String(80)),
    sa.UniqueConstraint("cutover", "number"),
)
EXECUTORS = sa.Table(
    "sfcutover_executors",
    METADATA,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("cutover", sa.String(200), nullable=False, index=True),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("beat", sa.Float, nullable=False),
    sa.Column("ended", sa.Float),
    sa.Column("taken_by", sa.String(80)),  # who goes on with what it has left behind
)
JOURNAL = sa.Table(
    "sfcutover_journal",
    METADATA,
    # SQLite counts up by itself only an INTEGER.
    sa.Column(
        "seq",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("run", sa.String(200), nullable=False, index=True),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("step", sa.String(80)),
    sa.Column("target", sa.String(200)),
    sa.Column("data", sa.Text, nullable=False),  # JSON
)
REQUESTS = sa.Table(
    "sfcutover_requests",
    METADATA,
    sa.Column(
        "seq",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("run", sa.String(200), nullable=False, index=True),
    sa.Column("kind", sa.String(20), nullable=False),  # approve or cancel
    sa.Column("pause", sa.Integer),  # the journal's number of the pause that it answers
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("time", sa.Float, nullable=False),
)

BASELINES = sa.Table(
    "sfcutover_baselines",
    METADATA,
    sa.Column("cutover", sa.String(200), primary_key=True),
    sa.Column("target", sa.String(200), primary_key=True),
    sa.Column("written", sa.Float, nullable=False),
    sa.Column("record", sa.Text, nullable=False),  # JSON, without secrets
)

T = TypeVar("T")
RETRY_SECONDS = 90.0  # a PostgreSQL that restarts is back by then
_KINDS = ("sqlite", "postgresql")
_NOTHING_DONE = (
    "this command has done nothing; where a run was under way, an old address may be off a list "
    "that no process watches"
)
_TOKENS = (
    "what the run had done in the org by then stays done; a list that lost addresses was watched "
    "to the end, or has them back; nothing more is taken off while the state can't be written"
)


class Database:
    """An opened state database. url: with its password, a secret."""

    def __init__(self, url: sa.URL, where: str) -> None:
        self.url = url
        self._where = where
        self._engine = _engine(url)

    @classmethod
    def at(cls, state: State) -> Database:
        """The one of this state; nothing is made, and nobody asked. Raises ConfigError."""
        return cls(_in_folder(_url(state), state.folder), state.where)

    @classmethod
    def open(cls, state: State, *, create: bool = True) -> Database:
        """Open it, and make its tables if they are missing.

        create: False for a look at what is there: a missing SQLite file is then an error.
        Raises ConfigError for a URL that is none, NetworkError for a server that doesn't answer,
        OperationFailedError for a file that can't be written.
        """
        database = cls.at(state)
        if not database.is_shared:
            _make_folder(database.url, state.where, create)
        try:
            database.run(database._make_tables, seconds=15.0 if create else 5.0)
        except (NetworkError, OperationFailedError) as error:
            live = (Command("diff", "remove-old"), " shows the live list")
            hint = Advice(error.advice, "; ", *live)
            raise error.replaced(impact=_NOTHING_DONE, hint=hint) from error
        return database

    @property
    def is_shared(self) -> bool:
        """True if other machines can have part in it."""
        return self.url.get_backend_name() == "postgresql"

    def __str__(self) -> str:
        """Its place, without its password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def engine_url(self) -> str:
        """The URL with its password, for the workflow engine; never to be shown."""
        return self.url.render_as_string(hide_password=False)

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """One transaction that only reads, so that nobody waits for it; again as run does."""
        return self.run(work, reads=True)

    def run(
        self,
        work: Callable[[sa.Connection], T],
        *,
        seconds: float = RETRY_SECONDS,
        reads: bool = False,
    ) -> T:
        """One transaction, again while the database can't be reached, at most so many seconds."""
        return self.patiently(lambda: self._transaction(work, reads), seconds)

    def patiently(self, work: Callable[[], T], seconds: float = RETRY_SECONDS) -> T:
        """Do what needs the database, again while it can't be reached, at most so many seconds.

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

    def now(self) -> float:
        """The database's clock, in seconds since 1970: one clock for all machines."""
        if not self.is_shared:
            return time.time()
        return float(self.read(lambda c: c.scalar(sa.text(_CLOCK)) or 0.0))

    def close(self) -> None:
        self._engine.dispose()

    def _make_tables(self, connection: sa.Connection) -> None:
        if self.is_shared:  # two that make them at once get in each other's way
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TABLES)))
        METADATA.create_all(connection)

    def _transaction(self, work: Callable[[sa.Connection], T], reads: bool) -> T:
        with self._engine.connect() as connection:
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
                hint="see that PostgreSQL is up and state.url right, then run this again",
                impact=_TOKENS,
            )
        hint = "make room or correct the permissions, then run this again"
        if any(words in reason for words in _FOREIGN):
            hint = (
                "it is no state of this version of sfcutover: name another file in state.url, "
                "or put the one back that its runs were kept in"
            )
        return OperationFailedError(
            f"the state file {self.url.database} can't be used: {reason}",
            where=self._where,
            hint=hint,
            impact=_TOKENS,
        )


_FOREIGN = ("no such column", "no such table", "has no column", "malformed", "not a database")
_LASTING = ("is full", "disk I/O error", "readonly", "unable to open", *_FOREIGN)
_TABLES = 0x73667462  # a lock of PostgreSQL's, by number
_NOTICED = {  # of libpq: a server that no longer answers is noticed within half a minute
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",  # milliseconds
}
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"


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
    remember([value for value in (str(url.password or ""),) if value])
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg", query={**_NOTICED, **url.query})
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
            "a run is not kept in memory", where=where, hint="name a file in state.url"
        )
    if not create and not path.exists():
        raise ConfigError(
            f"there is no run yet: {path} is missing",
            where=where,
            hint=Advice(
                "start one: ", Command("run"), "; or look in the folder where it was started"
            ),
        )
    try:
        make_folders_durably(path.parent)
    except OSError as error:
        raise ConfigError(
            f"the folder {path.parent} can't be made: {error.strerror}",
            where=where,
            hint="name another file in state.url",
        ) from None


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, connect_args={"timeout": 30})
        sa.event.listen(engine, "connect", _write_ahead)
        sa.event.listen(engine, "begin", _take_the_lock)
        return engine
    return sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10})


def _write_ahead(connection: object, _record: object) -> None:
    """Readers don't wait for writers, and what is committed is on disk."""
    execute = getattr(connection, "execute")  # noqa: B009 - SQLite's own connection, not typed
    setattr(connection, "isolation_level", None)  # noqa: B010
    execute("PRAGMA journal_mode=WAL")
    execute("PRAGMA synchronous=FULL")


def _take_the_lock(connection: sa.Connection) -> None:
    """Whoever is going to write waits now: later, SQLite would refuse rather than wait."""
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _is_passing(error: BaseException) -> bool:
    """A server that restarts, or hands over to another and is read-only meanwhile, is back soon."""
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, OperationalError | InterfaceError | InternalError):
        return False
    text = str(error.orig)
    return not any(words in text for words in _LASTING)


SOON_SECONDS = 1.0  # so long somebody waits for a database that is well


class BackgroundThread:
    """A thread of its own for what may hang."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, name)
        self._is_busy: Callable[[], bool] = lambda: False

    def do(self, work: Callable[[], T], seconds: float = SOON_SECONDS) -> T | None:
        """What work returns; None if it fails, or takes longer, and is then done later.

        Behind something that takes longer nobody waits at all.
        """
        is_behind = self._is_busy()
        future = self._pool.submit(work)
        self._is_busy = lambda: not future.done()
        if is_behind:
            return None
        try:
            return future.result(seconds)
        except (TimeoutError, SfcutoverError, SQLAlchemyError):
            return None

    def close(self) -> None:
        """Take nothing more; what was taken is still done."""
        self._pool.shutdown(wait=False)
