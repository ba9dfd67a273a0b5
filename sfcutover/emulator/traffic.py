"""The traffic side of an emulator for those who test with it: grants, lists, redemptions."""

from __future__ import annotations

from collections.abc import Iterable

from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator.allowlists import ListVersion
from sfcutover.emulator.network import Network
from sfcutover.emulator.oauth import TokenEndpoint
from sfcutover.emulator.org import Org
from sfcutover.emulator.people import People
from sfcutover.emulator.redemption import Redemption


class TrafficControl:
    """A part of the emulator, which sets the attributes."""

    _org: Org
    _tokens: TokenEndpoint
    _people: People
    _network: Network

    def support_sets_allowlist(self, ranges: Iterable[str]) -> None:
        """Replace the legacy app's list, as only Salesforce's support can.

        ranges: addresses, CIDR blocks or first-last. Raises RangeError.
        """
        parsed = [IpRange.parse(text) for text in ranges]
        with self._org.lock:
            self._tokens.clients.support.set(parsed)

    @property
    def allowlist_history(self) -> list[ListVersion]:
        """The deployed list of the app and when it was which, the oldest state first."""
        with self._org.lock:
            self._org.queue.advance()
            return list(self._tokens.clients.deployed.versions())

    @property
    def legacy_allowlist_history(self) -> list[ListVersion]:
        """The same for the legacy app's list."""
        with self._org.lock:
            return list(self._tokens.clients.support.versions())

    @property
    def redemptions(self) -> list[Redemption]:
        """Every refresh token that was presented for an app with a list, the oldest first."""
        with self._org.lock:
            return list(self._tokens.redemptions)

    @property
    def customer_tokens(self) -> list[tuple[str, str]]:
        """Name and current refresh token of every customer's grant that is alive."""
        with self._org.lock:
            grants = self._people.customers
            return [(one.name, one.refresh_token) for one in grants if one.refresh_token]

    def issue_grant(self, name: str, *, legacy: bool = False) -> str:
        """A refresh token for a customer's user, of the legacy app if asked."""
        with self._org.lock:
            return self._people.add_customer(name, legacy=legacy).refresh_token or ""

    def issue_code(self, name: str, *, legacy: bool = False) -> str:
        """An authorization code, as if a customer's user had just approved the app."""
        with self._org.lock:
            return self._people.issue_code(name, legacy=legacy)

    def user_id(self, name: str) -> str:
        """The user whose grant has this name, as in LoginHistory's UserId."""
        with self._org.lock:
            return self._people.user_id(name)

    def proxy_url_for(self, address: str) -> str:
        """The URL of a proxy that leaves by this address only, a secret; KeyError if none does.

        It is the new or the old proxy itself, with the address in the user name.
        """
        return self._network.proxy_url_for(address)
