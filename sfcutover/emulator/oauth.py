"""The token endpoint: logging in to the org, and redemptions, which the lists gate.

Errors and their descriptions are those that users report; all have HTTP status 400.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

from sfcutover.emulator.allowlists import holds
from sfcutover.emulator.clients import Clients
from sfcutover.emulator.events import Event
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.grants import Client, Grant, Grants
from sfcutover.emulator.jwt_bearer import BadAssertionError, JwtKey
from sfcutover.emulator.logins import RESTRICTED, SUCCESS
from sfcutover.emulator.org import Org
from sfcutover.emulator.redemption import Redemption, TokenError, TokenRequest

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
REFRESH = "refresh_token"
CODE = "authorization_code"
_SUBTYPES = {REFRESH: "OauthRefreshToken", CODE: "OauthWebServer"}  # the second is assumed
NOBODY = "unknown"  # the name of a grant that nobody has


class TokenEndpoint:
    """``/services/oauth2/token`` for one org. The caller holds the org's lock."""

    def __init__(self, org: Org, url: str, key: JwtKey) -> None:
        self._org = org
        self._url = url
        self._key = key
        self.clients = Clients(org)
        self.grants = Grants(org.sessions, org.scenario.grants_per_user)
        self.redemptions: list[Redemption] = []

    def operation(self, request: TokenRequest) -> str:
        """redeem for a refresh token of an app with a list; token for all else."""
        client = self.clients.find(request.client[0])
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
            name, source = str(event["grant"] or NOBODY), str(event["source"])
            self.redemptions.append(Redemption(self._org.clock(), source, name, result))

    def _presented(self, request: TokenRequest) -> Grant | None:
        if request.grant_type == REFRESH:
            return self.grants.of_token(request.form.get("refresh_token", ""))
        return self.grants.of_code(request.form.get("code", ""))

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
            self.grants.use_code(request.form["code"])
        elif grant.refresh_token != request.form["refresh_token"]:
            is_reuse = grant.refresh_token is not None
            self.grants.revoke(grant)
            result = "reuse_detected" if is_reuse else "token_dead"
            raise TokenError("invalid_grant", _dead(request), result)
        self._log_in(request, client, grant, SUCCESS)
        return self._session_of(request, grant)

    def _session_of(self, request: TokenRequest, grant: Grant) -> dict[str, str]:
        body = self._success(grant.user_id)
        renewed = None
        if request.grant_type == REFRESH:
            renewed = self.grants.renew(grant, body["access_token"])
        else:
            grant.access_tokens.append(body["access_token"])
            renewed = grant.refresh_token
        return body if renewed is None else body | {"refresh_token": renewed}

    def _check_source(self, request: TokenRequest, client: Client, grant: Grant | None) -> None:
        if client.gate is None:
            return
        self._org.queue.advance()
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
        rule = self._org.login_ranges.get(grant.name)
        return rule is None or holds(rule, source)

    def _log_in(self, request: TokenRequest, client: Client, grant: Grant, status: str) -> None:
        self._org.logins.add(
            application=client.name,
            subtype=_SUBTYPES[request.grant_type],
            user_id=grant.user_id,
            source=request.source,
            status=status,
        )

    def _jwt_bearer(self, form: Mapping[str, str]) -> dict[str, str]:
        audiences = [self._url, "https://login.salesforce.com", "https://test.salesforce.com"]
        try:
            claims = self._key.verify(form.get("assertion", ""), audiences)
        except BadAssertionError as error:
            raise TokenError("invalid_grant", str(error)) from error
        if claims.get("iss") != self._org.credentials.client_id:
            raise TokenError("invalid_client_id", "client identifier invalid")
        if claims.get("sub") != self._org.scenario.username:
            raise TokenError("invalid_grant", "user hasn't approved this consumer")
        return self._success(self._org.user.id)

    def _client(self, request: TokenRequest) -> Client:
        client_id, secret = request.client
        client = self.clients.find(client_id)
        if client is None or (client.secret is None and request.grant_type != REFRESH):
            raise TokenError("invalid_client_id", "client identifier invalid")
        if not client.accepts(secret):
            raise TokenError("invalid_client", "invalid client credentials")
        return client

    def _success(self, user_id: str) -> dict[str, str]:
        identity = f"{self._url}/id/{self._org.id}/{user_id}"
        now = self._org.clock.shown(self._org.clock())
        issued_at = str(int(now.timestamp() * 1000))
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


def _dead(request: TokenRequest) -> str:
    return "invalid authorization code" if request.grant_type == CODE else _DEAD_TOKEN


_DEAD_TOKEN = "expired access/refresh token"  # noqa: S105 - a message
