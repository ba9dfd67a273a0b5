"""The stores of a refresh token: a file, a pair of commands, or an environment variable."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sfcutover.config import traffic
from sfcutover.errors import ConfigError, OperationFailedError
from sfcutover.traffic.redemption import is_token
from sfcutover.traffic.tokenrecovery import NotWrittenError, RecoveryFile
from sfcutover.util.files import (
    fingerprint,
    prove_writable,
    state_folder,
    token_lock,
    write_durably,
)
from sfcutover.util.secrets import (
    COMMAND_TIMEOUT_SECONDS,
    MAX_SECRET_BYTES,
    Secret,
    secret_from_command,
    secret_from_environment,
)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class TokenStore(Protocol):
    """The store of one refresh token."""

    @property
    def writable(self) -> bool:
        """True if a new token can be stored."""

    @property
    def may_rotate(self) -> bool:
        """True unless cutover.yaml says that a redemption brings no new token."""

    @property
    def where(self) -> str:
        """``file:line`` of cutover.yaml."""

    def read(self) -> Secret:
        """The token that is valid now. Raises ConfigError."""

    def write(self, token: Secret, replaced: Secret) -> None:
        """Store a new token in place of the one read; durable when it returns.

        Raises OperationFailedError saying where the token is.
        """

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock of this token, which one thread of one process has at a time."""


def token_store(config: traffic.TokenStore) -> TokenStore:
    """The store that cutover.yaml names; nothing is read yet."""
    may_rotate = config.rotation is not False
    if config.file is not None:
        return FileStore(config.where, may_rotate, Path(os.path.realpath(config.file)))
    if config.env is not None:
        return EnvironmentStore(config.where, may_rotate, config.env)
    return CommandStore(config.where, may_rotate, config.get, config.put)


@dataclass(frozen=True)
class FileStore:
    """A file that only its owner can read. path: the real one; a link is followed once."""

    where: str
    may_rotate: bool
    path: Path
    writable: bool = field(default=True, init=False)

    def read(self) -> Secret:
        """Raises ConfigError unless the file is the owner's alone and holds one token."""
        return self._recovery().recover(self._read_file(), self._write_file)

    def write(self, token: Secret, replaced: Secret) -> None:
        """Raises OperationFailedError saying where the token is if the file can't be written."""
        self._recovery().write_or_save(self._write_file, token, replaced)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The lock lies beside the file. Raises ConfigError if the folder takes no new file."""
        with token_lock(self.path.with_name(f".{self.path.name}.lock"), f"the token {self.path}"):
            if self.may_rotate:
                prove_writable(self.path.parent, self.where)
            yield

    def _recovery(self) -> RecoveryFile:
        return RecoveryFile(f"file {self.path}", str(self.path))

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
            raise self._unfit("lies in a folder where any user may replace it")

    def _unfit(self, reason: str, hint: str | None = None) -> ConfigError:
        default = "the file holds the refresh token and nothing else, mode 0600, and is yours"
        return ConfigError(
            f"the token's file {self.path} {reason}", where=self.where, hint=hint or default
        )


@dataclass(frozen=True)
class CommandStore:
    """get prints the token; put reads a new one from its stdin. Both run without a shell.

    The lock and the recovery file are this machine's: use the token on no other machine.
    """

    where: str
    may_rotate: bool
    get: tuple[str, ...]
    put: tuple[str, ...]

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
        return self._recovery().recover(current, self._run_put) if self.writable else current

    def write(self, token: Secret, replaced: Secret) -> None:
        """The token is in the recovery file while put runs, so that no kill loses it.

        Raises OperationFailedError saying where the token is if put keeps failing.
        """
        if not self.writable:
            raise _no_store(f"the command {self.get[0]} has no put", self.where)
        recovery = self._recovery()
        with suppress(OSError):  # then put alone has to do
            recovery.save(token, replaced)
        recovery.write_or_save(self._run_put, token, replaced)
        recovery.drop()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Raises ConfigError if the folder of the recovery file takes no new file."""
        folder = state_folder()
        path = folder / f"command-{fingerprint(self._identity)}.lock"
        with token_lock(path, f"the token of {self.get[0]}"):
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
            done = subprocess.run(  # noqa: S603 - the configured argv, no shell
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


@dataclass(frozen=True)
class EnvironmentStore:
    """An environment variable, which can't take a new token."""

    where: str
    may_rotate: bool
    name: str
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

    def write(self, token: Secret, replaced: Secret) -> None:
        """Always raises OperationFailedError; the token is shown nowhere."""
        raise _no_store(f"the environment variable {self.name} can't be written", self.where)

    @contextmanager
    def locked(self) -> Iterator[None]:
        path = state_folder() / f"environment-{fingerprint(self.read().reveal())}.lock"
        with token_lock(path, f"the token in {self.name}"):
            yield


def _no_store(reason: str, where: str) -> OperationFailedError:
    return OperationFailedError(
        f"the org rotated the refresh token, and the new one can't be stored: {reason}",
        where=where,
        hint="authorize the app again and keep its token in a file: refresh_token: {file: PATH}",
        tokens="the grant's old refresh token is void and its new one is gone: this grant is "
        "lost. Other customers' tokens are untouched",
    )
