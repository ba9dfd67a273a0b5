"""Reading what others wrote, within a size and a time: regular files and pipes, nothing else.

A device has no end, and a pipe may have no writer.
"""

from __future__ import annotations

import errno
import os
import selectors
import stat
import time
from pathlib import Path

from sfcutover.errors import ConfigError, LimitError, Text

PIPE_SECONDS = 30.0  # in all, for a pipe to bring its content and its end
_CHUNK_BYTES = 64 * 1024


class TooLargeError(Exception):
    """There is more to read than the limit."""


def read_bounded(path: Path, limit: int, *, hint: Text) -> bytes:
    """The content of a file or pipe that the user names, at most limit bytes.

    Raises ConfigError with this hint for what can't be read, LimitError for what is larger.
    """
    try:
        return read_file(path, limit)
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", where=str(path), hint=hint
        ) from error
    except TooLargeError:
        raise LimitError(
            f"the file is larger than {limit:,} bytes", where=str(path), hint=hint
        ) from None


def read_file(path: Path, limit: int) -> bytes:
    """The content of a regular file, or of a pipe within PIPE_SECONDS.

    Raises OSError, also for anything else than these two, and TooLargeError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode):
            return read_pipe(descriptor, limit, PIPE_SECONDS)
        if stat.S_ISDIR(mode):
            raise _refusal(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(mode):
            raise _refusal(errno.EINVAL, "it is neither a file nor a pipe", path)
        with open(descriptor, "rb", closefd=False) as file:
            return _within(file.read(limit + 1), limit)
    finally:
        os.close(descriptor)


def read_pipe(descriptor: int, limit: int, seconds: float) -> bytes:
    """All that a pipe brings until its writers have closed it.

    Raises TooLargeError, and TimeoutError where its end does not come within these seconds.
    """
    deadline = time.monotonic() + seconds
    content = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            part = os.read(descriptor, _CHUNK_BYTES)
            if not part:
                return content
            content = _within(content + part, limit)
    raise TimeoutError(errno.ETIMEDOUT, f"its end did not arrive within {seconds:.0f} s")


def _within(content: bytes, limit: int) -> bytes:
    if len(content) > limit:
        raise TooLargeError
    return content


def _refusal(number: int, reason: str, path: Path) -> OSError:
    return OSError(number, reason, str(path))
