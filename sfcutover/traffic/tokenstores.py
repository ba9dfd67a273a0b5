"""The stores of a refresh token: a file, a pair of commands, or an environment variable; and
where a new token is saved while, or because, its store does not take it."""

from __future__ import annotations

import os
import stat
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_chain,
    wait_fixed,
)

from sfcutover.errors import ConfigError, OperationFailedError
from sfcutover.traffic.tokenanswer import is_token
from sfcutover.util.boundedfile import TooLargeError, read_file
from sfcutover.util.childenvironment import child_environment
from sfcutover.util.files import (
    fingerprint,
    prove_replaceable,
    prove_writable,
    state_folder,
    token_lock,
    write_durably,
)
from sfcutover.util.secrets import Secret
from sfcutover.util.secretsources import (
    COMMAND_TIMEOUT_SECONDS,
    MAX_SECRET_BYTES,
    secret_from_command,
    secret_from_environment,
)

if TYPE_CHECKING:  # a helper process that redeems needs no settings
    from sfcutover.config import verify

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


RETRY_SECONDS = (0.2, 0.8, 2.0)  # pauses between the tries to write to a store
Write = Callable[[Secret], None]  # raises NotWrittenError


@dataclass(frozen=True)
class TokenStore(ABC):
    """The store of one refresh token.

    where: ``file:line`` of cutover.yaml. may_rotate: True unless cutover.yaml says that a
    redemption brings no new token.
    """

    where: str
    may_rotate: bool

    @property
    def writable(self) -> bool:
        """True if a new token can be stored."""
        return True

    @property
    def checked(self) -> str:
        """What locking and reading it has tried, and what it has not."""
        return "its refresh token was read; no redemption was tried"

    @abstractmethod
    def read(self) -> Secret:
        """The token that is valid now. Raises ConfigError."""

    @abstractmethod
    def write(self, token: Secret, replaced: Secret) -> None:
        """Store a new token in place of the one read; durable when it returns.

        Raises OperationFailedError saying where the token is.
        """

    @abstractmethod
    def _lock(self) -> tuple[Path, str]:
        """The lock's file, and the token's name for display."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of this token, which one thread of one process has at a time.

        Raises ConfigError if a new token could not be stored.
        """
        path, name = self._lock()
        with token_lock(path, name):
            if self.may_rotate and self.writable:
                self._prove_writable(path.parent)
            yield

    def _prove_writable(self, folder: Path) -> None:
        """folder: where a new token is written first."""
        prove_writable(folder, self.where)


def token_store(config: verify.TokenStore) -> TokenStore:
    """The store that cutover.yaml names; nothing is read yet."""
    may_rotate = config.rotation is not False
    if config.file is not None:
        return FileStore(config.where, may_rotate, Path(os.path.realpath(config.file)))
    if config.env is not None:
        return EnvironmentStore(config.where, may_rotate, config.env)
    return CommandStore(config.where, may_rotate, config.get, config.put)


@dataclass(frozen=True)
class FileStore(TokenStore):
    """A file that only its owner can read. path: the real one; a link is followed once."""

    path: Path

    @property
    def checked(self) -> str:
        and_replaced = ", and its file can be replaced" if self.may_rotate else ""
        return f"its refresh token was read{and_replaced}; no redemption was tried"

    def read(self) -> Secret:
        """Raises ConfigError unless the file is the owner's alone and holds one token."""
        return self._recovery().recover(self._read_file(), self._write_file)

    def write(self, token: Secret, replaced: Secret) -> None:
        self._recovery().write_or_save(self._write_file, token, replaced)

    def _lock(self) -> tuple[Path, str]:
        return self.path.with_name(f".{self.path.name}.lock"), f"the token {self.path}"

    def _prove_writable(self, folder: Path) -> None:
        super()._prove_writable(folder)
        self._read_file()  # raises for a file that is not this user's to replace
        prove_replaceable(self.path, self.where)

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
            raise self._unfit(f"cannot be read: {error.strerror}") from None
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
            raise self._unfit("is not a file")
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
        default = (
            "the file must hold the refresh token and nothing else, have mode 0600, and be yours"
        )
        return ConfigError(
            f"the token's file {self.path} {reason}", where=self.where, hint=hint or default
        )


@dataclass(frozen=True)
class CommandStore(TokenStore):
    """get prints the token; put reads a new one from its stdin. Both run without a shell.

    The lock and the recovery file are this machine's: use the token on no other machine.
    """

    get: tuple[str, ...]
    put: tuple[str, ...]

    @property
    def writable(self) -> bool:
        return bool(self.put)

    @property
    def checked(self) -> str:
        return "its refresh token was read; put and a redemption were not tried"

    def read(self) -> Secret:
        """Finishes a put that was cut off. Raises ConfigError or OperationFailedError."""
        current = secret_from_command(list(self.get), self.where)
        if not is_token(current.reveal()):
            raise ConfigError(
                f"the output of the command {self.get[0]} is not a refresh token",
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

    def _lock(self) -> tuple[Path, str]:
        name = f"command-{fingerprint(self._identity)}.lock"
        return state_folder() / name, f"the token of {self.get[0]}"

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
                env=child_environment(),
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
class EnvironmentStore(TokenStore):
    """An environment variable, which can't take a new token."""

    name: str

    @property
    def writable(self) -> bool:
        return False

    def read(self) -> Secret:
        """Raises ConfigError."""
        token = secret_from_environment(self.name, self.where)
        if not is_token(token.reveal()):
            raise ConfigError(
                f"the environment variable {self.name} does not hold a refresh token",
                where=self.where,
                hint="it must hold the token and nothing else",
            )
        return token

    def write(self, token: Secret, replaced: Secret) -> None:
        """Always raises OperationFailedError; the token is shown nowhere."""
        raise _no_store(f"the environment variable {self.name} cannot be written", self.where)

    def _lock(self) -> tuple[Path, str]:
        name = f"environment-{fingerprint(self.read().reveal())}.lock"
        return state_folder() / name, f"the token in {self.name}"


def _no_store(reason: str, where: str) -> OperationFailedError:
    return OperationFailedError(
        f"the org rotated the refresh token, and the new one cannot be stored: {reason}",
        where=where,
        hint="authorize the app again and keep its token in a file: refresh_token: {file: PATH}",
        impact="the grant's old refresh token is void and its new one is gone: this grant is "
        "lost. Other customers' tokens are untouched",
    )


class NotWrittenError(Exception):
    """Why a store did not take a token; never quotes one."""


class RecoveryFile:
    """The recovery file of one store.

    identity: what tells the store from others; label: its name for display.
    """

    def __init__(self, identity: str, label: str) -> None:
        self.path: Path = state_folder() / f"recovery-{fingerprint(identity)}.token"
        self._label = label

    def save(self, token: Secret, replaced: Secret) -> None:
        """Durable and 0600 when it returns. Raises OSError."""
        write_durably(self.path, f"{token.reveal()}\n{fingerprint(replaced.reveal())}\n")

    def drop(self) -> None:
        """Remove the file; if that fails, the next read finds its token in the store."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def recover(self, current: Secret, write: Write) -> Secret:
        """The token that is valid now; one that the store should hold is written to it first.

        current: the token in the store. Raises ConfigError if it is unclear which token is
        valid, and what write_or_save raises.
        """
        pending = self._pending(current)
        if pending is None:
            return current
        self.write_or_save(write, pending, current)
        self.drop()
        return pending

    def write_or_save(self, write: Write, token: Secret, replaced: Secret) -> None:
        """Call write until it succeeds, with growing pauses; finally save the token here.

        Raises OperationFailedError saying where the token is.
        """
        tries = Retrying(
            retry=retry_if_exception_type(NotWrittenError),
            stop=stop_after_attempt(len(RETRY_SECONDS) + 1),
            wait=wait_chain(*map(wait_fixed, RETRY_SECONDS)),
            reraise=True,
        )
        try:
            tries(write, token)
        except NotWrittenError as error:
            raise self._saved(str(error), token, replaced) from None

    def _pending(self, current: Secret) -> Secret | None:
        """The token that the store should hold in place of its current one, if any."""
        try:
            token, mark = read_file(self.path, MAX_SECRET_BYTES).decode().split()
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TooLargeError):
            raise self._unclear("it cannot be read") from None
        if token == current.reveal():
            self.drop()
            return None
        if mark != fingerprint(current.reveal()):
            raise self._unclear(f"{self._label} has changed since then")
        return Secret(token)

    def _saved(self, reason: str, token: Secret, replaced: Secret) -> OperationFailedError:
        try:
            self.save(token, replaced)
        except OSError as error:
            return self._lost(f"{reason}; {self.path}: {error.strerror}")
        return OperationFailedError(
            f"{self._label} did not take the new refresh token ({reason}); the token is in "
            f"{self.path}",
            hint="repair the store, then run this again: it stores that token first",
            impact="the old refresh token is void; the new one works, and exists only in that "
            "file. Other customers' tokens are untouched",
        )

    def _lost(self, reason: str) -> OperationFailedError:
        return OperationFailedError(
            f"the new refresh token could not be stored anywhere ({reason})",
            hint="repair the store, authorize the app again, and store the new refresh token there",
            impact="this grant is lost: its old token is void. Other customers' tokens are "
            "untouched",
        )

    def _unclear(self, reason: str) -> ConfigError:
        return ConfigError(
            f"{self.path} holds a newer refresh token for {self._label}, but {reason}",
            hint="find out which token works: put the file's first line into the store, or trust "
            "the store; then delete the file",
        )
