"""A target that can be talked to: its org with the retriever and the deployer on it."""

from __future__ import annotations

from dataclasses import dataclass

from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.config.cutover import Cutover, Target
from sfcutover.salesforce.deployer import Deployer
from sfcutover.salesforce.metadata import MetadataClient
from sfcutover.salesforce.org import Org
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

    def read(self) -> Snapshot:
        """The cutover's components as they are live now."""
        return self.retriever.snapshot(
            self.cutover.app, self.cutover.carrier_rows, policies=bool(self.cutover.policies)
        )


def connect(target: Target, cutover: Cutover, clock: Clock | None = None) -> Connection:
    """Open a target. The session is opened by the first request."""
    org = Org(provider_for(target.org))
    client = MetadataClient(org, cutover.api_version)
    return Connection(
        target, cutover, org, client, Retriever(client, clock), Deployer(client, clock)
    )
