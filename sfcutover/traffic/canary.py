"""The canary: a grant of the ISV's own, redeemed through an egress to prove an address."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from sfcutover.allowlist.ranges import Address
from sfcutover.config.cutover import Cutover, Target
from sfcutover.config.org import OrgConfig
from sfcutover.config.verify import CanaryConfig, Verify
from sfcutover.errors import ConfigError
from sfcutover.traffic.egress import Egress, egress_of, egress_per_address
from sfcutover.traffic.redemption import Redemption
from sfcutover.traffic.tokenanswer import TokenEndpoint, token_endpoint
from sfcutover.traffic.tokenredemption import read_usable, redeem_from, require_place
from sfcutover.traffic.tokenstores import TokenStore, token_store


def verify_settings(cutover: Cutover) -> Verify:
    """What cutover.yaml says of redemptions. Raises ConfigError if it says nothing."""
    if cutover.verify is None:
        raise ConfigError(
            "verify is not configured",
            where=cutover.where,
            hint="add verify: with client_id and refresh_token (docs/reference/cutover-yaml.md)",
        )
    return cutover.verify


def all_canaries(cutover: Cutover, targets: Iterable[Target]) -> tuple[Canary, ...]:
    """Each canary of these targets once."""
    found = {
        each.name: each
        for target in targets
        for each in (cutover.verify.canaries_of(target.name) if cutover.verify else ())
    }
    return tuple(Canary(cutover, each) for each in found.values())


class Canary:
    """A canary, and the egresses that cutover.yaml names; secrets are read when needed.

    Every property raises ConfigError, with file and line, for what is not configured.
    """

    def __init__(self, cutover: Cutover, config: CanaryConfig) -> None:
        self._cutover = cutover
        self.config = config

    @property
    def name(self) -> str:
        return self.config.name

    @cached_property
    def endpoint(self) -> TokenEndpoint:
        return token_endpoint(self.config, allow_other_hosts=self._cutover.allow_other_hosts)

    @cached_property
    def store(self) -> TokenStore:
        return token_store(self.config.refresh_token)

    @property
    def org(self) -> OrgConfig | None:
        """The org whose LoginHistory shows it, where that is not the target's."""
        return self.config.org

    def egress_per_address(self, name: str) -> dict[Address, Egress]:
        """An egress for each single address, where there are proxy URLs for them."""
        return egress_per_address(self._cutover, name)

    def require_ready(self) -> None:
        """See that a redemption could be tried, and a new token stored: raises what keeps
        redeem_from from it."""
        _ = self.endpoint
        require_place(self.store)
        with self.store.locked():
            read_usable(self.store)

    def redeem(self, name: str) -> Redemption:
        """One redemption through an egress, a rotated token stored; raises as redeem_from."""
        return self.redeem_by(egress_of(self._cutover, name))

    def redeem_by(self, egress: Egress) -> Redemption:
        """The same by this egress."""
        with egress.session() as session:
            return redeem_from(self.store, self.endpoint, session)
