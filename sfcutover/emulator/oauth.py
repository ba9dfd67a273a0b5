"""The token endpoint: logging in to the org, and redemptions, which the lists gate.

Errors and their descriptions are those that users report; all have HTTP status 400.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sfcutover.emulator.faults import Fault
from sfcutover.emulator.grants import UNKNOWN, Client, Grant, Redemption
from sfcutover.emulator.lists import holds
from sfcutover.emulator.log import Event
from sfcutover.emulator.logins import RESTRICTED, SUCCESS
from sfcutover.emulator.org import Org

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


_KEY_BITS = 2048
_PUBLIC_EXPONENT = 65537
_LEEWAY_SECONDS = 180
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
REFRESH = "refresh_token"
CODE = "authorization_code"
_SUBTYPES = {REFRESH: "OauthRefreshToken", CODE: "OauthWebServer"}  # the second is assumed
_DEAD_TOKEN = "expired access/refresh token"  # noqa: S105 - a message


class TokenError(Exception):
    """Answered as ``{"error": …, "error_description": …}``, mostly with status 400.

    result: what the log calls it.
    """

    def __init__(self, error: str, description: str, result: str = "", status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.result = result or error
        self.status = status


class JwtKey:
    """An RSA key, made when it is first needed: making one takes a tenth of a second."""

    @cached_property
    def _private_key(self) -> RSAPrivateKey:
        from cryptography.hazmat.primitives.asymmetric import rsa

        return rsa.generate_private_key(_PUBLIC_EXPONENT, _KEY_BITS)

    def private_pem(self) -> bytes:
        """The private key for the client, PKCS #8 without a password."""
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        return self._private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def verify(self, assertion: str, audiences: Sequence[str]) -> Mapping[str, object]:
        """The claims of an RS256 assertion. Raises TokenError with its problem."""
        import jwt

        try:
            claims: dict[str, object] = jwt.decode(
                assertion,
                self._private_key.public_key(),
                algorithms=["RS256"],
                audience=list(audiences),
                leeway=_LEEWAY_SECONDS,
                options={"require": ["iss", "sub", "aud", "exp"]},
            )
        except jwt.InvalidAudienceError as error:
            raise TokenError("invalid_grant", "audience is invalid") from error
        except jwt.ExpiredSignatureError as error:
            raise TokenError("invalid_grant", "assertion is expired") from error
        except jwt.InvalidTokenError as error:
            raise TokenError("invalid_grant", "invalid assertion") from error
        return claims


@dataclass(frozen=True)
class TokenRequest:
    """A request to the token endpoint; basic is the pair of an Authorization header."""

    form: Mapping[str, str]
    basic: tuple[str, str] | None
    source: str

    @property
    def grant_type(self) -> str:
        return self.form.get("grant_type", "")

    @property
    def presented(self) -> str:
        """The refresh token or the code, empty for other grant types."""
        return self.form.get({REFRESH: "refresh_token", CODE: "code"}.get(self.grant_type, ""), "")

    @property
    def client(self) -> tuple[str, str]:
        """Client id and secret."""
        return self.basic or (self.form.get("client_id", ""), self.form.get("client_secret", ""))


class TokenEndpoint:
    """``/services/oauth2/token`` for the users of one org. The caller holds the org's lock."""

    def __init__(self, org: Org, key: JwtKey) -> None:
        self._org = org
        self._key = key

    def operation(self, request: TokenRequest) -> str:
        """redeem for a refresh token of an app with a list; token for all else."""
        client = self._org.apps.of_client_id(request.client[0])
        is_login = client is not None and client.gate is None
        return "redeem" if request.grant_type == REFRESH and not is_login else "token"

    def answer(self, request: TokenRequest, event: Event, fault: Fault | None) -> dict[str, str]:
        """The token response, and what came of it in the event; TokenError for a refusal."""
        grant = self._presented(request)
        event["grant"] = grant.name if grant else None
        try:
            body = self._answer(request, grant, fault)
        except TokenError as error:
            self._note(event, error.result)
            raise
        self._note(event, "redeemed" if grant else "logged_in")
        if fault and fault.kind == "no_access_token":
            del body["access_token"]
        return body

    def _note(self, event: Event, result: str) -> None:
        event["result"] = result
        if event["operation"] == "redeem":
            name, source = str(event["grant"] or UNKNOWN), str(event["source"])
            redemption = Redemption(self._org.clock(), source, name, result, self._org.id)
            self._org.owner.redemptions.append(redemption)

    def _presented(self, request: TokenRequest) -> Grant | None:
        if request.grant_type == REFRESH:
            return self._org.grants.of_token(request.form.get("refresh_token", ""))
        return self._org.grants.of_code(request.form.get("code", ""))

    def _answer(
        self, request: TokenRequest, grant: Grant | None, fault: Fault | None
    ) -> dict[str, str]:
        if fault and fault.refusal:
            raise TokenError(*fault.refusal)
        if request.grant_type in _SUBTYPES:
            return self._redeem(request, grant)
        if request.grant_type == "client_credentials":
            self._client(request)
            return self._success(self._org.user.id)
        if request.grant_type == JWT_BEARER:
            return self._jwt_bearer(request.form)
        raise TokenError("unsupported_grant_type", "grant type not supported")

    def _redeem(self, request: TokenRequest, grant: Grant | None) -> dict[str, str]:
        """A refresh token or a code for a session. A block leaves the grant as it is."""
        client = self._client(request)
        self._check_source(request, client, grant)
        if grant is None or grant.client is not client:
            raise TokenError("invalid_grant", _dead(request), "token_dead")
        if request.grant_type == CODE:
            self._org.grants.use_code(request.form["code"])
        elif grant.refresh_token != request.form["refresh_token"]:
            is_reuse = grant.refresh_token is not None
            self._org.grants.revoke(grant)
            result = "reuse_detected" if is_reuse else "token_dead"
            raise TokenError("invalid_grant", _dead(request), result)
        self._log_in(request, client, grant, SUCCESS)
        return self._session_of(request, grant)

    def _session_of(self, request: TokenRequest, grant: Grant) -> dict[str, str]:
        body = self._success(grant.user_id)
        renewed = None
        if request.grant_type == REFRESH:
            renewed = self._org.grants.renew(grant, body["access_token"])
        else:
            grant.access_tokens.append(body["access_token"])
            renewed = grant.refresh_token
        return body if renewed is None else body | {"refresh_token": renewed}

    def _check_source(self, request: TokenRequest, client: Client, grant: Grant | None) -> None:
        if client.gate is None:
            return
        self._org.owner.queue.advance()
        scenario = self._org.scenario
        if not client.gate.allows(request.source):
            description, result = scenario.block_description, "blocked"
        elif grant is not None and not self._user_rule_allows(grant, request.source):
            description, result = scenario.login_block_description, "blocked_by_user_rule"
        else:
            return
        if grant is not None:
            self._log_in(request, client, grant, RESTRICTED)
        raise TokenError(scenario.block_error, description, result, scenario.block_status)

    def _user_rule_allows(self, grant: Grant, source: str) -> bool:
        """True unless the profile or the org of the grant's user has a rule against it."""
        rules = self._org.org_wide_login_ranges, self._org.login_ranges.get(grant.name)
        return all(rule is None or holds(rule, source) for rule in rules)

    def _log_in(self, request: TokenRequest, client: Client, grant: Grant, status: str) -> None:
        self._org.logins.add(
            application=client.name,
            subtype=_SUBTYPES[request.grant_type],
            user_id=grant.user_id,
            source=request.source,
            status=status,
        )

    def _jwt_bearer(self, form: Mapping[str, str]) -> dict[str, str]:
        audiences = [self._org.url, "https://login.salesforce.com", "https://test.salesforce.com"]
        claims = self._key.verify(form.get("assertion", ""), audiences)
        if claims.get("iss") != self._org.apps.eca.client_id:
            raise TokenError("invalid_client_id", "client identifier invalid")
        if claims.get("sub") != self._org.user.username:
            raise TokenError("invalid_grant", "user hasn't approved this consumer")
        return self._success(self._org.user.id)

    def _client(self, request: TokenRequest) -> Client:
        client_id, secret = request.client
        client = self._org.apps.of_client_id(client_id)
        if client is None or (client.secret is None and request.grant_type != REFRESH):
            raise TokenError("invalid_client_id", "client identifier invalid")
        if not client.accepts(secret):
            raise TokenError("invalid_client", "invalid client credentials")
        return client

    def _success(self, user_id: str) -> dict[str, str]:
        identity = f"{self._org.url}/id/{self._org.id}/{user_id}"
        now = self._org.clock.shown(self._org.clock())
        issued_at = str(int(now.timestamp() * 1000))
        key = (self._org.apps.eca.secret or "").encode()
        digest = hmac.new(key, (identity + issued_at).encode(), hashlib.sha256).digest()
        return {
            "access_token": self._org.sessions.start(),
            "signature": base64.b64encode(digest).decode(),
            "scope": "refresh_token api",
            "instance_url": self._org.url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued_at,
        }


def _dead(request: TokenRequest) -> str:
    return "invalid authorization code" if request.grant_type == CODE else _DEAD_TOKEN
