"""Where a session comes from: five kinds of login, all but one able to renew it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import requests

from sfcutover.config.org import ClientCredentialsConfig, JwtConfig, OrgConfig
from sfcutover.config.values import SecretReference, Text
from sfcutover.errors import (
    Answer,
    AuthError,
    BusyError,
    ConfigError,
    NetworkError,
    SfcutoverError,
)
from sfcutover.salesforce.answers import login_answer, login_hint
from sfcutover.salesforce.authurl import AuthUrlStore
from sfcutover.salesforce.clioutput import result_of
from sfcutover.util.childenvironment import child_environment
from sfcutover.util.http import check_url, network_error, new_session
from sfcutover.util.secrets import Secret, one_line

CLI_TIMEOUT_SECONDS = 60
_OK = 200
_SERVER_ERROR = 500
_JWT_LIFETIME = timedelta(minutes=3)
_UNTOUCHED = "the org was not reached, and nothing was changed"


@dataclass(frozen=True)
class Session:
    """An open session: the org's URL without a trailing slash, and its access token."""

    instance_url: str
    access_token: Secret


@dataclass(frozen=True)
class SessionProvider:
    """Opens a session; asked again after INVALID_SESSION_ID if it can renew.

    open_session: raises AuthError, ConfigError or NetworkError. can_renew: another call of it
    may give a fresh token.
    """

    open_session: Callable[[], Session]
    can_renew: bool = True


def provider_for(config: OrgConfig) -> SessionProvider:
    """The provider for a target's org."""
    if config.alias is not None:
        return SessionProvider(_SalesforceCli(config.alias).open_session)
    if config.jwt is not None:
        return SessionProvider(partial(_open_by_jwt, config.jwt))
    if config.client_credentials is not None:
        return SessionProvider(partial(_open_by_client_credentials, config.client_credentials))
    if config.auth_url is not None:
        return SessionProvider(partial(_open_by_auth_url, AuthUrlStore(config.auth_url)))
    if config.access_token is not None and config.instance_url is not None:
        given = partial(_given_session, config.access_token, config.instance_url)
        return SessionProvider(given, can_renew=False)
    raise ConfigError(
        "no login to the org is configured",
        where=config.where,
        hint="see docs/reference/cutover-yaml.md#ways-into-an-org",
    )


def _given_session(access_token: SecretReference, instance_url: Text) -> Session:
    """An access token obtained elsewhere; there is no way to renew it."""
    return Session(check_url(instance_url.read(), instance_url.where), access_token.read())


class _SalesforceCli:
    """An org the Salesforce CLI is logged in to. The CLI renews its own tokens.

    ``sf org display --json`` printed the token until 2026-05-27; since then
    ``sf org auth show-access-token`` does (release notes of the CLI).
    """

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def open_session(self) -> Session:
        shown = self._run("org", "display")
        url = check_url(_text(shown, "instanceUrl"), f"sf org display {self._alias}")
        token = _text(shown, "accessToken")
        if not _looks_like_token(token):
            token = _text(self._run("org", "auth", "show-access-token"), "accessToken")
        if not _looks_like_token(token):
            raise AuthError(
                f"the Salesforce CLI shows no access token for {self._alias!r}",
                hint="update it (npm install -g @salesforce/cli) or log in again: "
                f"sf org login web --alias {self._alias}",
            )
        return Session(url, Secret(token))

    def _run(self, *words: str) -> Mapping[str, object]:
        command = ["sf", *words, "--target-org", self._alias, "--json"]
        shown = shlex.join(command)
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command, no shell
                command,
                capture_output=True,
                timeout=CLI_TIMEOUT_SECONDS,
                check=False,
                env=child_environment(
                    {"SF_DISABLE_TELEMETRY": "true", "SF_AUTOUPDATE_DISABLE": "true"}
                ),
            )
        except OSError as error:
            raise AuthError(
                f"the Salesforce CLI (sf) cannot be run: {error.strerror}",
                hint="install it (npm install -g @salesforce/cli), or configure another login to "
                "the org",
            ) from error
        except subprocess.TimeoutExpired as error:
            raise NetworkError(
                f"sf {' '.join(words)} took longer than {CLI_TIMEOUT_SECONDS} s",
                hint="run it by hand to see what it waits for",
                impact=_UNTOUCHED,
            ) from error
        return result_of(done.stdout, done.returncode, shown, self._alias)


def _open_by_jwt(config: JwtConfig) -> Session:
    """JWT bearer flow: an assertion signed with the app's key (RFC 7523)."""
    login_url = check_url(config.login_url.read(), config.where)
    data = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": _assertion(config, _audience(config, login_url)),
    }
    return _login(login_url, data)


def _audience(config: JwtConfig, login_url: str) -> str:
    """Whom the assertion is for: an org may take another one than the login URL (RFC 7523)."""
    return config.audience.read() if config.audience else login_url


def _assertion(config: JwtConfig, audience: str) -> str:
    import jwt

    claims = {
        "iss": config.client_id.read(),
        "sub": config.username.read(),
        "aud": audience,
        "exp": int((datetime.now(UTC) + _JWT_LIFETIME).timestamp()),
    }
    try:
        return jwt.encode(claims, config.private_key.read().reveal(), algorithm="RS256")
    except (AttributeError, ValueError, TypeError, jwt.PyJWTError) as error:
        raise ConfigError(
            "the private key cannot sign: it is not an RSA private key in PEM format without a "
            "password",
            where=config.private_key.where,
            hint="use the PEM file whose certificate the app has",
        ) from error


def _open_by_client_credentials(config: ClientCredentialsConfig) -> Session:
    """Client credentials flow; its endpoint is the org's My Domain (Salesforce Help)."""
    login_url = check_url(config.login_url.read(), config.where)
    data = {
        "grant_type": "client_credentials",
        "client_id": config.client_id.read(),
        "client_secret": config.client_secret.read().reveal(),
    }
    return _login(login_url, data)


def _open_by_auth_url(store: AuthUrlStore) -> Session:
    """An SFDX auth URL: its refresh token for a session. A new token is stored first."""
    with store.usable() as url:
        return _login(url.login_url, url.form, lambda token: store.keep(url, token))


def _login(
    login_url: str, data: dict[str, str], on_rotation: Callable[[str], None] = lambda _: None
) -> Session:
    """Ask the token endpoint. on_rotation gets a new refresh token before anything else."""
    url = f"{login_url}/services/oauth2/token"
    try:
        with new_session() as http:
            response = http.post(url, data)
    except requests.RequestException as error:
        raise network_error(error, url, _UNTOUCHED) from error
    answer = _answer_of(response, url)
    renewed = _text(answer, "refresh_token")
    if renewed and renewed != data.get("refresh_token"):
        on_rotation(renewed)
    if response.status_code != _OK:
        raise _refused(login_url, answer.get("error"), answer.get("error_description"))
    token, instance_url = _text(answer, "access_token"), _text(answer, "instance_url")
    if not token:
        raise _refused(login_url, "HTTP 200", "the answer has no access token")
    if not instance_url:
        raise _refused(login_url, "HTTP 200", "the answer has no instance URL")
    # An org that answered over TLS is contacted over TLS, regardless of the URL in its answer.
    host = instance_url.removeprefix("http://").removeprefix("https://")
    return Session(check_url(f"{urlsplit(login_url).scheme}://{host}", login_url), Secret(token))


def _answer_of(response: requests.Response, url: str) -> Mapping[str, object]:
    """The token endpoint's answer. Raises NetworkError if something else answered."""
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if isinstance(answer, dict) and response.status_code < _SERVER_ERROR:
        return answer
    problem = "" if isinstance(answer, dict) else " without a JSON object"
    raise NetworkError(
        f"{url} answered HTTP {response.status_code}{problem}",
        hint="check the login URL and the network, then run this again",
        impact=_UNTOUCHED,
    )


def _refused(login_url: str, code: object, description: object) -> SfcutoverError:
    refused = f"{login_url} refused the login: {_said(code)}: {_said(description)}"
    if login_answer(str(code), str(description)) is Answer.PASSING:
        hint = "this is temporary: run this again in a moment"
        return BusyError(refused, hint=hint, impact=_UNTOUCHED)
    return AuthError(refused, hint=login_hint(str(description)), impact=_UNTOUCHED)


def _said(text: object) -> str:
    return one_line(str(text or ""))


def _text(document: Mapping[str, object], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _looks_like_token(text: str) -> bool:
    """The CLI prints a sentence in place of a token that it hides."""
    return bool(text) and not re.search(r"\s", text)
