"""Sessions, OAuth clients and the grants that users gave them, with rotation."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sfcutover.emulator.enforcement import Enforcement
from sfcutover.emulator.formats import Clock, IdSequence, is_same_secret, make_secret

CLI_CLIENT_ID = "PlatformCLI"  # the official CLI's own client; it has no secret, and is not known
# to rotate tokens: an auth URL whose token rotates is that of another app.
ROTATING_CLI_CLIENT_ID = "3MVG9emulatedDeployApp"
TOKEN_HEAD = "5Aep861.emulated."  # noqa: S105 - as Salesforce's begin, and no real one does
CANARY = "canary"
LEGACY_CANARY = "legacy-canary"
UNKNOWN = "unknown"  # the name of a grant for a token that no grant ever had
_REFRESH_LENGTH = 80
_SESSION_LENGTH = 96
_CODE_HEAD = "aPrx"
_CODE_LENGTH = 48


class Sessions:
    """The org's live sessions. The caller holds the org's lock."""

    def __init__(self, organization_id: str, seconds: float, clock: Clock) -> None:
        self._prefix = organization_id[:15]
        self._lifetime = timedelta(seconds=seconds)
        self._clock = clock
        self._started: dict[str, datetime] = {}

    def start(self) -> str:
        """Log the user in; the new access token is ``<org id>!<random>``."""
        token = f"{self._prefix}!{make_secret(_SESSION_LENGTH)}"
        self._started[token] = self._clock()
        return token

    def is_alive(self, token: str) -> bool:
        """True for a token of this org that is neither expired nor ended."""
        started = self._started.get(token)
        return started is not None and self._clock() < started + self._lifetime

    def end(self, token: str) -> None:
        """Kill one session."""
        self._started.pop(token, None)


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
    """A user's consent to a client: the bearer of the token gets sessions.

    refresh_token: None once the grant is gone.
    """

    name: str
    client: Client
    user_id: str
    rotates: bool
    refresh_token: str | None = field(default=None, repr=False)
    access_tokens: list[str] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class Redemption:
    """A refresh token that was presented, in true time.

    grant: its name, or ``unknown``. source: the address it came from. result: redeemed,
    blocked, blocked_by_user_rule, token_dead, reuse_detected, or the error. organization_id:
    the org of the grant's user; of an unknown token, the org that was asked.
    """

    time: datetime
    source: str
    grant: str
    result: str
    organization_id: str

    @property
    def is_of_customer(self) -> bool:
        """False for the ISV's own grants, and for a token that no grant ever had."""
        return self.grant not in (CANARY, LEGACY_CANARY, UNKNOWN)


class Grants:
    """All grants, by every token they ever had. The caller holds the org's lock.

    per_user: how many one user may have for a client; one more pushes the oldest out.
    """

    def __init__(self, sessions: Sessions, ids: IdSequence, per_user: int) -> None:
        self._sessions = sessions
        self._ids = ids
        self._per_user = per_user
        self._users: dict[str, str] = {}
        self._by_token: dict[str, Grant] = {}
        self._by_code: dict[str, Grant] = {}
        self._live: defaultdict[tuple[str, str], list[Grant]] = defaultdict(list)

    def user_id(self, name: str) -> str:
        """The user whose grants have this name."""
        if name not in self._users:
            self._users[name] = self._ids.make("005")
        return self._users[name]

    def issue(
        self, name: str, client: Client, *, rotates: bool, user_id: str | None = None
    ) -> Grant:
        """A new grant, by default of the user behind its name."""
        if user_id is not None:
            self._users[name] = user_id
        grant = Grant(name, client, self.user_id(name), rotates)
        self._activate(grant)
        return grant

    def issue_code(self, name: str, client: Client, *, rotates: bool) -> str:
        """An authorization code, good for one grant."""
        code = _CODE_HEAD + make_secret(_CODE_LENGTH)
        self._by_code[code] = Grant(name, client, self.user_id(name), rotates)
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

    def knows(self, secret: str) -> bool:
        """True for a token that a grant has or had, and for a code."""
        return secret in self._by_token or secret in self._by_code

    def renew(self, grant: Grant, access_token: str) -> str | None:
        """Note a session of the grant; its new refresh token if it rotates."""
        grant.access_tokens.append(access_token)
        return self._give_token(grant) if grant.rotates else None

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
        grant.refresh_token = TOKEN_HEAD + make_secret(_REFRESH_LENGTH)
        self._by_token[grant.refresh_token] = grant
        return grant.refresh_token
