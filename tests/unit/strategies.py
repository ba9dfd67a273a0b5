"""Random ranges, texts and component files, with typical edge cases.

Addresses lie close together at the low end, in the middle and at the high end of both families, so
that lists overlap, touch, repeat and reach the last possible address.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from hypothesis import settings
from hypothesis import strategies as st

from sfcutover.allowlist.carriers import CARRIERS, METADATA_NAMESPACE, Carrier
from sfcutover.allowlist.component import Component, parse_component
from sfcutover.allowlist.phases import Change
from sfcutover.allowlist.ranges import Address, Allowlist, IpRange

# No deadline: a busy machine is no bug. HYPOTHESIS_PROFILE=deep runs more examples.
settings.register_profile("unit", deadline=None, max_examples=60)
settings.register_profile("deep", deadline=None, max_examples=2000)
settings.load_profile(os.getenv("HYPOTHESIS_PROFILE", "unit"))

TOKEN_RANGES = CARRIERS["token-ip-ranges"]
TRICKY = 'Müller & "Söhne" <eu>'
XSI = "http://www.w3.org/2001/XMLSchema-instance"

_ROOM = 12
_MIDDLE = int(ipaddress.ip_address("203.0.113.0"))
_BASES = [  # mostly one, so that ranges meet
    *[(4, _MIDDLE)] * 4,
    (4, 0),
    (4, 2**32 - 1 - _ROOM),
    (6, 0),
    (6, _MIDDLE),
    (6, 2**128 - 1 - _ROOM),
]
_NOT_IN_XML = [chr(code) for code in range(32) if chr(code) not in "\t\n\r"] + ["\ufffe", "\uffff"]


def address(version: int, number: int) -> Address:
    return ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number)


def ranges(*texts: str) -> tuple[IpRange, ...]:
    return tuple(IpRange.parse(text) for text in texts)


# These helpers compare integers, so that they cannot share a mistake with the code.

Point = tuple[int, int]


def points(*lists: Iterable[IpRange]) -> set[Point]:
    """Addresses at which a list may start or end: two lists that agree here agree everywhere."""
    found: set[Point] = set()
    for entry in (entry for each in lists for entry in each):
        version, first, last = entry.start.version, int(entry.start), int(entry.end)
        found |= {(version, number) for number in (first - 1, first, last, last + 1)}
    return found


def holds(entries: Iterable[IpRange], point: Point) -> bool:
    version, number = point
    return any(
        entry.start.version == version and int(entry.start) <= number <= int(entry.end)
        for entry in entries
    )


def same_addresses(one: Iterable[IpRange], other: Iterable[IpRange]) -> bool:
    one, other = list(one), list(other)
    return all(holds(one, point) == holds(other, point) for point in points(one, other))


def is_subsequence(part: Iterable[IpRange], whole: Iterable[IpRange]) -> bool:
    rest = iter(whole)
    return all(each in rest for each in part)


xml_text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=_NOT_IN_XML), max_size=12
) | st.sampled_from(
    [
        TRICKY,
        "",
        " ",
        "\r",
        " \r\n\t x ",
        "]]>",
        "&amp;",
        "<!-- no -->",
        "{{ x }}",
        "{% x %}",
        "\x85",
    ]
)
descriptions = st.none() | xml_text


@st.composite
def bare_ranges(draw: st.DrawFn, max_width: int = _ROOM) -> IpRange:
    version, base = draw(st.sampled_from(_BASES))
    low = draw(st.integers(0, _ROOM))
    high = min(_ROOM, low + draw(st.integers(0, 2) | st.integers(0, max_width)))
    return IpRange(address(version, base + low), address(version, base + high))


@st.composite
def described_ranges(draw: st.DrawFn) -> IpRange:
    bare = draw(bare_ranges())
    return IpRange(bare.start, bare.end, draw(descriptions))


wide_ranges = st.sampled_from(
    ranges("0.0.0.0/0", "::/0", "203.0.112.0/20", "2001:db8::/32", "0.0.0.0/31", "ffff::/16")
)
any_ranges = described_ranges() | wide_ranges
range_lists = st.lists(any_ranges, max_size=6)
# Small enough that no phase of a cutover with them reaches a limit.
small_ranges = st.lists(bare_ranges(max_width=10), min_size=1, max_size=4).map(tuple)
small_lists = st.lists(described_ranges(), min_size=1, max_size=6).filter(
    lambda entries: sum(entry.size for entry in entries) <= 120
)


@dataclass(frozen=True)
class Cutover:
    baseline: Allowlist
    change: Change


@st.composite
def cutovers(draw: st.DrawFn, *, split: bool = True, old_is_live: bool = False) -> Cutover:
    """old_is_live: old contains only addresses of the baseline, as a cutover should."""
    baseline = Allowlist(tuple(draw(small_lists)))
    old = draw(small_ranges)
    if old_is_live:
        whole = draw(st.lists(st.sampled_from(baseline.ranges), min_size=1, max_size=3))
        parts = [draw(_parts_of(entry)) for entry in whole]
        old = tuple(IpRange(entry.start, entry.end) for entry in parts)
    return Cutover(baseline, Change(old, draw(small_ranges), split_ranges=split))


@st.composite
def _parts_of(draw: st.DrawFn, entry: IpRange) -> IpRange:
    if draw(st.booleans()):
        return entry
    version = entry.start.version
    first = draw(st.integers(int(entry.start), int(entry.end)))
    last = draw(st.integers(first, int(entry.end)))
    return IpRange(address(version, first), address(version, last))


# Files

_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True) | st.sampled_from(
    ["fullName", "label", "externalClientApplication", "tokenIpRange", "tokenIpRangesX", "zzz"]
)
_TAKEN = {"description"} | {
    name
    for carrier in CARRIERS.values()
    for name in (carrier.list_element, carrier.start_element, carrier.end_element)
}
element_names = _NAMES.filter(
    lambda name: name not in _TAKEN and not name.lower().startswith("xml")
)
_ATTRIBUTES = st.just("") | st.one_of(
    st.just(' xsi:nil="true"'),
    st.just(' xmlns:q="urn:q" q:kind="a"'),
    xml_text.map(lambda text: f" kind={quoteattr(text, {chr(13): '&#13;'})}"),
)


def text_xml(text: str) -> str:
    return escape(text, {"\r": "&#13;"})


@st.composite
def elements(draw: st.DrawFn, depth: int = 2) -> tuple[str, str]:
    """(name, XML): text, nothing, or nested elements, some of them of another namespace."""
    name = draw(element_names)
    attributes = draw(_ATTRIBUTES)
    if depth and draw(st.integers(0, 3)) == 0:
        children = draw(st.lists(elements(depth=depth - 1), max_size=2))
        space = draw(st.sampled_from(["", "\n    "]))
        content = space + space.join(xml for _, xml in children)
        if draw(st.booleans()):
            content += '<other xmlns="urn:other"><a/></other>'
    else:
        content = text_xml(draw(xml_text))
    return name, f"<{name}{attributes}>{content}</{name}>"


@dataclass(frozen=True)
class Document:
    """A component file in parts; whole() joins them in any order."""

    carrier: Carrier
    fields: tuple[tuple[str, str], ...]
    entries: tuple[tuple[str, ...], ...]

    def whole(self) -> list[str]:
        return [xml for _, xml in self.fields] + [self.entry(each) for each in self.entries]

    def entry(self, parts: Iterable[str]) -> str:
        name = self.carrier.list_element
        return f"<{name}>{''.join(parts)}</{name}>"


def entry_parts(carrier: Carrier, entry: IpRange) -> tuple[str, ...]:
    described = entry.description is not None
    return (
        *([f"<description>{text_xml(entry.description or '')}</description>"] * described),
        f"<{carrier.end_element}>{entry.end}</{carrier.end_element}>",
        f"<{carrier.start_element}>{entry.start}</{carrier.start_element}>",
        *(xml for _, xml in entry.extra),
    )


@st.composite
def documents(draw: st.DrawFn) -> Document:
    carrier = CARRIERS[draw(st.sampled_from(sorted(CARRIERS)))]
    fields = draw(st.lists(elements(), max_size=6))
    entries = []
    for entry in draw(st.lists(any_ranges, max_size=4)):
        extra = draw(st.lists(elements(depth=1), max_size=2, unique_by=lambda element: element[0]))
        entries.append((*entry_parts(carrier, entry), *(xml for _, xml in extra)))
    return Document(carrier, tuple(fields), tuple(entries))


def file_of(carrier: Carrier, children: Iterable[str], separator: str = "\n    ") -> bytes:
    root = carrier.component_type.metadata_type
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<{root} xmlns="{METADATA_NAMESPACE}" xmlns:xsi="{XSI}">\n    '
        f"{separator.join(children)}\n</{root}>\n"
    ).encode()


def parsed(carrier: Carrier, children: Sequence[str]) -> Component:
    return parse_component(
        file_of(carrier, children),
        carrier.component_type,
        "Acme",
        carrier=carrier,
        where="acme.xml",
    )


components = documents().map(lambda document: parsed(document.carrier, document.whole()))
