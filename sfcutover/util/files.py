"""Files that survive a crash, locks that do not, and the folder for this tool's state.

A file is written whole and on disk; one for this tool's own use is readable by its owner only.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs.unix import Unix

from sfcutover.errors import ConfigError, OperationFailedError
from sfcutover.util.boundedfile import TooLargeError, read_file


def write_durably(path: Path, text: str) -> None:
    """Replace the file by text (UTF-8, mode 0600, as mkstemp has it); of a link, the file
    behind it.

    The text is written beside it, synced and renamed, and the folder is synced:
    at any instant the path holds the old text or the new one. Raises OSError.
    """
    path = Path(os.path.realpath(path))
    descriptor, name = tempfile.mkstemp(prefix=".sfcutover-", dir=path.parent)
    staging = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        staging.replace(path)
        _sync_folder(path.parent)
    finally:
        staging.unlink(missing_ok=True)


def staging_file(path: Path) -> Path:
    """An empty file beside path (mode 0600), to be written and then renamed. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=".sfcutover-", dir=path.parent)
    os.close(descriptor)
    return Path(name)


def replace_durably(staging: Path, path: Path) -> None:
    """Rename a file that was written beside path onto it; both it and the folder are synced.

    Raises OSError.
    """
    descriptor = os.open(staging, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    staging.replace(path)
    _sync_folder(path.parent)


def make_folders_durably(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner only; each is synced.

    Raises OSError.
    """
    if not folder.is_dir():
        make_folders_durably(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def replace_files(files: Mapping[Path, bytes]) -> None:
    """Write files and the folders that they need, all of them or nothing; modes stay.

    Each is written beside its place and synced. Only then are they renamed, one by one; if one
    can't be, those before it are restored. A kill in between leaves whole files, old and new.
    Raises OSError.
    """
    with ExitStack() as stack:
        for folder in {path.parent for path in files}:
            stack.enter_context(_folder_made(folder))
        staged = {path: stack.enter_context(_staged(path, data)) for path, data in files.items()}
        before = {
            path: stack.enter_context(_staged(path, path.read_bytes()))
            for path in files
            if path.exists()
        }
        done: list[Path] = []
        try:
            for path, staging in staged.items():
                staging.replace(path)
                done.append(path)
        except BaseException:
            for path in done:
                if path in before:
                    before[path].replace(path)
                else:
                    path.unlink()
            raise
        for folder in {path.parent for path in files}:
            _sync_folder(folder)


@contextmanager
def _staged(path: Path, data: bytes) -> Iterator[Path]:
    """A synced file beside path, with its mode; in the end it is gone or renamed."""
    staging = path.with_name(f".sfcutover-{uuid.uuid4().hex}")
    try:
        with staging.open("xb") as file:
            if path.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield staging
    finally:
        staging.unlink(missing_ok=True)


@contextmanager
def _folder_made(folder: Path) -> Iterator[None]:
    """The folder, and those above it that are missing; they are removed again if it fails."""
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            _sync_folder(each.parent)
        yield
    except BaseException:
        for each in missing:
            with suppress(OSError):
                each.rmdir()
        raise


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Write a file for the user to edit (UTF-8, mode 0644 less the umask), whole or not at all.

    Raises FileExistsError if it is there and force is not set, and OSError.
    """
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        staging.write_text(text, encoding="utf-8")
        if force:
            staging.replace(path)
        else:
            os.link(staging, path)
    finally:
        staging.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_PACKAGE = Path(__file__).parents[1]


def resource_folder(name: str) -> Path:
    """The folder ``templates`` or ``schemas``."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


LOCK_SECONDS = 300.0  # one redemption and its storing take less
_POLL_SECONDS = 0.01
_SPARE_BYTES = 32 * 1024  # twice the longest token


def fingerprint(text: str) -> str:
    """A name for a text that doesn't give it away; of a token, 128 bits of SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def state_folder() -> Path:
    """``$XDG_STATE_HOME/sfcutover``, else ``~/.local/state/sfcutover``, on macOS too; made if
    missing.

    Raises ConfigError if it can't be made, or others can write it: it holds locks, and
    tokens that no store took.
    """
    try:
        folder = Unix("sfcutover").user_state_path
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, RuntimeError) as error:
        raise _no_folder(str(error)) from None
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _no_folder(f"other users own or can write {folder}")
    return folder


def prove_writable(folder: Path, where: str) -> None:
    """Write a file of a token's size there, and remove it, before a token is used up.

    Raises ConfigError.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_SPARE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(
            f"the folder {folder} cannot store a new token: {error.strerror}",
            where=where,
            hint="free disk space or make the folder writable: a replaced token must be stored",
        ) from None


def prove_replaceable(path: Path, where: str) -> None:
    """Rename an identical copy onto a file that holds a token, before that token is used up: no
    other look shows that a new one could be put there. A file that is mounted by itself refuses it.

    The caller holds the token's lock. Raises ConfigError, also for what is no regular file.
    """
    try:
        if not path.is_file():
            raise OSError(errno.EINVAL, "it is not a regular file")
        write_durably(path, read_file(path, _SPARE_BYTES).decode())
    except (OSError, TooLargeError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it has no token"
        raise ConfigError(
            f"the file {path} cannot be replaced: {reason}",
            where=where,
            hint="a new token is renamed onto it; if the file itself is mounted, mount its "
            "folder instead",
        ) from None


def process_lock(path: Path) -> FileLock:
    """A lock that ends with its process, after kill -9 too, and that no child inherits.

    Each call gives a lock of its own, which keeps threads apart as it does processes, and
    which also ends with the last reference to it. The lock file is made if missing and stays.
    Its acquire raises filelock.Timeout, and OSError where the file system has no such locks.
    """
    return FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False)


def is_held(path: Path) -> bool:
    """True if a process, this one included, holds the lock of this file."""
    try:
        with process_lock(path).acquire(blocking=False):
            return False
    except Timeout:
        return True


@contextmanager
def token_lock(path: Path, what: str) -> Iterator[None]:
    """Hold the lock of a token that is redeemed. what: names the token in an error.

    Raises OperationFailedError after LOCK_SECONDS, and ConfigError if the lock file can't be
    opened.
    """
    try:
        path.parent.resolve(strict=True)  # acquire would make a folder that is missing
        lock = process_lock(path).acquire(timeout=LOCK_SECONDS, poll_interval=_POLL_SECONDS)
    except Timeout:
        raise OperationFailedError(
            f"{what} is in use: another process has held {path} for {LOCK_SECONDS:.0f} s",
            hint="find that process (with fuser), wait for it to end, then run this again",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"the lock file {path} cannot be opened: {error.strerror}",
            hint="the folder must be writable for you, and the file must not be a link",
        ) from None
    with lock:
        yield


def _no_folder(reason: str) -> ConfigError:
    return ConfigError(
        f"there is no folder for this tool's state: {reason}",
        hint="set XDG_STATE_HOME to a folder that is yours alone and survives a restart",
    )
