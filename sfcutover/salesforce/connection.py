"""An open target: its org, with the retriever and the deployer."""

from __future__ import annotations

from dataclasses import dataclass

from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.config.cutover import Cutover, Target
from sfcutover.errors import IdentityError
from sfcutover.salesforce.deployer import Deployer
from sfcutover.salesforce.metadata import MetadataClient
from sfcutover.salesforce.org import Bound, Org
from sfcutover.salesforce.retriever import Retriever
from sfcutover.salesforce.sessions import provider_for
from sfcutover.util.clock import Clock


@dataclass(frozen=True)
class Connection:
    """One target's org, ready to be read and deployed to."""

    target: Target
    cutover: Cutover
    org: Org
    client: MetadataClient
    retriever: Retriever
    deployer: Deployer

    @property
    def organization_id(self) -> str:
        """Of the org that was reached. Raises what a query raises."""
        return self.org.organization_id(self.cutover.api_version)

    def read(self, *, policies: bool | None = None) -> Snapshot:
        """The cutover's components as they are live now.

        policies: with the OAuth policies; if not given, where the cutover sets some. Raises
        IdentityError for a component that was created again since the org was bound.
        """
        live = self.retriever.snapshot(
            self.cutover.app,
            self.cutover.carrier_rows,
            policies=bool(self.cutover.policies) if policies is None else policies,
        )
        if (bound := self.org.bound) is not None:
            _require_same(live, bound, self.org.instance_url)
        return live

    def bind(self, bound: Bound, live: Snapshot) -> None:
        """Reach no other organization and no other components from now on, and see that live is
        of these. Raises IdentityError, and what a query raises."""
        self.org.bind(bound)
        _require_same(live, bound, self.org.instance_url)


def _require_same(live: Snapshot, bound: Bound, where: str) -> None:
    for component in live.components:
        known = bound.component_ids.get(component.path)
        if known and component.properties and component.properties.id != known:
            raise IdentityError(
                f"{component.path} was deleted and created again: it is "
                f"{component.properties.id} of organization {bound.organization_id}, but this "
                f"cutover is bound to {known} by {bound.by}",
                where=where,
                hint="check the new component's allowlist in Setup; to change it, give the "
                "cutover another name in cutover.yaml",
            )


def connect(target: Target, cutover: Cutover, clock: Clock | None = None) -> Connection:
    """Open a target. The session is opened by the first request."""
    org = Org(provider_for(target.org))
    client = MetadataClient(org, cutover.api_version)
    return Connection(
        target, cutover, org, client, Retriever(client, clock), Deployer(client, clock)
    )
