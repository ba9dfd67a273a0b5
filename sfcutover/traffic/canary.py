"""The canary: a grant of the ISV's own, redeemed through an egress to prove an address."""

from __future__ import annotations

import ipaddress
from functools import cached_property

import requests

from sfcutover.allowlist.ranges import Address
from sfcutover.config.cutover import Cutover, Target
from sfcutover.config.traffic import Verify
from sfcutover.errors import ConfigError
from sfcutover.traffic.egress import Egress, echo_url_of, egress_of
from sfcutover.traffic.proxy import ProxyUrl
from sfcutover.traffic.redeemer import redeem_from
from sfcutover.traffic.redemption import Redemption
from sfcutover.traffic.tokenendpoint import TokenEndpoint, token_endpoint
from sfcutover.traffic.tokenstores import TokenStore, token_store


class Canary:
    """The canary and the egresses that cutover.yaml names; secrets are read when needed.

    target: its canary, where it has one of its own. Every property raises ConfigError,
    with file and line, for what is not configured.
    """

    def __init__(self, cutover: Cutover, target: Target | None = None) -> None:
        self._cutover = cutover
        self._target = target

    @cached_property
    def settings(self) -> Verify:
        cutover, target = self._cutover, self._target
        settings = cutover.verify if target is None else cutover.verify_of(target)
        if settings is None:
            raise ConfigError(
                "verify is not configured",
                where=self._cutover.where,
                hint="add verify: with client_id and refresh_token; see the README",
            )
        return settings

    @cached_property
    def endpoint(self) -> TokenEndpoint:
        return token_endpoint(self.settings, allow_other_hosts=self._cutover.allow_other_hosts)

    @cached_property
    def store(self) -> TokenStore:
        return token_store(self.settings.refresh_token)

    @property
    def echo_url(self) -> str:
        return echo_url_of(self._cutover)

    def egress(self, name: str) -> Egress:
        """The old or the new egress."""
        return egress_of(self._cutover, name)

    def egress_per_address(self, name: str) -> dict[Address, Egress]:
        """An egress for each single address, where there are proxy URLs for them."""
        egress = self.egress(name)
        configured = getattr(self._cutover.egress, name)
        return {
            ipaddress.ip_address(text): Egress(
                name, ProxyUrl.parse(reference.read(), reference.where), egress.expected
            )
            for text, reference in configured.per_address.items()
        }

    def require_token(self) -> None:
        """See that a redemption could be tried: raises what reading the token raises."""
        _ = self.endpoint
        with self.store.locked():
            self.store.read()

    def redeem(self, name: str) -> Redemption:
        """One redemption through an egress, a rotated token stored; raises as redeem_from."""
        with self.egress(name).session() as session:
            return self.redeem_in(session)

    def redeem_in(self, session: requests.Session) -> Redemption:
        """One redemption through a session that is open."""
        return redeem_from(self.store, self.endpoint, session)
