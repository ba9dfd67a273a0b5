"""A refresh token behind a pair of commands, as a secret manager or a platform has them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sfcutover.errors import ConfigError
from sfcutover.oauth.answer import is_token
from sfcutover.tokens.recovery import NotWrittenError, RecoveryFile, unkept
from sfcutover.util.files import file_lock, fingerprint, prove_writable, state_folder
from sfcutover.util.secrets import COMMAND_TIMEOUT_SECONDS, Secret, secret_from_command


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
