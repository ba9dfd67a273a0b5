"""The org that answers, and the one that can be made to answer in its place."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from sfcutover.emulator.app import App
from sfcutover.emulator.clock import Clock
from sfcutover.emulator.events import EventLog
from sfcutover.emulator.faults import FaultBoard
from sfcutover.emulator.jwt_bearer import JwtKey
from sfcutover.emulator.oauth import TokenEndpoint
from sfcutover.emulator.org import Org
from sfcutover.emulator.people import People
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.wire import Waiter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Tenant:
    """An org with its token endpoint, the grants in it, a session, and its HTTP surface."""

    def __init__(self, org: Org, url: str, key: JwtKey, wait: Waiter) -> None:
        self.org = org
        self.tokens = TokenEndpoint(org, url, key)
        self.people = People(org, self.tokens)
        self.access_token = org.sessions.start()
        self.app = App(org, url, self.tokens, wait)


class Tenants:
    """A WSGI application: two orgs at one URL, of which one answers.

    The second is made when it is first asked for. They share faults, log and signing key.
    """

    def __init__(
        self, scenario: Scenario, now: Clock, faults: FaultBoard, url: str, wait: Waiter
    ) -> None:
        self._scenario = scenario
        self._now = now
        self._url = url
        self._wait = wait
        self.key = JwtKey()
        self.log = EventLog(now)
        self.faults = faults
        self.first = self._tenant(scenario, 0)
        self.current = self.first

    @cached_property
    def second(self) -> Tenant:
        return self._tenant(self._scenario.second(), 1)

    def use(self, number: int) -> None:
        """Have the first or the second org answer from now on; ValueError for any other number."""
        if number not in (1, 2):
            raise ValueError(f"there are org 1 and org 2, not {number}")
        self.current = (self.first, self.second)[number - 1]

    @property
    def number(self) -> int:
        """1 or 2, whichever answers."""
        return 1 if self.current is self.first else 2

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.current.app(environ, start_response)

    def _tenant(self, scenario: Scenario, pod: int) -> Tenant:
        org = Org(scenario, self._now, self.faults, self.log, pod)
        return Tenant(org, self._url, self.key, self._wait)
