"""Writing a file so that it survives a crash: whole, on disk, and readable by its owner only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_durably(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace the file by text (UTF-8, mode 0600 unless said otherwise); of a link, the file
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
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        staging.replace(path)
        _sync_folder(path.parent)
    finally:
        staging.unlink(missing_ok=True)


def make_folders_durably(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner only; each is synced.

    Raises OSError.
    """
    if not folder.is_dir():
        make_folders_durably(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Write a file a person will edit (UTF-8, mode 0644 less the umask), whole or not at all.

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
