"""Reading a zip that came over the network, with nothing taken on trust."""

from __future__ import annotations

import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import PurePosixPath

from sfcutover.errors import LimitError, OperationFailedError

MAX_FILES = 10_000  # of a deploy or retrieve (Metadata API Developer Guide)
MAX_UNZIPPED_BYTES = 64 * 1024 * 1024
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted; NotImplementedError: a compression nobody knows
    ValueError,  # names that are no UTF-8, offsets outside the file
)
_HINT = "nothing of it was used; retrieve again, and if it stays so, look at what is in the way"


def read_zip(data: bytes, where: str) -> dict[str, bytes]:
    """The files by path. Raises OperationFailedError for a zip that is broken or that
    would leave its folder, LimitError for one that is too large."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
            _check_size(entries, where)
            paths = [_safe_path(entry, where) for entry in entries]
            _check_unique(paths, where)
            return {
                path: _read(archive, entry, where)
                for path, entry in zip(paths, entries, strict=True)
            }
    except _DAMAGED as error:
        raise OperationFailedError(
            f"not a readable zip: {error}", where=where, hint=_HINT
        ) from error


def _check_size(entries: list[zipfile.ZipInfo], where: str) -> None:
    if len(entries) > MAX_FILES:
        raise LimitError(
            f"the zip holds {len(entries):,} files; the limit is {MAX_FILES:,}",
            where=where,
            hint=_HINT,
        )
    if sum(entry.file_size for entry in entries) > MAX_UNZIPPED_BYTES:
        raise _too_large(where)


def _safe_path(entry: zipfile.ZipInfo, where: str) -> str:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or ":" in entry.filename:
        raise OperationFailedError(
            f"the zip holds a path that leads out of it: {entry.filename!r}",
            where=where,
            hint=_HINT,
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise OperationFailedError(
            f"the zip holds a link: {entry.filename!r}", where=where, hint=_HINT
        )
    return str(path)


def _check_unique(paths: list[str], where: str) -> None:
    twice = [path for path, count in Counter(paths).items() if count > 1]
    if twice:
        raise OperationFailedError(f"the zip holds {twice[0]!r} twice", where=where, hint=_HINT)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, where: str) -> bytes:
    with archive.open(entry) as file:
        data = file.read(MAX_UNZIPPED_BYTES + 1)
    if len(data) > MAX_UNZIPPED_BYTES:
        raise _too_large(where)
    return data


def _too_large(where: str) -> LimitError:
    return LimitError(
        f"the zip unpacks to more than {MAX_UNZIPPED_BYTES:,} bytes", where=where, hint=_HINT
    )
