"""The locks of processes that share a SQLite file: files beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sfcutover.runs.process import Process
from sfcutover.util.files import fingerprint, is_held, process_lock, state_folder

_TAKE_SECONDS = 1.0  # a check of a lock holds it for a moment


class FileLocks:
    """The locks of one cutover, in the folder FILE.locks. file: of the SQLite database."""

    def __init__(self, file: Path, cutover: str) -> None:
        self._folder = file.with_name(f"{file.name}.locks")
        self._cutover = fingerprint(cutover)[:8]
        self._held: list[FileLock] = []
        self._claims: dict[str, FileLock] = {}
        self._claiming = threading.Lock()

    def acquire(self, process: Process) -> bool:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        wanted = [self._path(process.id), *([self._path("run")] if process.role == "run" else ())]
        try:
            for path in wanted:
                lock = process_lock(path)
                lock.acquire(timeout=_TAKE_SECONDS)
                self._held.append(lock)
        except Timeout:
            self.release()
            return False
        return True

    def claim(self, name: str) -> bool:
        """By a file of the folder that all states of this user share."""
        with self._claiming:  # two targets may be one list
            if name in self._claims:
                return True
            lock = process_lock(state_folder() / f"list-{fingerprint(name)}.lock")
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return False
            self._claims[name] = lock
            return True

    def is_held(self) -> bool:
        """The kernel takes no lock from a process."""
        return bool(self._held)

    def release(self) -> None:
        while self._claims:
            self._claims.popitem()[1].release()
        while self._held:
            lock = self._held.pop()
            if not lock.lock_file.endswith(".run"):
                Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()

    def holders(self) -> list[Process]:
        found = self._folder.glob(f"{self._cutover}.*:*")
        return [Process(each.name.partition(".")[2]) for each in sorted(found) if is_held(each)]

    @contextmanager
    def taking(self, process: str) -> Iterator[bool]:
        path = self._path(process)
        try:
            with process_lock(path).acquire(blocking=False):
                yield True
                path.unlink(missing_ok=True)  # its id never comes back
        except Timeout:
            yield False

    def _path(self, name: str) -> Path:
        return self._folder / f"{self._cutover}.{name}"
