"""LoginHistory: who logged in to an org, from where, and how that ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sfcutover.emulator.formats import IdSequence, OrgClock, rest_time
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.soql import Filter, Query, QueryError, Record

SUCCESS = "Success"
RESTRICTED = "Restricted IP"
_FILTERABLE = ("id", "logintime", "userid")


@dataclass(frozen=True)
class _Login:
    time: datetime
    record: Record


class Logins:
    """The LoginHistory of one org: the logins of its own users, wherever the app belongs.

    LoginTime has whole seconds (assumed). The caller holds the org's lock.
    """

    def __init__(self, scenario: Scenario, ids: IdSequence, clock: OrgClock) -> None:
        self._scenario = scenario
        self._ids = ids
        self._clock = clock
        self._logins: list[_Login] = []

    def add(
        self, *, application: str, subtype: str, user_id: str, source: str, status: str
    ) -> None:
        """Record a login that happens now."""
        now = self._clock()
        hidden = self._scenario.login_history == "first_proxy_ip"
        record: Record = {
            "Id": self._ids.make("0Ya"),
            "UserId": user_id,
            "LoginTime": rest_time(self._clock.shown(now).replace(microsecond=0)),
            "LoginType": "Remote Access 2.0",
            "LoginSubType": subtype,
            "SourceIp": self._scenario.first_proxy_address if hidden else source,
            "Status": status,
            "Application": application,
        }
        self._logins.append(_Login(now, record))

    @property
    def rows(self) -> list[Record]:
        """All of them, the newest first."""
        return [one.record for one in reversed(self._logins)]

    def records(self, query: Query) -> list[Record]:
        """What a query can see, the newest first.

        Raises QueryError for a filter on a field that can't have one, and for an org
        whose LoginHistory the user may not read.
        """
        if self._scenario.login_history == "unavailable":
            raise QueryError("INVALID_TYPE", "sObject type 'LoginHistory' is not supported.")
        for one in query.filters:
            _check_filter(one)
        latest = self._clock() - timedelta(seconds=self._delay)
        return [one.record for one in reversed(self._logins) if one.time <= latest]

    @property
    def _delay(self) -> float:
        delayed = self._scenario.login_history == "delayed"
        return self._scenario.login_history_delay_seconds if delayed else 0.0


def _check_filter(one: Filter) -> None:
    name = one.field.lower()
    if name not in _FILTERABLE:
        text = f"field '{one.field}' can not be filtered in a query call"
        raise QueryError("INVALID_FIELD", text)
    if (name == "logintime") == isinstance(one.value, str):
        text = f"value of filter criterion for field '{one.field}' must be of another type"
        raise QueryError("INVALID_FIELD", text)
