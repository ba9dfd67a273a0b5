"""Debian's PostgreSQL as the state of shared runs: a cluster for one test, which can be
restarted."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_PLACES = Path("/usr/lib/postgresql")
_USER = "postgres"
_SECONDS = 60


def missing() -> str | None:
    """What would have to be installed, or None."""
    return None if _programs() else "PostgreSQL is not installed: apt-get install postgresql"


def require() -> None:
    """Skip the test if PostgreSQL is missing; fail if SFCUTOVER_REQUIRE_REAL is set."""
    if reason := missing():
        if os.environ.get("SFCUTOVER_REQUIRE_REAL"):
            pytest.fail(reason)
        pytest.skip(reason)


@dataclass(frozen=True)
class Postgres:
    """A running cluster. folder: its data."""

    folder: Path
    port: int
    _at_work: threading.Lock = field(default_factory=threading.Lock)  # one thing after the other

    def url(self, database: str) -> str:
        """A new database's URL."""
        programs = _programs()
        assert programs
        self._run(
            str(programs / "createdb"),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            _USER,
            database,
        )
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{self.port}/{database}"

    def restart(self) -> None:
        """Restart immediately, as a machine that is reset: connections break."""
        self.control("restart", "-m", "immediate")

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """The server answers no client, and closes no connection."""
        first = int((self.folder / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="utf-8")
        processes = [first, *map(int, children.split())]
        for each in processes:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in processes:
                os.kill(each, signal.SIGCONT)

    def set_read_only(self, wanted: bool) -> None:
        """Make every later transaction read-only, as on a server that hands over to another."""
        with (self.folder / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"default_transaction_read_only = {'on' if wanted else 'off'}\n")
        self.control("reload")

    def control(self, *words: str) -> None:
        programs = _programs()
        assert programs
        self._run(
            str(programs / "pg_ctl"), "-D", str(self.folder), "-w", "-t", str(_SECONDS),
            "-l", str(self.folder.parent / "log"), *words,
        )  # fmt: skip

    def _run(self, *argv: str) -> None:
        with self._at_work:
            subprocess.run(
                _as_postgres(argv), check=True, timeout=2 * _SECONDS, stdout=subprocess.DEVNULL
            )


@contextmanager
def running() -> Iterator[Postgres]:
    """A cluster on a free port of 127.0.0.1, without passwords; stopped at the end."""
    programs = _programs()
    assert programs
    with tempfile.TemporaryDirectory(prefix="sfcutover-postgres-") as name:
        top = Path(name)
        if os.geteuid() == 0:
            os.chown(top, pwd.getpwnam(_USER).pw_uid, -1)
        cluster = Postgres(top / "data", _free_port())
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(cluster.port),
            "unix_socket_directories": str(top),
            "fsync": "off",  # a test's cluster survives no power loss
        }
        init = (
            str(programs / "initdb"),
            "-D",
            str(cluster.folder),
            "-U",
            _USER,
            "-A",
            "trust",
            "-N",
        )
        subprocess.run(_as_postgres(init), check=True, timeout=_SECONDS, stdout=subprocess.DEVNULL)
        with (cluster.folder / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in settings.items())
        cluster.control("start")
        try:
            yield cluster
        finally:
            cluster.control("-m", "immediate", "stop")


def _programs() -> Path | None:
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    places = sorted(_PLACES.glob("*/bin/pg_ctl"))
    return places[-1].parent if places else None


def _as_postgres(argv: tuple[str, ...]) -> list[str]:
    """Run as the user postgres if root runs the tests: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return list(argv)
    return ["runuser", "-u", _USER, "--", *argv]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
