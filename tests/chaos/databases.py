"""The state of a run in a PostgreSQL behind a proxy, and its failures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.chaos.tcpproxy import TcpProxy, proxy_to
from tests.real.postgres import Postgres, running

RESTARTED, HUNG, READ_ONLY, CUT = KINDS = ("restarted", "hung", "read-only", "cut")


@dataclass(frozen=True)
class SharedDatabases:
    """The databases of one cluster. proxy: used by the clients of ``proxied``."""

    cluster: Postgres
    proxy: TcpProxy

    def url(self, name: str) -> str:
        """The URL of a new database."""
        return self.cluster.url(name)

    def proxied(self, url: str) -> str:
        """The same database through the proxy."""
        return url.replace(f":{self.cluster.port}/", f":{self.proxy.port}/")

    @contextmanager
    def trouble(self, kind: str) -> Iterator[None]:
        """One of KINDS, until the end; a restart ends immediately. It affects all connections of a
        cluster that hangs, restarts or is read-only; cut affects those through the proxy."""
        match kind:
            case "restarted":
                self.cluster.restart()
                yield
            case "hung":
                with self.cluster.hanging():
                    yield
            case "read-only":
                self.cluster.set_read_only(True)
                try:
                    yield
                finally:
                    self.cluster.set_read_only(False)
            case "cut":
                with self.proxy.cut():
                    yield
            case _:
                raise ValueError(kind)


@contextmanager
def shared_databases() -> Iterator[SharedDatabases]:
    """A cluster with its own proxy."""
    with running() as cluster, proxy_to(cluster.port) as proxy:
        yield SharedDatabases(cluster, proxy)
