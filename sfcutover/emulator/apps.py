"""The apps that users log in through, and the lists that gate two of them."""

from __future__ import annotations

from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator.components import Store
from sfcutover.emulator.enforcement import DeployedList, Enforcement, KnowsVersions, SupportList
from sfcutover.emulator.formats import Clock, make_secret
from sfcutover.emulator.grants import CLI_CLIENT_ID, ROTATING_CLI_CLIENT_ID, Client
from sfcutover.emulator.scenario import Scenario

_CLIENT_ID_LENGTH = 80  # consumer keys begin with 3MVG9
_CLIENT_SECRET_LENGTH = 64


class Apps:
    """The apps of the org that owns them, as clients of the token endpoint.

    eca: the External Client App, whose list is deployed. legacy: the connected app, whose list
    only support changes. cli: the official CLI, which has no list. The caller holds the lock
    of the org.
    """

    def __init__(self, scenario: Scenario, store: Store, now: Clock) -> None:
        self._scenario = scenario
        self._now = now
        at_first = [IpRange.parse(text) for text in scenario.old]
        at_first += [entry.parsed() for entry in scenario.unrelated]
        self.deployed_list = DeployedList(store, scenario.app_name, scenario)
        self.support_list = SupportList(at_first, now)
        rotates = scenario.rotate_auth_url_token
        client_id = ROTATING_CLI_CLIENT_ID if rotates else CLI_CLIENT_ID
        self.cli = Client("Salesforce CLI", client_id, None)
        self.eca = self._gated(scenario.app, self.deployed_list)
        self.legacy = self._gated(scenario.connected_app_name, self.support_list)
        self._by_client_id = {one.client_id: one for one in (self.cli, self.eca, self.legacy)}

    def of_client_id(self, client_id: str) -> Client | None:
        return self._by_client_id.get(client_id)

    @property
    def enforcement(self) -> bool:
        """Whether the lists block at all."""
        return all(gate.is_on for gate in self._gates)

    @enforcement.setter
    def enforcement(self, is_on: bool) -> None:
        for gate in self._gates:
            gate.is_on = is_on

    @property
    def _gates(self) -> list[Enforcement]:
        return [one.gate for one in (self.eca, self.legacy) if one.gate is not None]

    def _gated(self, name: str, source: KnowsVersions) -> Client:
        client_id = "3MVG9" + make_secret(_CLIENT_ID_LENGTH)
        gate = Enforcement(source, self._scenario, self._now)
        return Client(name, client_id, make_secret(_CLIENT_SECRET_LENGTH), gate)
