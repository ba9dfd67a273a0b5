"""LoginHistory: which address a redemption really came from, as the org saw it.

SourceIp, Status, LoginTime and LoginSubType can be selected; only LoginTime and UserId
are known to be filterable (reported by users). A blocked login shows the Status
``Restricted IP`` (reported by users).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sfcutover.allowlist.ranges import Address
from sfcutover.errors import OperationFailedError
from sfcutover.org import Org

SUCCESS = "Success"
RESTRICTED = "Restricted IP"
_REFRESH = "OauthRefreshToken"
_USER_ID = re.compile(r"005[A-Za-z0-9]{12,15}")
_CLOCK_SKEW = timedelta(seconds=5)


@dataclass(frozen=True)
class Login:
    """One row: a redemption by refresh token."""

    id: str
    time: datetime
    source: Address
    status: str
    user_id: str


class LoginHistory:
    """Reads an org's LoginHistory. An org that doesn't show it gives no rows."""

    def __init__(self, org: Org, api_version: str) -> None:
        self._org = org
        self._api_version = api_version

    def redemptions(self, since: datetime, user_id: str | None = None) -> list[Login] | None:
        """Redemptions since a time, the newest first; None where the org doesn't say.

        Raises NetworkError for an org that can't be asked.
        """
        start = (since - _CLOCK_SKEW).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = f"LoginTime >= {start}"
        if user_id is not None and _USER_ID.fullmatch(user_id):
            conditions += f" AND UserId = '{user_id}'"
        columns = "Id, SourceIp, Status, LoginTime, LoginSubType, UserId"
        soql = (  # conditions: a time, and an id that was checked
            f"SELECT {columns} FROM LoginHistory "  # noqa: S608
            f"WHERE {conditions} ORDER BY LoginTime DESC LIMIT 2000"
        )
        try:
            records = self._org.query(soql, self._api_version)
        except OperationFailedError:
            return None
        return [login for record in records if (login := _read(record)) is not None]


def _read(record: Mapping[str, object]) -> Login | None:
    if record.get("LoginSubType") not in (_REFRESH, None):
        return None
    try:
        return Login(
            str(record["Id"]),
            datetime.fromisoformat(str(record["LoginTime"]).replace("+0000", "+00:00")),
            ipaddress.ip_address(str(record["SourceIp"])),
            str(record["Status"]),
            str(record.get("UserId") or ""),
        )
    except (KeyError, ValueError):
        return None
