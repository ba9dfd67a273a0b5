"""The components of the org: what is saved is what is retrieved."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from lxml import etree

from sfcutover.emulator.formats import (
    Clock,
    IdSequence,
    User,
    local_name,
    metadata_root,
    parse_xml,
    write_xml,
)
from sfcutover.emulator.lists import entries, range_of
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.schema import LISTS, SCHEMAS

Key = tuple[str, str]  # metadata type, full name


@dataclass(frozen=True)
class Stored:
    """A component and its file, in the form in which the org writes it."""

    metadata_type: str
    full_name: str
    xml: bytes
    id: str
    created: datetime
    created_by: User
    modified: datetime
    modified_by: User


@dataclass(frozen=True)
class Saved:
    """One save; xml is None where the component was deleted. is_change: of one that there was."""

    time: datetime
    metadata_type: str
    full_name: str
    xml: bytes | None
    by: User
    is_change: bool


class Store:
    """Components by type and name. The caller holds the org's lock.

    timeline: every save so far, the oldest first. A moment that is not given is now, a user
    that is not given is the owner. A save that changes nothing leaves the date of the last
    change (assumed).
    """

    def __init__(self, scenario: Scenario, ids: IdSequence, clock: Clock, owner: User) -> None:
        self._scenario = scenario
        self._merges = scenario.replace_or_merge == "merge"
        self._keeps_omitted = scenario.omitted_fields == "keep"
        self._ids = ids
        self._clock = clock
        self._owner = owner
        self._components: dict[Key, Stored] = {}
        self.timeline: list[Saved] = []

    def get(self, metadata_type: str, full_name: str) -> Stored | None:
        return self._components.get((metadata_type, full_name))

    def of_type(self, metadata_type: str) -> list[Stored]:
        """All components of a type, by name."""
        found = (one for one in self._components.values() if one.metadata_type == metadata_type)
        return sorted(found, key=lambda one: one.full_name)

    def __iter__(self) -> Iterator[Stored]:
        return iter(list(self._components.values()))

    def put(
        self,
        metadata_type: str,
        full_name: str,
        xml: bytes,
        moment: datetime | None = None,
        by: User | None = None,
    ) -> Stored:
        """Save a file as it is, apart from its layout; XmlError if it is not well-formed."""
        return self._keep(metadata_type, full_name, parse_xml(xml), moment, by)

    def save(
        self,
        metadata_type: str,
        full_name: str,
        xml: bytes,
        moment: datetime | None = None,
        by: User | None = None,
    ) -> bool:
        """Save a deployed file as the scenario's org does; True if that changed the component."""
        before = self.get(metadata_type, full_name)
        root = parse_xml(xml)
        if before is not None:
            self._carry_over(metadata_type, parse_xml(before.xml), root)
        self._rewrite_ranges(metadata_type, root)
        after = self._keep(metadata_type, full_name, root, moment, by)
        return before is None or before.xml != after.xml

    def delete(self, metadata_type: str, full_name: str, moment: datetime | None = None) -> bool:
        """Remove a component; False if there was none."""
        when = moment or self._clock()
        self.timeline.append(Saved(when, metadata_type, full_name, None, self._owner, True))
        return self._components.pop((metadata_type, full_name), None) is not None

    def states(self, metadata_type: str, full_name: str) -> list[bytes]:
        """A component's files so far, each change a new one, the oldest first."""
        return [
            one.xml
            for one in self.timeline
            if (one.metadata_type, one.full_name) == (metadata_type, full_name) and one.xml
        ]

    def _keep(
        self,
        metadata_type: str,
        full_name: str,
        root: etree._Element,
        moment: datetime | None,
        by: User | None,
    ) -> Stored:
        xml, when, who = write_component(root), moment or self._clock(), by or self._owner
        before = self.get(metadata_type, full_name)
        if before is None:
            new_id = self._ids.make(SCHEMAS[metadata_type].key_prefix)
            stored = Stored(metadata_type, full_name, xml, new_id, when, who, when, who)
        elif before.xml == xml:
            return before
        else:
            stored = replace(before, xml=xml, modified=when, modified_by=who)
        self._components[metadata_type, full_name] = stored
        is_change = before is not None
        self.timeline.append(Saved(when, metadata_type, full_name, xml, who, is_change))
        return stored

    def _carry_over(self, metadata_type: str, old: etree._Element, new: etree._Element) -> None:
        fields = SCHEMAS[metadata_type].fields
        sent = {local_name(child) for child in new}
        known = {_content(child) for child in new}
        for child in list(old):
            name = local_name(child)
            if name in fields and fields[name].is_repeated:
                is_kept = self._merges and _content(child) not in known
            else:
                is_kept = self._keeps_omitted and name not in sent
            if is_kept:
                new.append(child)

    def _rewrite_ranges(self, metadata_type: str, root: etree._Element) -> None:
        found = entries(root, metadata_type)
        for one in found:
            for child in one:
                if local_name(child) in LISTS[metadata_type][1:]:
                    child.text = _rewritten(child.text or "", self._scenario.ipv6_form)
        if self._scenario.reorder_ranges:
            root.extend(sorted(found, key=lambda one: range_of(one, metadata_type).span))


def write_component(root: etree._Element) -> bytes:
    """A file as the org writes it: sorted elements, four spaces, no attributes or comments.

    Elements of one name keep their order.
    """
    tree = _sorted_copy(root)
    return write_xml(tree)


def _sorted_copy(element: etree._Element) -> etree._Element:
    copy = metadata_root(local_name(element))
    children = sorted(_elements(element), key=local_name)
    if not children:
        copy.text = element.text
    copy.extend([_sorted_copy(child) for child in children])
    return copy


def _elements(element: etree._Element) -> Iterable[etree._Element]:
    return (child for child in element if isinstance(child.tag, str))


def _content(element: etree._Element) -> bytes:
    return etree.tostring(_sorted_copy(element), method="c14n")


def _rewritten(text: str, form: str) -> str:
    """An address in the form in which the org keeps it."""
    address = ipaddress.ip_address(text.strip())
    if form == "as_sent" or address.version == 4:  # noqa: PLR2004
        return text
    return address.compressed if form == "compressed" else address.exploded.upper()
