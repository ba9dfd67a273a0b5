"""Where a new refresh token is saved while, or because, its store does not take it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_chain,
    wait_fixed,
)

from sfcutover.errors import ConfigError, OperationFailedError
from sfcutover.util.files import fingerprint, state_folder, write_durably
from sfcutover.util.secrets import Secret

RETRY_SECONDS = (0.2, 0.8, 2.0)  # pauses between the tries to write to a store
Write = Callable[[Secret], None]  # raises NotWrittenError


class NotWrittenError(Exception):
    """Why a store did not take a token; never quotes one."""


class RecoveryFile:
    """The recovery file of one store.

    identity: what tells the store from others; label: its name for people.
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
        """Call write until it succeeds, with growing pauses; at last save the token here.

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

    def _saved(self, reason: str, token: Secret, replaced: Secret) -> OperationFailedError:
        try:
            self.save(token, replaced)
        except OSError as error:
            return self._lost(f"{reason}; {self.path}: {error.strerror}")
        return OperationFailedError(
            f"{self._label} did not take the new refresh token ({reason}); the token is in "
            f"{self.path}",
            hint="repair the store, then run this again: it puts that token there first",
            tokens="the old refresh token is void; the new one works, and exists only in that "
            "file. Other customers' tokens are untouched",
        )

    def _lost(self, reason: str) -> OperationFailedError:
        return OperationFailedError(
            f"the new refresh token could be stored nowhere ({reason})",
            hint="repair the store, authorize the app again, and put the new refresh token there",
            tokens="this grant is lost: its old token is void. Other customers' tokens are "
            "untouched",
        )

    def _unclear(self, reason: str) -> ConfigError:
        return ConfigError(
            f"{self.path} holds a newer refresh token for {self._label}, but {reason}",
            hint="find out which token works: put the file's first line into the store, or trust "
            "the store; then delete the file",
        )
