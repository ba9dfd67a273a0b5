"""The org that answers, for those who test with it: components, lists, grants, redemptions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator.allowlists import ListVersion
from sfcutover.emulator.deployment import Deployment
from sfcutover.emulator.edits import Edit
from sfcutover.emulator.network import Network
from sfcutover.emulator.oauth import TokenEndpoint
from sfcutover.emulator.org import Org
from sfcutover.emulator.people import People
from sfcutover.emulator.redemption import Redemption
from sfcutover.emulator.store import Stored
from sfcutover.emulator.tenants import Tenants


class TrafficControl:
    """A part of the emulator, which sets the attributes."""

    _tenants: Tenants
    _network: Network

    @property
    def _org(self) -> Org:
        return self._tenants.current.org

    @property
    def _tokens(self) -> TokenEndpoint:
        return self._tenants.current.tokens

    @property
    def _people(self) -> People:
        return self._tenants.current.people

    @property
    def organization_id(self) -> str:
        return self._org.id

    @property
    def clock_offset(self) -> float:
        """Seconds that the org's clock is ahead of the true time."""
        return self._org.clock.offset_seconds

    def set_clock_offset(self, seconds: float) -> None:
        """Set the org's clock; what has its date keeps it."""
        with self._org.lock:
            self._org.queue.advance()
            self._org.clock.offset_seconds = seconds

    @property
    def edits(self) -> list[Edit]:
        """The edits that are still to be made."""
        with self._org.lock:
            return self._org.edits.waiting()

    def set_edit(self, edit: Edit) -> None:
        """Have a colleague change a list, at once or when its interaction comes.

        ValueError if there is no such component.
        """
        with self._org.lock:
            self._org.queue.advance()
            self._org.set_edit(edit)

    @property
    def components(self) -> list[Stored]:
        """All components of the org, with the user and the time of the last change."""
        with self._org.lock:
            self._org.queue.advance()
            return list(self._org.store)

    def component_xml(self, metadata_type: str, full_name: str) -> bytes:
        """A component's file as the org would give it back now; KeyError without one."""
        with self._org.lock:
            self._org.queue.advance()
            stored = self._org.store.get(metadata_type, full_name)
        if stored is None:
            raise KeyError(f"{metadata_type} {full_name}")
        return stored.xml

    def put_component(self, metadata_type: str, full_name: str, xml: bytes) -> None:
        """Change a component behind the client's back, unchecked."""
        with self._org.lock:
            self._org.queue.advance()
            self._org.store.put(metadata_type, full_name, xml)

    @property
    def deployments(self) -> list[Deployment]:
        """Copies of all deployments as they are now, the oldest first."""
        with self._org.lock:
            self._org.queue.advance()
            return [replace(deployment) for deployment in self._org.queue]

    def support_sets_allowlist(self, ranges: Iterable[str]) -> None:
        """Replace the legacy app's list, as only Salesforce's support can.

        ranges: addresses, CIDR blocks or first-last. Raises RangeError.
        """
        parsed = [IpRange.parse(text) for text in ranges]
        with self._org.lock:
            self._tokens.clients.support.set(parsed)

    def set_login_ranges(self, name: str, ranges: Iterable[str] | None) -> None:
        """Set the rule of the user behind a grant: the ranges it lets in, None for no rule.

        Raises RangeError.
        """
        with self._org.lock:
            if ranges is None:
                self._org.login_ranges.pop(name, None)
            else:
                self._org.login_ranges[name] = tuple(IpRange.parse(text) for text in ranges)

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
