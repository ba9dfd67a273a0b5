"""PostgreSQL for the state: connections that notice a server that does not answer any more."""

from __future__ import annotations

from typing import TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout

ANSWER_SECONDS = 15.0  # for one statement; a connection that is silent for longer is closed
_CONNECT_SECONDS = 10
_POOL_SIZE = 20
_INTERVAL_SECONDS = 0.1
# Of libpq, in seconds: the network's part. A proxy in between that has stopped forwarding still
# answers keepalives: for that, ANSWER_SECONDS.
_KEEPALIVES = {"keepalives_idle": "3", "keepalives_interval": "2", "keepalives_count": "2"}
T = TypeVar("T")


def with_keepalives(url: sa.URL) -> sa.URL:
    """The URL for psycopg, with what it does not set itself."""
    return url.set(drivername="postgresql+psycopg", query={**_KEEPALIVES, **url.query})


def create_engine(url: sa.URL) -> sa.Engine:
    """An engine whose connections are closed after a silence of ANSWER_SECONDS."""
    words, options = url.get_dialect()().create_connect_args(url)
    options.setdefault("connect_timeout", _CONNECT_SECONDS)
    engine = sa.create_engine(
        url,
        pool_size=_POOL_SIZE,
        pool_pre_ping=True,
        creator=lambda: _Connection.connect(*words, **options),
    )
    sa.event.listen(engine, "handle_error", _leave_read_only)
    return engine


def _leave_read_only(context: sa.engine.ExceptionContext) -> None:
    """A server that hands over to another is read-only: its connections are unusable, and the next
    call gets a new one."""
    if isinstance(context.original_exception, psycopg.errors.ReadOnlySqlTransaction):
        context.is_disconnect = True


class _Connection(psycopg.Connection[tuple[object, ...]]):
    """A connection on which no statement waits for ever."""

    def wait(
        self,
        gen: PQGen[T],
        interval: float = _INTERVAL_SECONDS,
        timeout: float | None = ANSWER_SECONDS,
    ) -> T:
        """Raises OperationalError, the connection closed, where the server stays silent."""
        try:
            return super().wait(gen, interval, timeout)
        except _WaitTimeout:
            self.close()
            raise psycopg.OperationalError(f"no answer for {ANSWER_SECONDS:.0f} s") from None
