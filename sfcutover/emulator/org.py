"""One emulated org: its users and components, its apps and grants, its jobs."""

from __future__ import annotations

import threading
from datetime import datetime

from sfcutover.allowlist.carriers import CONNECTED_APP, OAUTH_SETTINGS, SECURITY_SETTINGS
from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator.apps import Apps
from sfcutover.emulator.components import Store
from sfcutover.emulator.defaults import default_components
from sfcutover.emulator.deployments import Queue
from sfcutover.emulator.edits import Edit, Edits
from sfcutover.emulator.formats import Clock, IdSequence, OrgClock, User
from sfcutover.emulator.grants import (
    CANARY,
    LEGACY_CANARY,
    Client,
    Grant,
    Grants,
    Redemption,
    Sessions,
)
from sfcutover.emulator.logins import Logins
from sfcutover.emulator.packages import MANIFEST, Retriever, write_manifest, write_zip
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.schema import SCHEMAS


class Org:
    """The state of an org; every use of it holds ``lock``.

    now: true time. url: its instance URL. owner: for the org of a customer, the one that owns
    the apps which its users have approved, and the apps' lists; for all others the org itself.

    login_ranges: by a grant's name, the ranges that a rule of its user's own lets in.
    org_wide_login_ranges: those of a rule for all users. redemptions: of the apps that it owns.
    """

    def __init__(self, scenario: Scenario, now: Clock, url: str, owner: Org | None = None) -> None:
        self.scenario = scenario
        self.url = url
        self.owner = owner or self
        self.clock = OrgClock(now, scenario.clock_offset_seconds)
        self.lock: threading.RLock = owner.lock if owner else threading.RLock()
        self.started = now()
        self.ids = IdSequence(scenario.pod)
        self.id = self.ids.make("00D")
        self.user = self._user(scenario.user_name, scenario.username)
        self.colleague = self._user(scenario.colleague_name, f"colleague.{scenario.username}")
        self.users = (self.user, self.colleague)
        self.profile_id = self.ids.make("00e")
        self.edits = Edits(self._edit)
        self.store = Store(scenario, self.ids, now, self.user)
        self.queue = Queue(scenario, self.store, self.ids, now, self.edits, self.user)
        self.retriever = Retriever(scenario, self.store, self.ids, now, self.edits)
        self.apps: Apps = owner.apps if owner else self._own_apps(now)
        self._start_grants(now)
        for edit in scenario.edits:
            self.set_edit(edit)

    def _own_apps(self, now: Clock) -> Apps:
        """The apps, with their components in the store."""
        apps = Apps(self.scenario, self.store, now)
        secret = apps.eca.secret or ""
        for place in default_components(self.scenario, apps.eca.client_id, secret):
            self.store.put(*place)
        apps.deployed_list.begin(self.started)
        return apps

    def _start_grants(self, now: Clock) -> None:
        scenario, own = self.scenario, self.user.id
        self.login_ranges = {
            name: tuple(IpRange.parse(text) for text in ranges)
            for name, ranges in scenario.login_ranges.items()
        }
        self.org_wide_login_ranges: tuple[IpRange, ...] | None = None
        self.sessions = Sessions(self.id, scenario.session_seconds, now)
        self.access_token = self.sessions.start()
        self.grants = Grants(self.sessions, self.ids, scenario.grants_per_user)
        rotates, rotation = scenario.rotate_auth_url_token, scenario.rotation
        self.cli_grant = self.grants.issue("cli", self.apps.cli, rotates=rotates, user_id=own)
        self.canary = self.grants.issue(CANARY, self.apps.eca, rotates=rotation, user_id=own)
        self.legacy_canary = self.grants.issue(
            LEGACY_CANARY, self.apps.legacy, rotates=rotation, user_id=own
        )
        self.customers: list[Grant] = []
        for name in scenario.customers:
            self.add_customer(name, self.apps.eca)
        self.redemptions: list[Redemption] = []
        self.logins = Logins(scenario, self.ids, self.clock)
        self.customer_orgs: list[Org] = []

    def supports(self, version: float) -> bool:
        """True for an API version that the org offers; they are whole numbers."""
        scenario = self.scenario
        in_range = scenario.min_api_version <= version <= scenario.max_api_version
        return in_range and version.is_integer()

    def add_customer(self, name: str, client: Client) -> Grant:
        """A grant of a customer's user; a second one for a name is of the same user."""
        grant = self.grants.issue(name, client, rotates=self.scenario.rotation)
        self.customers.append(grant)
        return grant

    @property
    def customer_tokens(self) -> list[tuple[str, str]]:
        """Name and current refresh token of every customer's grant that is alive."""
        return [(one.name, one.refresh_token) for one in self.customers if one.refresh_token]

    def home_of(self, token: str) -> Org:
        """The org whose user got a refresh token or a code: a customer's, or else this one."""
        return next((one for one in self.customer_orgs if one.grants.knows(token)), self)

    def add_customer_org(self, url: str) -> Org:
        """The org of a customer, whose users can approve the apps of this one."""
        scenario = self.scenario.customer(len(self.customer_orgs) + 1)
        self.customer_orgs.append(Org(scenario, self.clock, url, self))
        return self.customer_orgs[-1]

    def set_edit(self, edit: Edit) -> None:
        """Change a list as another user would, immediately or when its interaction occurs.

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

    def _user(self, name: str, username: str) -> User:
        return User(self.ids.make("005"), name, username)


class Orgs:
    """The org that answers, and the one that can be made to answer in its place.

    The second is made when it is first asked for.
    """

    def __init__(self, scenario: Scenario, now: Clock, url: str) -> None:
        self._scenario = scenario
        self._now = now
        self._orgs = [Org(scenario, now, url)]
        self.current = self._orgs[0]

    def use(self, number: int) -> None:
        """Have org 1 or 2 answer from now on; ValueError for any other number."""
        if number not in (1, 2):
            raise ValueError(f"there are org 1 and org 2, not {number}")
        if number > len(self._orgs):
            self._orgs.append(Org(self._scenario.second(), self._now, self.current.url))
        self.current = self._orgs[number - 1]

    @property
    def number(self) -> int:
        """1 or 2, whichever answers."""
        return self._orgs.index(self.current) + 1
