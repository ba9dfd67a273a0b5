"""An SFDX auth URL, ``force://clientId:clientSecret:refreshToken@host``, and where it is kept.

A login redeems its refresh token, and the app may replace that token. So a URL is used only where a
new one could be stored, or where none comes.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from sfcutover.config.org import AuthUrlConfig
from sfcutover.errors import ConfigError
from sfcutover.util.files import (
    fingerprint,
    prove_replaceable,
    state_folder,
    token_lock,
    write_durably,
)
from sfcutover.util.http import check_url
from sfcutover.util.secrets import Secret

_FORM = re.compile(
    r"force://(?P<id>[^:@\s]+):(?P<secret>[^:@\s]*):(?P<token>[^:@\s]+)"
    r"@(?P<host>(?:https?://)?[A-Za-z0-9._-]+(?::[0-9]+)?)/?"
)
_CLI_APP = "PlatformCLI"  # the CLI's own: its auth URLs last in CI variables, so it rotates none


@dataclass(frozen=True)
class AuthUrl:
    """client_id, client_secret, token: as they stand in the URL, percent-encoded perhaps.

    login_url: https unless the URL says http.
    """

    client_id: str
    client_secret: Secret
    token: Secret
    host: str
    login_url: str

    @classmethod
    def parse(cls, secret: Secret, where: str) -> AuthUrl:
        """Raises ConfigError with this place, which repeats nothing of the URL but its host."""
        match = _FORM.fullmatch(secret.reveal())
        if match is None:
            raise ConfigError(
                "this is not an SFDX auth URL",
                where=where,
                hint="sf org display --verbose --json shows one as sfdxAuthUrl",
            )
        host = match["host"]
        login_url = check_url(host if "://" in host else f"https://{host}", where)
        return cls(match["id"], Secret(match["secret"]), Secret(match["token"]), host, login_url)

    @property
    def form(self) -> dict[str, str]:
        """The refresh-token grant."""
        form = {
            "grant_type": "refresh_token",
            "client_id": unquote(self.client_id),
            "refresh_token": _decoded(self.token),
        }
        return form | ({"client_secret": _decoded(self.client_secret)} if self._has_secret else {})

    @property
    def _has_secret(self) -> bool:
        return bool(self.client_secret.reveal())

    def with_token(self, token: str) -> Secret:
        """The URL with another refresh token."""
        return Secret(f"force://{self.client_id}:{self.client_secret.reveal()}:{token}@{self.host}")


def _decoded(part: Secret) -> str:
    return Secret(unquote(part.reveal())).reveal()


class AuthUrlStore:
    """The place of an auth URL that cutover.yaml names."""

    def __init__(self, config: AuthUrlConfig) -> None:
        self._config = config
        self._unstored: Secret | None = None  # a new URL that its place did not take

    @contextmanager
    def usable(self) -> Iterator[AuthUrl]:
        """The URL, for one login; where its token may be replaced, under the lock of its file.

        Raises ConfigError, before anything is redeemed, where a new token could not be stored.
        """
        url = self._read()
        if not self._may_rotate(url):
            yield url
            return
        if self._config.file is None or not self._config.file.is_file():  # a pipe takes no new URL
            raise ConfigError(
                "the auth URL was not used: its app may replace the refresh token at a login, "
                "and the new one could not be stored here",
                where=self._config.where,
                hint="keep the URL in a file: auth_url: {file: PATH}; or set rotation: false "
                "beside it if the app does not rotate refresh tokens",
            )
        file = Path(os.path.realpath(self._config.file))
        with token_lock(file.with_name(f".{file.name}.lock"), f"the auth URL {file}"):
            prove_replaceable(file, self._config.where)
            yield self._read()  # another process may have replaced it meanwhile

    def keep(self, url: AuthUrl, token: str) -> None:
        """Store a new token before anything else; where that fails, in this tool's state folder,
        and warn that the URL is used up."""
        renewed = url.with_token(token)
        problem = "cutover.yaml names no file for it"
        if self._config.file is not None:
            try:
                write_durably(self._config.file, renewed.reveal() + "\n")
                return
            except OSError as error:
                problem = f"{self._config.file} cannot be written: {error.strerror}"
        self._unstored = renewed
        warnings.warn(
            f"{self._config.where}: the org replaced this auth URL's refresh token, so the URL "
            f"is void; {problem}; {_saved(url, renewed)}",
            stacklevel=2,
        )

    def _read(self) -> AuthUrl:
        return AuthUrl.parse(self._unstored or self._config.read(), self._config.where)

    def _may_rotate(self, url: AuthUrl) -> bool:
        stated = self._config.rotation
        return url.client_id != _CLI_APP if stated is None else stated


def _saved(url: AuthUrl, renewed: Secret) -> str:
    try:
        path = state_folder() / f"auth-url-{fingerprint(url.token.reveal())}"
        write_durably(path, renewed.reveal() + "\n")
    except (OSError, ConfigError):
        return (
            "the new URL could not be stored anywhere: log in again, and keep the next one in "
            "a file"
        )
    return f"the new URL is in {path}: move it where you keep it, and set {{file: PATH}}"
