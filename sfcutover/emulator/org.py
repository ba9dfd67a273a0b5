"""One emulated org: its identity, its components, its sessions, its jobs and its log."""

from __future__ import annotations

import threading

from sfcutover.emulator.clock import Clock
from sfcutover.emulator.defaults import Credentials, default_components
from sfcutover.emulator.deployments import Queue
from sfcutover.emulator.events import EventLog
from sfcutover.emulator.faults import FaultBoard
from sfcutover.emulator.ids import IdSequence
from sfcutover.emulator.logins import Logins
from sfcutover.emulator.retrievals import Retriever
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.sessions import Sessions, make_secret
from sfcutover.emulator.store import Store

_CLIENT_ID_LENGTH = 80  # consumer keys begin with 3MVG9
_CLIENT_SECRET_LENGTH = 64


class Org:
    """Everything an org keeps. Whoever touches it holds ``lock``."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.scenario = scenario
        self.clock = clock
        self.lock = threading.RLock()
        self.ids = IdSequence()
        self.id = self.ids.make("00D")
        self.user_id = self.ids.make("005")
        self.profile_id = self.ids.make("00e")
        self.credentials = _make_credentials()
        self.legacy_credentials = _make_credentials()
        self.log = EventLog(clock)
        self.faults = FaultBoard(scenario.faults)
        self.sessions = Sessions(self.id, scenario.session_seconds, clock)
        self.store = Store(scenario, self.ids, clock)
        self.queue = Queue(scenario, self.store, self.ids, clock)
        self.retriever = Retriever(scenario, self.store, self.ids, clock)
        self.logins = Logins(scenario, self.ids, clock)
        self.started = clock()
        for metadata_type, name, xml in default_components(scenario, self.credentials):
            self.store.put(metadata_type, name, xml)

    def supports(self, version: float) -> bool:
        """True for an API version that the org offers; they are whole numbers."""
        scenario = self.scenario
        in_range = scenario.min_api_version <= version <= scenario.max_api_version
        return in_range and version.is_integer()


def _make_credentials() -> Credentials:
    return Credentials("3MVG9" + make_secret(_CLIENT_ID_LENGTH), make_secret(_CLIENT_SECRET_LENGTH))
