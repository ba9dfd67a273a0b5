"""A refresh token in a file that is its owner's alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sfcutover.errors import ConfigError
from sfcutover.oauth.answer import is_token
from sfcutover.tokens.recovery import NotWrittenError, RecoveryFile
from sfcutover.util.files import file_lock, prove_writable, write_durably
from sfcutover.util.secrets import MAX_SECRET_BYTES, Secret

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(unsafe_hash=True)
class FileStore:
    """A file that is its owner's alone. path: the real one; a link is followed once."""

    path: Path
    where: str
    may_rotate: bool
    writable: bool = field(default=True, init=False)
    _last: Secret | None = field(default=None, init=False, repr=False, compare=False)

    def read(self) -> Secret:
        """Raises ConfigError unless the file is the owner's alone and holds one token."""
        token = self._recovered(self._read_file())
        self._last = token
        return token

    def write(self, token: Secret) -> None:
        """Raises OperationFailedError saying where the token is if the file can't be written."""
        recovery = RecoveryFile(f"file {self.path}", str(self.path))
        recovery.write_or_save(lambda: self._write_file(token), token, self._last)
        self._last = token

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The lock lies beside the file. Raises ConfigError if the folder takes no new file."""
        with file_lock(self.path.with_name(f".{self.path.name}.lock"), f"the token {self.path}"):
            if self.may_rotate:
                prove_writable(self.path.parent, self.where)
            yield

    def _recovered(self, current: Secret) -> Secret:
        recovery = RecoveryFile(f"file {self.path}", str(self.path))
        pending = recovery.pending(current)
        if pending is None:
            return current
        recovery.write_or_save(lambda: self._write_file(pending), pending, current)
        recovery.drop()
        return pending

    def _write_file(self, token: Secret) -> None:
        try:
            write_durably(self.path, token.reveal() + "\n")
        except OSError as error:
            raise NotWrittenError(error.strerror or type(error).__name__) from None

    def _read_file(self) -> Secret:
        try:
            text = self._content().decode(errors="replace").strip()
        except OSError as error:
            raise self._unfit(f"can't be read: {error.strerror}") from None
        if not text:
            raise self._unfit("is empty")
        if not is_token(text):
            raise self._unfit("holds no refresh token: it is binary, or more than one word")
        return Secret(text)

    def _content(self) -> bytes:
        """What is checked is what is read: both by one descriptor. Raises OSError, too."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            self._check(os.fstat(descriptor))
            return os.read(descriptor, MAX_SECRET_BYTES)
        finally:
            os.close(descriptor)

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise self._unfit("is no file")
        if status.st_uid != os.geteuid():
            raise self._unfit("belongs to another user")
        if status.st_mode & _OTHERS:
            raise self._unfit("can be read or written by others", f"chmod 600 {self.path}")
        if status.st_nlink > 1:
            raise self._unfit("has a second name (a hard link), which would keep a void token")
        folder = self.path.parent.stat().st_mode
        if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:
            raise self._unfit("lies in a folder where everybody may replace it")

    def _unfit(self, reason: str, hint: str | None = None) -> ConfigError:
        default = "the file holds the refresh token and nothing else, mode 0600, and is yours"
        return ConfigError(
            f"the token's file {self.path} {reason}", where=self.where, hint=hint or default
        )
