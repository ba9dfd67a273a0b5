"""A new token that its store has not taken (yet): kept in a file of its own.

The file holds the token, and in its second line which token it replaces: if the store
holds another one by then, somebody has repaired it, and neither is guessed to be right.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sfcutover.errors import ConfigError, OperationFailedError
from sfcutover.util.files import fingerprint, state_folder, write_durably
from sfcutover.util.secrets import Secret

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
