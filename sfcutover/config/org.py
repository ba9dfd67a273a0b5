"""How sfcutover logs in to a target's org: exactly one way each."""

from __future__ import annotations

import os
from typing import Self

from pydantic import model_validator

from sfcutover.config.values import Model, PlacedError, SecretReference, Text, Word
from sfcutover.util.http import is_loopback_url

LOGIN_URL = "https://login.salesforce.com"


class JwtConfig(Model):
    """JWT bearer: a user pre-authorized for an app, and the app's private key."""

    client_id: Text
    """Consumer key of the app."""
    username: Text
    """Username of the pre-authorized user."""
    private_key: SecretReference
    """Where the app's private key (PEM) is stored."""
    login_url: Text = Text(literal=LOGIN_URL)
    """URL of the login server."""
    audience: Text | None = None
    """Audience of the assertion, if it is not the login URL."""


class ClientCredentialsConfig(Model):
    """Client credentials: the app's own user."""

    client_id: Text
    """Consumer key of the app."""
    client_secret: SecretReference
    """Where the app's consumer secret is stored."""
    login_url: Text
    """The org's My Domain URL."""


class AuthUrlConfig(SecretReference):
    """Where an SFDX auth URL (force://…) is stored."""

    rotation: bool | None = None
    """Whether the app rotates the refresh token at each login. If omitted, the URL must be in a
    file, to which the new one is written."""


class OrgConfig(Model):
    """How sfcutover logs in to an org: exactly one of alias, access_token with instance_url, jwt,
    client_credentials and auth_url."""

    alias: Word | None = None
    """Alias or username of an org that the Salesforce CLI is logged in to."""
    access_token: SecretReference | None = None
    """Where an access token is stored; requires instance_url."""
    instance_url: Text | None = None
    """Instance URL of the org; requires access_token."""
    jwt: JwtConfig | None = None
    """Login by a JWT bearer assertion."""
    client_credentials: ClientCredentialsConfig | None = None
    """Login by the client credentials flow."""
    auth_url: AuthUrlConfig | None = None
    """Login by an SFDX auth URL."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        ways = (self.alias, self.access_token, self.jwt, self.client_credentials, self.auth_url)
        if sum(way is not None for way in ways) != 1:
            raise ValueError(
                "give exactly one of alias, access_token, jwt, client_credentials and auth_url"
            )
        if (self.access_token is None) != (self.instance_url is None):
            raise ValueError("access_token and instance_url require each other")
        if self.alias is not None and self.alias.startswith("-"):
            raise PlacedError("must not start with a dash", "alias")
        return self

    @property
    def on_loopback(self) -> bool:
        """True if the org is on this machine, as an emulator is."""
        texts = [self.instance_url]
        texts += [self.jwt.login_url] if self.jwt else []
        texts += [self.client_credentials.login_url] if self.client_credentials else []
        urls = [
            text.literal or os.environ.get(text.env or "", "") for text in texts if text is not None
        ]
        return bool(urls) and all(map(is_loopback_url, urls))
