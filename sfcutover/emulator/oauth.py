"""The token endpoint, as far as logging in to the org goes.

Errors and their descriptions are those that users report; all have HTTP status 400.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from sfcutover.emulator.jwt_bearer import BadAssertionError, JwtKey
from sfcutover.emulator.org import Org
from sfcutover.emulator.sessions import is_same_secret, make_secret

CLI_CLIENT_ID = "PlatformCLI"  # the official CLI's own client; it has no secret
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN_HEAD = "5Aep861"  # noqa: S105 - how Salesforce's refresh tokens begin
_TOKEN_LENGTH = 80


class TokenError(Exception):
    """Answered as ``{"error": …, "error_description": …}`` with status 400."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


@dataclass
class Grant:
    """A user's consent to a client: whoever has the token gets sessions."""

    client_id: str
    refresh_token: str
    rotates: bool


class TokenEndpoint:
    """``/services/oauth2/token`` for one org. The caller holds the org's lock."""

    def __init__(self, org: Org, url: str, key: JwtKey) -> None:
        self._org = org
        self._url = url
        self._key = key
        self._grants = [
            Grant(CLI_CLIENT_ID, _new_refresh_token(), org.scenario.rotate_auth_url_token),
            Grant(org.credentials.client_id, _new_refresh_token(), False),
        ]

    @property
    def auth_url(self) -> str:
        """An SFDX auth URL that is good now: ``force://<client>::<token>@<host>``."""
        host = self._url.partition("://")[2]
        return f"force://{CLI_CLIENT_ID}::{self._grants[0].refresh_token}@{host}"

    @property
    def refresh_token(self) -> str:
        """The refresh token of the app's own grant."""
        return self._grants[1].refresh_token

    def answer(self, form: Mapping[str, str], basic: tuple[str, str] | None) -> dict[str, str]:
        """The token response for a form; basic is the pair of an Authorization header."""
        flows = {
            "client_credentials": self._client_credentials,
            "refresh_token": self._refresh,
            JWT_BEARER: self._jwt_bearer,
        }
        grant_type = form.get("grant_type", "")
        if grant_type not in flows:
            raise TokenError("unsupported_grant_type", "grant type not supported")
        client = basic or (form.get("client_id", ""), form.get("client_secret", ""))
        return flows[grant_type](form, *client)

    def _client_credentials(
        self, form: Mapping[str, str], client_id: str, secret: str
    ) -> dict[str, str]:
        self._check_client(client_id, secret)
        return self._success()

    def _refresh(self, form: Mapping[str, str], client_id: str, secret: str) -> dict[str, str]:
        if client_id != CLI_CLIENT_ID:
            self._check_client(client_id, secret)
        sent = form.get("refresh_token", "")
        for grant in self._grants:
            is_it = is_same_secret(grant.refresh_token, sent)
            if is_it and grant.client_id == client_id:
                return self._success() | self._rotate(grant)
        raise TokenError("invalid_grant", "expired access/refresh token")

    def _rotate(self, grant: Grant) -> dict[str, str]:
        if not grant.rotates:
            return {}
        grant.refresh_token = _new_refresh_token()
        return {"refresh_token": grant.refresh_token}

    def _jwt_bearer(self, form: Mapping[str, str], client_id: str, secret: str) -> dict[str, str]:
        audiences = [self._url, "https://login.salesforce.com", "https://test.salesforce.com"]
        try:
            claims = self._key.verify(form.get("assertion", ""), audiences)
        except BadAssertionError as error:
            raise TokenError("invalid_grant", str(error)) from error
        if claims.get("iss") != self._org.credentials.client_id:
            raise TokenError("invalid_client_id", "client identifier invalid")
        if claims.get("sub") != self._org.scenario.username:
            raise TokenError("invalid_grant", "user hasn't approved this consumer")
        return self._success()

    def _check_client(self, client_id: str, secret: str) -> None:
        known = self._org.credentials
        if not is_same_secret(known.client_id, client_id):
            raise TokenError("invalid_client_id", "client identifier invalid")
        if not is_same_secret(known.client_secret, secret):
            raise TokenError("invalid_client", "invalid client credentials")

    def _success(self) -> dict[str, str]:
        identity = f"{self._url}/id/{self._org.id}/{self._org.user_id}"
        issued_at = str(int(self._org.clock().timestamp() * 1000))
        key = self._org.credentials.client_secret.encode()
        digest = hmac.new(key, (identity + issued_at).encode(), hashlib.sha256).digest()
        return {
            "access_token": self._org.sessions.start(),
            "signature": base64.b64encode(digest).decode(),
            "scope": "refresh_token api",
            "instance_url": self._url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued_at,
        }


def _new_refresh_token() -> str:
    return _TOKEN_HEAD + make_secret(_TOKEN_LENGTH)
