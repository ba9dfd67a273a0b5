"""The allowlist's entries as SOQL shows them: a cross-check, with who saved which entry when.

``ExtlClntAppOauthSecurityTokenIpRange`` and its fields are those of types that were generated from
a Summer '26 scratch org; that SOQL reads them, and that ``ExtlClntAppOauthSecurityId`` is the id
that listMetadata gives the component, is inferred. An org may not show them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sfcutover.allowlist.carriers import SECURITY_SETTINGS
from sfcutover.allowlist.component import Component
from sfcutover.allowlist.ranges import IpRange, RangeError
from sfcutover.errors import SfcutoverError
from sfcutover.salesforce.org import Org, time_of

OBJECT = "ExtlClntAppOauthSecurityTokenIpRange"
_SOQL = (
    "SELECT StartIpAddress, EndIpAddress, Description, LastModifiedBy.Name, "  # noqa: S608
    f"LastModifiedDate FROM {OBJECT} WHERE ExtlClntAppOauthSecurityId = '{{id}}'"
)
_ID = re.compile(r"[A-Za-z0-9]{15,18}")


@dataclass(frozen=True)
class RangeRecord:
    """An entry of the list, and who saved it last. time: by the org's clock, None if not shown."""

    entry: IpRange
    by: str
    time: datetime | None


def range_records(org: Org, api_version: str, component: Component) -> list[RangeRecord] | None:
    """A component's entries in one query; None where the org does not show them, for any reason.

    Raises no SfcutoverError: no step depends on it.
    """
    properties = component.properties
    if component.component_type != SECURITY_SETTINGS or properties is None:
        return None
    if not _ID.fullmatch(properties.id):
        return None
    try:
        rows = org.query(_SOQL.format(id=properties.id), api_version)
        # No row at all for a list that has entries: they are not shown, or under another id.
        return [_read(row) for row in rows] if rows or not component.allowlist.ranges else None
    except (SfcutoverError, RangeError, KeyError):
        return None


def _read(row: Mapping[str, object]) -> RangeRecord:
    """Raises RangeError or KeyError for a row that is no entry."""
    ends = IpRange.parse(f"{row['StartIpAddress']}-{row['EndIpAddress']}")
    description = row.get("Description")
    entry = IpRange(ends.start, ends.end, str(description) if description else None)
    user = row.get("LastModifiedBy")
    name = user.get("Name") if isinstance(user, Mapping) else None
    return RangeRecord(entry, str(name or "an unknown user"), time_of(row.get("LastModifiedDate")))
