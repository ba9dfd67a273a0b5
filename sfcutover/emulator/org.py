"""One emulated org: its identity, its components, its sessions, its jobs and its log."""

from __future__ import annotations

import threading
from datetime import datetime

from sfcutover.allowlist.carriers import CONNECTED_APP, OAUTH_SETTINGS, SECURITY_SETTINGS
from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator.archive import MANIFEST, write_manifest, write_zip
from sfcutover.emulator.clock import Clock, OrgClock
from sfcutover.emulator.defaults import Credentials, default_components
from sfcutover.emulator.deployments import Queue
from sfcutover.emulator.edits import Edit, Edits
from sfcutover.emulator.events import EventLog
from sfcutover.emulator.faults import FaultBoard
from sfcutover.emulator.ids import IdSequence, User
from sfcutover.emulator.logins import Logins
from sfcutover.emulator.retrievals import Retriever
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.schema import SCHEMAS
from sfcutover.emulator.sessions import Sessions, make_secret
from sfcutover.emulator.store import Store

_CLIENT_ID_LENGTH = 80  # consumer keys begin with 3MVG9
_CLIENT_SECRET_LENGTH = 64


class Org:
    """Everything an org keeps; every use of it holds ``lock``.

    now: true time. faults and log: those of the whole emulator. pod: see IdSequence.
    login_ranges: by a grant's name, the ranges that a rule of its user's own lets in.
    """

    def __init__(
        self, scenario: Scenario, now: Clock, faults: FaultBoard, log: EventLog, pod: int = 0
    ) -> None:
        self.scenario = scenario
        self.clock = OrgClock(now, scenario.clock_offset_seconds)
        self.faults = faults
        self.log = log
        self.lock = threading.RLock()
        self.ids = IdSequence(pod)
        self.id = self.ids.make("00D")
        self.user = User(self.ids.make("005"), scenario.user_name, scenario.username)
        self.colleague = User(
            self.ids.make("005"), scenario.colleague_name, f"colleague.{scenario.username}"
        )
        self.users = (self.user, self.colleague)
        self.profile_id = self.ids.make("00e")
        self.credentials = _make_credentials()
        self.legacy_credentials = _make_credentials()
        self.login_ranges = {
            name: tuple(IpRange.parse(text) for text in ranges)
            for name, ranges in scenario.login_ranges.items()
        }
        self.sessions = Sessions(self.id, scenario.session_seconds, now)
        self.edits = Edits(self._edit)
        self.store = Store(scenario, self.ids, now, self.user)
        self.queue = Queue(scenario, self.store, self.ids, now, self.edits, self.user)
        self.retriever = Retriever(scenario, self.store, self.ids, now, self.edits)
        self.logins = Logins(scenario, self.ids, self.clock)
        self.started = now()
        for metadata_type, name, xml in default_components(scenario, self.credentials):
            self.store.put(metadata_type, name, xml)
        for edit in scenario.edits:
            self.set_edit(edit)

    def supports(self, version: float) -> bool:
        """True for an API version that the org offers; they are whole numbers."""
        scenario = self.scenario
        in_range = scenario.min_api_version <= version <= scenario.max_api_version
        return in_range and version.is_integer()

    def set_edit(self, edit: Edit) -> None:
        """Have a colleague change a list, at once or when its interaction comes.

        ValueError if there is no such component.
        """
        place = self._place(edit)
        if self.store.get(*place) is None:
            raise ValueError(f"there is no {' '.join(place)}")
        self.edits.set(edit, self.clock())

    def _edit(self, edit: Edit, moment: datetime) -> None:
        place = self._place(edit)
        states = self.store.states(*place)
        xml = edit.applied_to(states[-1 if edit.restore is None else edit.restore])
        if edit.by == "setup":
            self.store.put(*place, xml, moment, self.colleague)
        else:
            package = self._package(*place, xml)
            self.queue.add_foreign(package, moment, self.colleague, edit.seconds)

    def _package(self, metadata_type: str, full_name: str, xml: bytes) -> bytes:
        manifest = write_manifest({metadata_type: [full_name]}, self.scenario.max_api_version)
        path = SCHEMAS[metadata_type].component_type.path(full_name)
        return write_zip({MANIFEST: manifest, path: xml})

    def _place(self, edit: Edit) -> tuple[str, str]:
        """Type and name of the edited component, by default the one that the org began with."""
        names = {
            SECURITY_SETTINGS.metadata_type: self.scenario.security_settings_name,
            OAUTH_SETTINGS.metadata_type: self.scenario.oauth_settings_name,
            CONNECTED_APP.metadata_type: self.scenario.connected_app_name,
        }
        return edit.type, edit.full_name or self.scenario.qualified(names[edit.type])


def _make_credentials() -> Credentials:
    return Credentials("3MVG9" + make_secret(_CLIENT_ID_LENGTH), make_secret(_CLIENT_SECRET_LENGTH))
