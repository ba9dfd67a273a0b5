"""Who has grants in an org: its own user with the canary, and the customers."""

from __future__ import annotations

from sfcutover.emulator.grants import Client, Grant
from sfcutover.emulator.oauth import TokenEndpoint
from sfcutover.emulator.org import Org

CANARY = "canary"
LEGACY_CANARY = "legacy-canary"


class People:
    """The grants by name. The caller holds the org's lock."""

    def __init__(self, org: Org, tokens: TokenEndpoint) -> None:
        self._org = org
        self._grants = tokens.grants
        self._clients = tokens.clients
        self._users = {CANARY: org.user.id, LEGACY_CANARY: org.user.id}
        self.customers: list[Grant] = []
        self.cli = self._grants.issue(
            "cli",
            self._clients.cli,
            org.user.id,
            rotates=org.scenario.rotate_auth_url_token,
        )
        self.canary = self.issue(CANARY)
        self.legacy_canary = self.issue(LEGACY_CANARY, legacy=True)
        for name in org.scenario.customers:
            self.add_customer(name)

    def add_customer(self, name: str, *, legacy: bool = False) -> Grant:
        """A grant of a customer's user; a second one for a name is of the same user."""
        grant = self.issue(name, legacy=legacy)
        self.customers.append(grant)
        return grant

    def issue(self, name: str, *, legacy: bool = False) -> Grant:
        """A grant for the app, or for the legacy app."""
        return self._grants.issue(*self._consent(name, legacy), rotates=self._org.scenario.rotation)

    def issue_code(self, name: str, *, legacy: bool = False) -> str:
        """An authorization code, as if the user had just approved the app."""
        rotates = self._org.scenario.rotation
        return self._grants.issue_code(*self._consent(name, legacy), rotates=rotates)

    def user_id(self, name: str) -> str:
        """The user behind a name."""
        if name not in self._users:
            self._users[name] = self._org.ids.make("005")
        return self._users[name]

    def _consent(self, name: str, legacy: bool) -> tuple[str, Client, str]:
        client = self._clients.legacy if legacy else self._clients.app
        return name, client, self.user_id(name)
