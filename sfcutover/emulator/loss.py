"""A save that silently loses one range of a list."""

from __future__ import annotations

import ipaddress

from lxml import etree

from sfcutover.emulator.schema import LISTS
from sfcutover.emulator.xml import child_text, local_name, parse_xml, write_xml


def drop_address(metadata_type: str, xml: bytes, address: str | None) -> bytes:
    """The file without the ranges that hold address, or without its last range for None."""
    if metadata_type not in LISTS:
        return xml
    entry, start, end = LISTS[metadata_type]
    root = parse_xml(xml)
    ranges = [child for child in root if local_name(child) == entry]
    lost = ranges[-1:]
    if address is not None:
        lost = [one for one in ranges if _holds(one, start, end, address)]
    for one in lost:
        root.remove(one)
    return write_xml(root)


def _holds(entry: etree._Element, start: str, end: str, address: str) -> bool:
    first, last, wanted = (
        ipaddress.ip_address(text.strip())
        for text in (child_text(entry, start) or "", child_text(entry, end) or "", address)
    )
    return first.version == wanted.version and int(first) <= int(wanted) <= int(last)
