"""The ranges in a component's file: read, added, removed and described."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Annotated

from lxml import etree
from pydantic import AfterValidator, BaseModel, ConfigDict

from sfcutover.allowlist.ranges import IpRange, RangeError
from sfcutover.emulator.formats import child_text, local_name, metadata_child, parse_xml, write_xml
from sfcutover.emulator.schema import LISTS


def _range_text(text: str) -> str:
    IpRange.parse(text)
    return text


RangeText = Annotated[str, AfterValidator(_range_text)]
"""An address, a CIDR block or first-last."""


class Entry(BaseModel):
    """One entry of an allowlist."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    range: RangeText
    description: str | None = None

    def parsed(self) -> IpRange:
        return IpRange.parse(self.range, self.description)


def entries(root: etree._Element, type_name: str) -> list[etree._Element]:
    """The elements of a type's list; none for a type without one."""
    name = LISTS[type_name].entry if type_name in LISTS else ""
    return [child for child in root if local_name(child) == name]


def range_of(element: etree._Element, type_name: str) -> IpRange:
    """The range in an entry, without its description; RangeError if there is none."""
    names = LISTS[type_name]
    first, last = (child_text(element, name) or "" for name in (names.start, names.end))
    return IpRange(_address(first), _address(last))


def append(root: etree._Element, type_name: str, entry: Entry) -> None:
    """Add an entry behind the others."""
    names, parsed = LISTS[type_name], entry.parsed()
    element = metadata_child(root, names.entry)
    describe(element, entry.description)
    metadata_child(element, names.end).text = str(parsed.end)
    metadata_child(element, names.start).text = str(parsed.start)


def describe(element: etree._Element, text: str | None) -> None:
    """Set an entry's description; None removes it."""
    for child in list(element):
        if local_name(child) == "description":
            element.remove(child)
    if text is not None:
        metadata_child(element, "description").text = text


def drop_address(metadata_type: str, xml: bytes, address: str | None) -> bytes:
    """The file without the ranges that hold address, or without its last range for None."""
    root = parse_xml(xml)
    found = entries(root, metadata_type)
    lost = found[-1:]
    if address is not None:
        lost = [one for one in found if holds([range_of(one, metadata_type)], address)]
    for one in lost:
        root.remove(one)
    return write_xml(root)


def holds(ranges: Iterable[IpRange], address: str) -> bool:
    """True if one of the ranges holds the address."""
    wanted = IpRange.parse(address)
    return any(one.contains(wanted) for one in ranges)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError as error:
        raise RangeError(f"{text!r} is not a valid IP address") from error
