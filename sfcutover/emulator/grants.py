"""OAuth clients, the grants users gave them, and rotation with reuse detection."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from sfcutover.emulator.allowlists import Enforcement
from sfcutover.emulator.sessions import Sessions, is_same_secret, make_secret

TOKEN_HEAD = "5Aep861.emulated."  # noqa: S105 - as Salesforce's begin, and no real one does
_TOKEN_LENGTH = 80
_CODE_HEAD = "aPrx"
_CODE_LENGTH = 48


@dataclass(frozen=True)
class Client:
    """An app as the token endpoint sees it. gate: None lets every address in."""

    name: str
    client_id: str
    secret: str | None = field(repr=False)
    gate: Enforcement | None = None

    def accepts(self, secret: str) -> bool:
        """True for its secret, and for anything if it has none."""
        return self.secret is None or is_same_secret(self.secret, secret)


@dataclass(eq=False)
class Grant:
    """A user's consent to a client: whoever has the token gets sessions.

    refresh_token: None once the grant is gone.
    """

    name: str
    client: Client
    user_id: str
    rotates: bool
    refresh_token: str | None = field(default=None, repr=False)
    access_tokens: list[str] = field(default_factory=list, repr=False)


class Grants:
    """All grants, by every token they ever had. The caller holds the org's lock."""

    def __init__(self, sessions: Sessions, per_user: int) -> None:
        self._sessions = sessions
        self._per_user = per_user
        self._by_token: dict[str, Grant] = {}
        self._by_code: dict[str, Grant] = {}
        self._live: defaultdict[tuple[str, str], list[Grant]] = defaultdict(list)

    def issue(self, name: str, client: Client, user_id: str, *, rotates: bool) -> Grant:
        """A new grant; it may push out the user's oldest one for that client."""
        grant = Grant(name, client, user_id, rotates)
        self._activate(grant)
        return grant

    def issue_code(self, name: str, client: Client, user_id: str, *, rotates: bool) -> str:
        """An authorization code, good for one grant."""
        code = _CODE_HEAD + make_secret(_CODE_LENGTH)
        self._by_code[code] = Grant(name, client, user_id, rotates)
        return code

    def of_code(self, code: str) -> Grant | None:
        """What a code is good for; it is not used up yet."""
        return self._by_code.get(code)

    def use_code(self, code: str) -> None:
        """Turn a code into its grant."""
        self._activate(self._by_code.pop(code))

    def of_token(self, token: str) -> Grant | None:
        """The grant that has the token, or had it."""
        return self._by_token.get(token)

    def renew(self, grant: Grant, access_token: str) -> str | None:
        """Note a session of the grant; its new refresh token if it rotates."""
        grant.access_tokens.append(access_token)
        if not grant.rotates:
            return None
        return self._give_token(grant)

    def revoke(self, grant: Grant) -> None:
        """Delete the grant's current refresh token and its access tokens."""
        grant.refresh_token = None
        for token in grant.access_tokens:
            self._sessions.end(token)
        grant.access_tokens.clear()
        live = self._live[grant.client.client_id, grant.user_id]
        if grant in live:
            live.remove(grant)

    def _activate(self, grant: Grant) -> None:
        live = self._live[grant.client.client_id, grant.user_id]
        live.append(grant)
        self._give_token(grant)
        if len(live) > self._per_user:
            self.revoke(live[0])

    def _give_token(self, grant: Grant) -> str:
        grant.refresh_token = TOKEN_HEAD + make_secret(_TOKEN_LENGTH)
        self._by_token[grant.refresh_token] = grant
        return grant.refresh_token
