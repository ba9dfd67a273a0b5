"""A refresh token in a file that is its owner's alone."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sfcutover.errors import ConfigError, OperationFailedError
from sfcutover.traffic.oauth import is_token
from sfcutover.util.files import file_lock, fingerprint, prove_writable, state_folder, write_durably
from sfcutover.util.secrets import (
    COMMAND_TIMEOUT_SECONDS,
    MAX_SECRET_BYTES,
    Secret,
    secret_from_command,
    secret_from_environment,
)

RETRY_SECONDS = (0.2, 0.8, 2.0)  # pauses between the tries to write to a store


class NotWrittenError(Exception):
    """Why a store did not take a token; never quotes one."""


class RecoveryFile:
    """For one store. identity: what tells the store from others; label: its name for people."""

    def __init__(self, identity: str, label: str) -> None:
        self.path: Path = state_folder() / f"recovery-{fingerprint(identity)}.token"
        self._label = label

    def save(self, token: Secret, replaced: Secret | None) -> None:
        """Durable and 0600 when it returns. Raises OSError."""
        mark = fingerprint(replaced.reveal()) if replaced else "unknown"
        write_durably(self.path, f"{token.reveal()}\n{mark}\n")

    def drop(self) -> None:
        """What stays all the same is found to be in the store, and dropped, by the next read."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def pending(self, current: Secret) -> Secret | None:
        """The token that the store should hold in place of its current one, if any.

        Raises ConfigError if that can't be told.
        """
        try:
            token, mark = self.path.read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            raise self._unclear("it can't be read") from None
        if token == current.reveal():
            self.drop()
            return None
        if mark != fingerprint(current.reveal()):
            raise self._unclear(f"{self._label} has changed since")
        return Secret(token)

    def write_or_save(
        self, write: Callable[[], None], token: Secret, replaced: Secret | None
    ) -> None:
        """Call write until it works, with growing pauses; at last keep the token here.

        write raises NotWrittenError. Raises OperationFailedError saying where the token is.
        """
        for pause in (*RETRY_SECONDS, None):
            try:
                write()
            except NotWrittenError as error:
                if pause is None:
                    raise self._saved(str(error), token, replaced) from None
                time.sleep(pause)
            else:
                return

    def _saved(self, reason: str, token: Secret, replaced: Secret | None) -> OperationFailedError:
        try:
            self.save(token, replaced)
        except OSError as error:
            return self._lost(f"{reason}; {self.path}: {error.strerror}")
        return OperationFailedError(
            f"{self._label} did not take the new refresh token ({reason}); the token is in "
            f"{self.path}",
            hint="repair the store, then run this again: it puts that token there first",
            tokens="the old refresh token is void; the new one works, and stands only in that "
            "file. Other customers' tokens are untouched",
        )

    def _lost(self, reason: str) -> OperationFailedError:
        return OperationFailedError(
            f"the new refresh token could be kept nowhere ({reason})",
            hint="repair the store, authorize the app again, and put the new refresh token there",
            tokens="this grant is lost: its old token is void. Other customers' tokens are "
            "untouched",
        )

    def _unclear(self, reason: str) -> ConfigError:
        return ConfigError(
            f"{self.path} keeps a newer refresh token for {self._label}, but {reason}",
            hint="find out which token works: put the file's first line into the store, or trust "
            "the store; then delete the file",
        )


def unkept(reason: str, where: str) -> OperationFailedError:
    """A new token has come and has nowhere to go."""
    return OperationFailedError(
        f"the org rotated the refresh token, and the new one can't be kept: {reason}",
        where=where,
        hint="authorize the app again and keep its token in a file: refresh_token: {file: PATH}",
        tokens="the grant's old refresh token is void and its new one is gone: this grant is "
        "lost. Other customers' tokens are untouched",
    )


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


@dataclass(unsafe_hash=True)
class CommandStore:
    """get prints the token; put reads a new one from its stdin. Both run without a shell.

    The lock and the recovery file are this machine's: put no other machine on this token.
    """

    get: tuple[str, ...]
    put: tuple[str, ...]
    where: str
    may_rotate: bool
    _last: Secret | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def writable(self) -> bool:
        return bool(self.put)

    def read(self) -> Secret:
        """Finishes a put that was cut off. Raises ConfigError or OperationFailedError."""
        current = secret_from_command(list(self.get), self.where)
        if not is_token(current.reveal()):
            raise ConfigError(
                f"what the command {self.get[0]} prints is no refresh token",
                where=self.where,
                hint="it must print the token and nothing else",
            )
        self._last = current
        pending = self._recovery().pending(current) if self.writable else None
        if pending is not None:
            self.write(pending)
        return pending or current

    def write(self, token: Secret) -> None:
        """The token lies in the recovery file while put runs, so that no kill loses it.

        Raises OperationFailedError saying where the token is if put keeps failing.
        """
        if not self.writable:
            raise unkept(f"the command {self.get[0]} has no put", self.where)
        recovery = self._recovery()
        with suppress(OSError):  # then put alone has to do
            recovery.save(token, self._last)
        recovery.write_or_save(lambda: self._run_put(token), token, self._last)
        recovery.drop()
        self._last = token

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Raises ConfigError if the folder of the recovery file takes no new file."""
        folder = state_folder()
        path = folder / f"command-{fingerprint(self._identity)}.lock"
        with file_lock(path, f"the token of {self.get[0]}"):
            if self.may_rotate:
                prove_writable(folder, self.where)
            yield

    @property
    def _identity(self) -> str:
        return "\0".join(("command", *self.get))

    def _recovery(self) -> RecoveryFile:
        return RecoveryFile(self._identity, f"the command {(*self.put, *self.get)[0]}")

    def _run_put(self, token: Secret) -> None:
        try:
            done = subprocess.run(  # noqa: S603 - the argv is the person's own, no shell
                self.put,
                input=token.reveal().encode() + b"\n",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_TIMEOUT_SECONDS,
                check=False,
            )
        except OSError as error:
            raise NotWrittenError(error.strerror or type(error).__name__) from None
        except subprocess.TimeoutExpired:
            raise NotWrittenError(f"it took longer than {COMMAND_TIMEOUT_SECONDS} s") from None
        if done.returncode:
            raise NotWrittenError(f"exit code {done.returncode}")


@dataclass(unsafe_hash=True)
class EnvironmentStore:
    """The variable of this name; whatever is told to it is lost."""

    name: str
    where: str
    may_rotate: bool
    writable: bool = field(default=False, init=False)

    def read(self) -> Secret:
        """Raises ConfigError."""
        token = secret_from_environment(self.name, self.where)
        if not is_token(token.reveal()):
            raise ConfigError(
                f"the environment variable {self.name} holds no refresh token",
                where=self.where,
                hint="it holds the token and nothing else",
            )
        return token

    def write(self, token: Secret) -> None:
        """Always raises OperationFailedError; the token is shown nowhere."""
        raise unkept(f"the environment variable {self.name} can't be written", self.where)

    @contextmanager
    def locked(self) -> Iterator[None]:
        path = state_folder() / f"environment-{fingerprint(self.read().reveal())}.lock"
        with file_lock(path, f"the token in {self.name}"):
            yield
