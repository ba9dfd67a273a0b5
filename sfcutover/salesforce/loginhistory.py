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

        None where the org doesn't say: it refuses, or has more than 50,000 logins since then.
        Raises NetworkError for an org that can't be asked.
        """
        records: dict[str, Mapping[str, object]] = {}
        until = ""
        for _ in range(_PAGES):
            try:
                found = self.org.query(self._soql(since, until, user_id), self.api_version)
            except OperationFailedError:
                return None
            records |= {str(each.get("Id")): each for each in found}
            if len(found) < self.page:
                return [login for each in records.values() if (login := _read(each)) is not None]
            if (oldest := time_of(found[-1].get("LoginTime"))) is None:
                return None
            until = f" AND LoginTime <= {_written(oldest)}"
        return None

    def _soql(self, since: datetime, until: str, user_id: str | None) -> str:
        """Of values that were read as times, and of an id that was checked."""
        user = ""
        if user_id is not None and _USER_ID.fullmatch(user_id):
            user = f" AND UserId = '{user_id}'"
        return (
            "SELECT Id, SourceIp, Status, LoginTime, LoginSubType, UserId "  # noqa: S608
            f"FROM LoginHistory WHERE LoginTime >= {_written(since)}{until}{user} "
            f"ORDER BY LoginTime DESC LIMIT {self.page}"
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
