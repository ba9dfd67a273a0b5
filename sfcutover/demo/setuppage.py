"""Somebody with access to Setup, who changes the list by hand: no order is kept, no gate asks."""

from __future__ import annotations

from collections.abc import Iterable

from sfcutover.allowlist.carriers import SECURITY_SETTINGS
from sfcutover.emulator import Emulator
from sfcutover.emulator.loss import drop_address

_TYPE = SECURITY_SETTINGS.metadata_type


def take_off(emulator: Emulator, addresses: Iterable[str]) -> None:
    """Save the list without the addresses."""
    xml = emulator.component_xml(_TYPE, _name(emulator))
    for address in addresses:
        xml = drop_address(_TYPE, xml, address)
    emulator.put_component(_TYPE, _name(emulator), xml)


def put_on(emulator: Emulator, addresses: Iterable[str]) -> None:
    """Save the list with the addresses added."""
    head, end, name = emulator.component_xml(_TYPE, _name(emulator)).rpartition(b"</")
    entries = "".join(
        f"<tokenIpRanges><endIpAddress>{each}</endIpAddress>"
        f"<startIpAddress>{each}</startIpAddress></tokenIpRanges>"
        for each in addresses
    )
    emulator.put_component(_TYPE, _name(emulator), head + entries.encode() + end + name)


def _name(emulator: Emulator) -> str:
    return emulator.scenario.qualified(emulator.scenario.security_settings_name)
