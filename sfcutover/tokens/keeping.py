"""One redemption of a stored token, from the lock to the new token's being safe."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

import requests

from sfcutover.errors import AuthError, ConfigError, InterruptedRunError
from sfcutover.oauth import Redemption, TokenEndpoint
from sfcutover.util.files import fingerprint, state_folder, write_durably
from sfcutover.util.secrets import Secret


class TokenStore(Protocol):
    """Where one refresh token is kept."""

    @property
    def writable(self) -> bool:
        """True if a new token can be kept."""

    @property
    def may_rotate(self) -> bool:
        """True unless cutover.yaml says that a redemption brings no new token."""

    @property
    def where(self) -> str:
        """``file:line`` of cutover.yaml."""

    def read(self) -> Secret:
        """The token that is good now. Raises ConfigError."""

    def write(self, token: Secret) -> None:
        """Durable when it returns. Raises OperationFailedError saying where the token is."""

    def locked(self) -> AbstractContextManager[None]:
        """Whoever is in it is alone, among all processes, with this token."""


def redeem_and_keep(
    store: TokenStore,
    endpoint: TokenEndpoint,
    session: requests.Session,
    is_wanted: Callable[[], bool] = lambda: True,
) -> Redemption:
    """Lock, read, redeem, and write a new token before anybody hears of the redemption.

    is_wanted: asked once there is the lock. Raises what the store raises.
    """
    with store.locked():
        token = store.read()
        mark = _mark_of_lost_answer(token)
        if store.may_rotate:
            _refuse_lost(mark, store.where)
        if not is_wanted():
            raise InterruptedRunError("nobody waits for it", hint="redeem again")
        redemption = endpoint.redeem(token, session)
        if redemption.new_token is not None:
            store.write(redemption.new_token)
        elif redemption.answer_lost and store.may_rotate:
            _note(mark, redemption.time)
    return redemption


def _mark_of_lost_answer(token: Secret) -> Path:
    """The file that is there if this token must not be redeemed again."""
    return state_folder() / f"answer-lost-{fingerprint(token.reveal())}"


def _refuse_lost(mark: Path, where: str) -> None:
    if mark.exists():
        raise AuthError(
            "this refresh token was redeemed and the answer was lost, so it may be used up; "
            "it is never redeemed again",
            where=where,
            hint="authorize the app again and put the new token into the store; or, if "
            f"LoginHistory has no redemption of that time, delete {mark}",
            tokens="this grant may be lost; other customers' tokens are untouched",
        )


def _note(mark: Path, time: datetime) -> None:
    try:
        write_durably(mark, f"{time.isoformat()}\n")
    except OSError as error:
        raise ConfigError(
            f"the answer to a redemption was lost, and {mark} can't be written: {error.strerror}",
            hint="take this token for used up: authorize the app again",
            tokens="this grant may be lost; other customers' tokens are untouched",
        ) from None
