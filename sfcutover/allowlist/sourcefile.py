"""One -meta.xml file of a source tree, changed in place. Pure: bytes in, bytes out.

A tree has reviewers, so only the elements that a phase changes are written. Everything else stays
byte for byte: the other elements and their order, comments, indentation, quoting, the declaration,
a byte order mark, line ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from xml.sax.saxutils import escape

from sfcutover.allowlist.carriers import Carrier
from sfcutover.allowlist.component import Component, Field, parse_component
from sfcutover.allowlist.ranges import IpRange
from sfcutover.allowlist.xmllayout import Element, Layout, Style, lay_out
from sfcutover.errors import ConfigError

_HINT = (
    "retrieve the component into the tree again, or write a separate package with --format mdapi"
)


@dataclass(frozen=True)
class _Edit:
    """data[start:end] becomes text."""

    start: int
    end: int
    text: bytes = b""


def update_file(
    data: bytes, wanted: Component, policies: Mapping[str, str], *, where: str
) -> bytes:
    """The file with the list of wanted, and with these policies; the same bytes if it has them.

    data: the file of the same component. policies: what the phase sets, as text by field. An entry
    that stays is not touched, and new ones are written as the others are. Raises what
    parse_component raises, and ConfigError for a file that can't be changed so.
    """
    before = _parse(data, wanted, where)
    expected = before.with_allowlist(wanted.allowlist).with_values(_changed(before, policies))
    if expected.fingerprint == before.fingerprint:
        return data
    layout = _layout(data, where)
    edits = list(_list_edits(layout, before, wanted))
    for name, text in sorted(_changed(before, policies).items()):
        edits += _field_edits(layout, Field.of_text(name, text))
    after = _apply(data, edits)
    _check(after, expected, where)
    return after


def entry_lines(data: bytes, component: Component, where: str) -> list[int]:
    """The lines on which the entries of a component's list start, in the order of the list; the
    line of its root where there is none."""
    layout = _layout(data, where)
    entries = _entries(layout, component.carrier)
    starts = [each.start for each in entries] or [layout.root_start]
    between = zip([0, *starts], starts, strict=False)
    return list(accumulate((data.count(b"\n", *each) for each in between), initial=1))[1:]


def _parse(data: bytes, like: Component, where: str) -> Component:
    return parse_component(
        data, like.component_type, like.full_name, carrier=like.carrier, where=where
    )


def _changed(before: Component, policies: Mapping[str, str]) -> dict[str, str]:
    """The policies that the file has not yet as they should be."""
    return {
        name: text
        for name, text in policies.items()
        if [each.content for each in before.fields if each.name == name]
        != [Field.of_text(name, text).content]
    }


def _layout(data: bytes, where: str) -> Layout:
    """Raises ConfigError for an encoding in which nothing could be inserted."""
    try:
        data.decode("utf-8")
        return lay_out(data)
    except UnicodeError as error:
        raise ConfigError(
            "the file is not in UTF-8, which metadata requires", where=where, hint=_HINT
        ) from error


def _check(data: bytes, expected: Component, where: str) -> None:
    """What is written is read first, and compared with the phase, as a package is."""
    try:
        is_right = _parse(data, expected, where).fingerprint == expected.fingerprint
    except ConfigError:
        is_right = False
    if not is_right:
        raise ConfigError(
            "the file cannot be changed in place: the result would not match the phase",
            where=where,
            hint=_HINT,
        )


def _entries(layout: Layout, carrier: Carrier | None) -> list[Element]:
    return [each for each in layout.children if carrier and each.name == carrier.list_element]


def _list_edits(layout: Layout, before: Component, wanted: Component) -> Iterator[_Edit]:
    carrier = wanted.carrier
    if carrier is None:
        return
    elements = _entries(layout, carrier)
    kept, gone = _sorted_out(before, elements, wanted)
    for anchor, entries in _missing(wanted, kept).items():
        follower = next(iter(elements[elements.index(anchor) + 1 if anchor else 0 :]), None)
        if follower in gone:
            gone.remove(follower)
            yield _replacement(layout, carrier, follower, entries)
        else:
            yield _insertion(layout, carrier, anchor, follower, entries)
    yield from (_Edit(*layout.lines_of(each)) for each in gone)


def _replacement(
    layout: Layout, carrier: Carrier, element: Element, entries: list[IpRange]
) -> _Edit:
    """An entry that goes makes room for those that come in its place."""
    style = layout.style_of(element)
    xml = [_entry_xml(entry, carrier, style) for entry in entries]
    return _Edit(element.start, element.end, f"{style.eol}{style.indent}".join(xml).encode())


def _insertion(
    layout: Layout,
    carrier: Carrier,
    anchor: Element | None,
    follower: Element | None,
    entries: list[IpRange],
) -> _Edit:
    """Entries behind another one; before the list where there is none, or where the schema has
    it."""
    place = anchor or follower or layout.before(carrier.list_element)
    style = layout.style_of(place)
    xml = [_entry_xml(entry, carrier, style) for entry in entries]
    if anchor is None and follower is not None:
        return _before(layout, follower, xml)
    return _after(layout, place, xml)


def _sorted_out(
    before: Component, elements: list[Element], wanted: Component
) -> tuple[dict[IpRange, list[Element]], list[Element]]:
    """The elements of entries that stay, by entry, and those that go."""
    kept: dict[IpRange, list[Element]] = {}
    gone = []
    left = Counter(wanted.allowlist)
    for entry, element in zip(before.allowlist, elements, strict=True):
        if left[entry]:
            left[entry] -= 1
            kept.setdefault(entry, []).append(element)
        else:
            gone.append(element)
    return kept, gone


def _missing(
    wanted: Component, kept: dict[IpRange, list[Element]]
) -> dict[Element | None, list[IpRange]]:
    """What is to be inserted, by the element that it follows; by None, what comes first."""
    places = {entry: iter(elements) for entry, elements in kept.items()}
    missing: dict[Element | None, list[IpRange]] = {}
    anchor = None
    for entry in wanted.allowlist:
        if place := next(places.get(entry, iter(())), None):
            anchor = place
        else:
            missing.setdefault(anchor, []).append(entry)
    return missing


def _after(layout: Layout, anchor: Element | None, xml: list[str]) -> _Edit:
    """Elements behind another one; first in the root where there is none."""
    style = layout.style_of(anchor)
    place = layout.root_content if anchor is None else layout.end_of_line(anchor)
    text = "".join(f"{style.eol}{style.indent}{each}" for each in xml)
    return _Edit(place, place, text.encode())


def _before(layout: Layout, first: Element, xml: list[str]) -> _Edit:
    style = layout.style_of(first)
    place = layout.start_of_line(first) if style.eol else first.start
    text = "".join(f"{style.indent}{each}{style.eol}" for each in xml)
    return _Edit(place, place, text.encode())


def _field_edits(layout: Layout, field: Field) -> Iterator[_Edit]:
    """A field with its value: in its place, or where the schema's order has it."""
    found = [each for each in layout.children if each.name == field.name]
    if not found:
        yield _after(layout, layout.before(field.name), [field.xml])
        return
    yield _Edit(found[0].start, found[0].end, field.xml.encode())
    yield from (_Edit(*layout.lines_of(each)) for each in found[1:])


def _entry_xml(entry: IpRange, carrier: Carrier, style: Style) -> str:
    """An entry in the schema's order, on lines as style has them."""
    attributes = dict(entry.attributes)

    def element(name: str, content: str) -> str:
        return f"<{name}{attributes.get(name, '')}>{content}</{name}>"

    parts = []
    if entry.description is not None:
        parts.append(element("description", _escaped(entry.description)))
    parts.append(element(carrier.end_element, str(entry.end)))
    parts.append(element(carrier.start_element, str(entry.start)))
    parts += [xml for _, xml in entry.extra]
    inner = "".join(f"{style.inner}{part}" for part in parts)
    return element(carrier.list_element, f"{inner}{style.closing}")


def _escaped(text: str) -> str:
    """A raw carriage return would be read as a line feed."""
    return escape(text, {"\r": "&#13;"})


def _apply(data: bytes, edits: list[_Edit]) -> bytes:
    """Apply all edits together; an insertion goes before a removal at the same place."""
    parts, place = [], 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        parts += [data[place : edit.start], edit.text]
        place = max(place, edit.end)
    return b"".join([*parts, data[place:]])
