"""What SOQL shows of the lists: who saved what in SetupAuditTrail, and the lists as sObjects.

The sObjects and their fields are those of types that were generated from a scratch org. That SOQL
reads them, and that SetupAuditTrail names saves of a list, is inferred: both can be switched off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from sfcutover.allowlist.carriers import APP, SECURITY_SETTINGS
from sfcutover.emulator.components import Saved, Stored
from sfcutover.emulator.formats import IdSequence, User, child_text, local_name, parse_xml
from sfcutover.emulator.lists import entries, range_of
from sfcutover.emulator.org import Org
from sfcutover.emulator.schema import LISTS
from sfcutover.emulator.soql import Record

_SECTION = "External Client Apps"  # assumed, as are action and display
_ACTION = "changedEcaSettings"


def audit_trail(org: Org) -> list[Record]:
    """A row for each change of a list, the newest first; its date has whole seconds."""
    ids = IdSequence()
    rows = [
        _audited(org, ids.make("0Ym"), saved)
        for saved in org.store.timeline
        if saved.is_change and saved.metadata_type in LISTS
    ]
    return rows[::-1]


def _audited(org: Org, record_id: str, saved: Saved) -> Record:
    app = saved.full_name
    if saved.xml is not None:
        app = child_text(parse_xml(saved.xml), "externalClientApplication") or app
    date = org.clock.rest(saved.time)
    return {
        "Id": record_id,
        "Action": _ACTION,
        "Section": _SECTION,
        "Display": f"Changed {saved.metadata_type} of {app}",
        "CreatedById": saved.by.id,
        "CreatedBy.Name": saved.by.name,
        "CreatedDate": f"{date.partition('.')[0]}.000+0000",
    }


def security_settings(org: Org) -> list[Record]:
    """ExtlClntAppOauthSecuritySettings."""
    return [
        {
            "Id": one.id,
            "DeveloperName": one.full_name,
            "ExternalClientApplicationId": _app_id(org, one),
            **_dates(org, _Kept(one.created, one.created_by), _Kept(one.modified, one.modified_by)),
        }
        for one in org.store.of_type(SECURITY_SETTINGS.metadata_type)
    ]


def token_ranges(org: Org) -> list[Record]:
    """ExtlClntAppOauthSecurityTokenIpRange: a row keeps its dates while its entry stays as it is,
    whatever else of the list changes (assumed)."""
    ids = IdSequence()
    return [
        row
        for one in org.store.of_type(SECURITY_SETTINGS.metadata_type)
        for row in _ranges_of(org, one, ids)
    ]


def _ranges_of(org: Org, one: Stored, ids: IdSequence) -> Iterator[Record]:
    since = _since(org, one)
    for element in _entries(one.xml):
        span = range_of(element, one.metadata_type)
        kept = since[_key(element)]
        yield {
            "Id": ids.make("0te"),  # prefix assumed
            "ExtlClntAppOauthSecurityId": one.id,
            "StartIpAddress": str(span.start),
            "EndIpAddress": str(span.end),
            "Description": child_text(element, "description"),
            **_dates(org, kept, kept),
        }


@dataclass(frozen=True)
class _Kept:
    """Since when something is as it is, and by whom."""

    time: datetime
    by: User


def _since(org: Org, one: Stored) -> dict[bytes, _Kept]:
    """Each entry's, by its content."""
    since: dict[bytes, _Kept] = {}
    for saved in org.store.timeline:
        if (saved.metadata_type, saved.full_name) == (one.metadata_type, one.full_name):
            now = _Kept(saved.time, saved.by)
            found = map(_key, _entries(saved.xml)) if saved.xml else ()
            since = {key: since.get(key, now) for key in found}
    return since


def _entries(xml: bytes) -> list[etree._Element]:
    return entries(parse_xml(xml), SECURITY_SETTINGS.metadata_type)


def _key(element: etree._Element) -> bytes:
    return b"\n".join(sorted(f"{local_name(each)}={each.text}".encode() for each in element))


def _dates(org: Org, created: _Kept, modified: _Kept) -> Record:
    return {
        "CreatedById": created.by.id,
        "CreatedBy.Name": created.by.name,
        "CreatedDate": org.clock.rest(created.time),
        "LastModifiedById": modified.by.id,
        "LastModifiedBy.Name": modified.by.name,
        "LastModifiedDate": org.clock.rest(modified.time),
    }


def _app_id(org: Org, one: Stored) -> str | None:
    name = child_text(parse_xml(one.xml), "externalClientApplication")
    app = org.store.get(APP.metadata_type, name or "")
    return app.id if app else None
