"""The logins that an org shows: who redeemed when, and from which address."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sfcutover.allowlist.ranges import Address
from sfcutover.errors import OperationFailedError
from sfcutover.salesforce.org import Org, time_of

SUCCESS = "Success"
RESTRICTED = "Restricted IP"
_REFRESH = "OauthRefreshToken"
_USER_ID = re.compile(r"005[A-Za-z0-9]{12,15}")
_PAGES = 25


@dataclass(frozen=True)
class Login:
    """One row: a redemption by refresh token. time: by the org's clock, in whole seconds."""

    id: str
    time: datetime
    source: Address
    status: str
    user_id: str


@dataclass(frozen=True)
class LoginHistory:
    """Reads an org's LoginHistory. page: rows that one query asks for."""

    org: Org
    api_version: str
    page: int = 2000

    def redemptions(self, since: datetime, user_id: str | None = None) -> list[Login] | None:
        """Redemptions since a second of the org's clock, the newest first.

        None where the org does not report it: it refuses, or has more than 50,000 logins since
        then. Raises NetworkError for an org that can't be asked.
        """
        if user_id is None or not _USER_ID.fullmatch(user_id):
            return self._matching(f"LoginTime >= {_written(since)}")
        rows = self._matching(f"LoginTime >= {_written(since)} AND UserId = '{user_id}'")
        if rows is None:  # users report that only some of its fields can be filtered
            every = self._matching(f"LoginTime >= {_written(since)}")
            rows = None if every is None else [each for each in every if each.user_id == user_id]
        return rows

    def _matching(self, conditions: str) -> list[Login] | None:
        records: dict[str, Mapping[str, object]] = {}
        until = ""
        for _ in range(_PAGES):
            try:
                found = self.org.query(self._soql(conditions + until), self.api_version)
            except OperationFailedError:
                return None
            records |= {str(each.get("Id")): each for each in found}
            if len(found) < self.page:
                return [login for each in records.values() if (login := _read(each)) is not None]
            if (oldest := time_of(found[-1].get("LoginTime"))) is None:
                return None
            until = f" AND LoginTime <= {_written(oldest)}"
        return None

    def _soql(self, conditions: str) -> str:
        """Of values that were read as times, and of an id that was checked."""
        return (
            "SELECT Id, SourceIp, Status, LoginTime, LoginSubType, UserId "  # noqa: S608
            f"FROM LoginHistory WHERE {conditions} ORDER BY LoginTime DESC LIMIT {self.page}"
        )


def _written(time: datetime) -> str:
    """As SOQL writes it, the fraction of a second cut off."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(record: Mapping[str, object]) -> Login | None:
    time = time_of(record.get("LoginTime"))
    if record.get("LoginSubType") not in (_REFRESH, None) or time is None:
        return None
    try:
        return Login(
            str(record["Id"]),
            time,
            ipaddress.ip_address(str(record["SourceIp"])),
            str(record["Status"]),
            str(record.get("UserId") or ""),
        )
    except (KeyError, ValueError):
        return None
