"""How a target's org is reached, as cutover.yaml says it. Exactly one way each."""

from __future__ import annotations

import os
from typing import Self

from pydantic import model_validator

from sfcutover.config.values import Model, PlacedError, SecretReference, Text, Word
from sfcutover.util.http import is_loopback_url

LOGIN_URL = "https://login.salesforce.com"


class JwtConfig(Model):
    """JWT bearer: a user pre-authorized for an app, and the app's private key (PEM).

    audience: the assertion's, where it is not the login URL.
    """

    client_id: Text
    username: Text
    private_key: SecretReference
    login_url: Text = Text(literal=LOGIN_URL)
    audience: Text | None = None


class ClientCredentialsConfig(Model):
    """Client credentials: the app's own user; login_url is the org's My Domain."""

    client_id: Text
    client_secret: SecretReference
    login_url: Text


class AuthUrlConfig(SecretReference):
    """An SFDX auth URL. rotation: whether its app replaces the refresh token at each login; where
    that is not known, the URL must be in a file, which takes a new one."""

    rotation: bool | None = None


class OrgConfig(Model):
    """alias: of the Salesforce CLI. access_token with instance_url. jwt. client_credentials.

    auth_url: an SFDX auth URL (``force://…``).
    """

    alias: Word | None = None
    access_token: SecretReference | None = None
    instance_url: Text | None = None
    jwt: JwtConfig | None = None
    client_credentials: ClientCredentialsConfig | None = None
    auth_url: AuthUrlConfig | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        ways = (self.alias, self.access_token, self.jwt, self.client_credentials, self.auth_url)
        if sum(way is not None for way in ways) != 1:
            raise ValueError(
                "give exactly one of alias, access_token, jwt, client_credentials and auth_url"
            )
        if (self.access_token is None) != (self.instance_url is None):
            raise ValueError("access_token and instance_url go together, and with nothing else")
        if self.alias is not None and self.alias.startswith("-"):
            raise PlacedError("an alias doesn't start with a dash", "alias")
        return self

    @property
    def on_loopback(self) -> bool:
        """True if the org is known to be on this machine: an emulator."""
        texts = [self.instance_url]
        texts += [self.jwt.login_url] if self.jwt else []
        texts += [self.client_credentials.login_url] if self.client_credentials else []
        urls = [
            text.literal or os.environ.get(text.env or "", "") for text in texts if text is not None
        ]
        return bool(urls) and all(map(is_loopback_url, urls))
