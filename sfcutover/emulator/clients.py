"""The OAuth clients of an org: the app, the legacy app, and the official CLI's own."""

from __future__ import annotations

from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator.allowlists import DeployedList, Enforcement, KnowsVersions, SupportList
from sfcutover.emulator.defaults import Credentials
from sfcutover.emulator.grants import Client
from sfcutover.emulator.org import Org

CLI_CLIENT_ID = "PlatformCLI"  # the official CLI's own client; it has no secret


class Clients:
    """The clients, and the lists of those that have one. The caller holds the org's lock."""

    def __init__(self, org: Org) -> None:
        self._org = org
        scenario = org.scenario
        self.deployed = DeployedList(org.store, scenario.app_name, org.started)
        at_first = [IpRange.parse(text) for text in scenario.old]
        at_first += [entry.parsed() for entry in scenario.unrelated]
        self.support = SupportList(at_first, org.clock)
        self.cli = Client("Salesforce CLI", CLI_CLIENT_ID, None)
        self.app = self._gated(scenario.app, org.credentials, self.deployed)
        legacy = scenario.connected_app_name
        self.legacy = self._gated(legacy, org.legacy_credentials, self.support)
        self._by_id = {one.client_id: one for one in (self.cli, self.app, self.legacy)}

    def find(self, client_id: str) -> Client | None:
        return self._by_id.get(client_id)

    def _gated(self, name: str, credentials: Credentials, source: KnowsVersions) -> Client:
        gate = Enforcement(source, self._org.scenario, self._org.clock)
        return Client(name, credentials.client_id, credentials.client_secret, gate)
