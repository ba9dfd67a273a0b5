from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sfcutover.allowlist.carriers import (
    CARRIERS,
    CONNECTED_APP,
    METADATA_NAMESPACE,
    OAUTH_POLICIES,
    SECURITY_SETTINGS,
)
from sfcutover.allowlist.component import (
    MAX_COMPONENT_BYTES,
    Component,
    Field,
    app_of,
    parse_component,
)
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.errors import ConfigError, ExitCode, LimitError
from tests.unit.strategies import (
    TOKEN_RANGES,
    TRICKY,
    Document,
    components,
    documents,
    element_names,
    file_of,
    parsed,
    text_xml,
    xml_text,
)

ROOT = "ExtlClntAppOauthSecuritySettings"
OPEN = f'<{ROOT} xmlns="{METADATA_NAMESPACE}">'
XSD = "http://www.w3.org/2001/XMLSchema"


def parse(text: str | bytes) -> Component:
    data = text.encode() if isinstance(text, str) else text
    return parse_component(data, SECURITY_SETTINGS, "Acme", carrier=TOKEN_RANGES, where="acme.xml")


def error_of(text: str | bytes) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return caught.value


def entry(start: str, end: str, more: str = "") -> str:
    return (
        f"<tokenIpRanges>\n<endIpAddress>{end}</endIpAddress>\n"
        f"<startIpAddress>{start}</startIpAddress>{more}</tokenIpRanges>"
    )


# Nothing is lost, whatever the order


@given(documents(), st.randoms())
def test_any_order_of_elements_is_the_same_component(document: Document, random: Random) -> None:
    names = [name for name, _ in document.fields]
    unique = [xml for name, xml in document.fields if names.count(name) == 1]
    repeated = [xml for name, xml in document.fields if names.count(name) > 1]
    entries = []
    for each in document.entries:
        parts = list(each)
        random.shuffle(parts)
        entries.append(document.entry(parts))
    kinds = ["field"] * len(unique) + ["repeated"] * len(repeated) + ["entry"] * len(entries)
    random.shuffle(unique)
    random.shuffle(kinds)
    queues = {"field": unique, "repeated": repeated, "entry": entries}
    children = [queues[kind].pop(0) for kind in kinds]
    assert parsed(document.carrier, children) == parsed(document.carrier, document.whole())


@given(documents())
def test_every_element_is_kept_with_its_exact_content(document: Document) -> None:
    source = etree.fromstring(file_of(document.carrier, document.whole()))
    component = parsed(document.carrier, document.whole())
    kept = etree.fromstring(
        file_of(document.carrier, [field.xml for field in component.fields], "")
    )
    expected = [
        _canonical(child)
        for child in source
        if etree.QName(child).localname != document.carrier.list_element
    ]
    assert Counter(map(_canonical, kept)) == Counter(expected)


def _canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_tail=False)


@given(components)
def test_fields_are_in_schema_order_with_the_full_name_first(component: Component) -> None:
    names = [field.name for field in component.fields]
    rest = [name for name in names if name != "fullName"]
    assert names == ["fullName"] * names.count("fullName") + sorted(rest)


@given(st.lists(st.text("abc", min_size=1, max_size=2), min_size=2, max_size=5))
def test_a_repeated_field_keeps_the_order_of_its_values(values: list[str]) -> None:
    component = parse(OPEN + "".join(f"<scope>{value}</scope>" for value in values) + f"</{ROOT}>")
    assert [field.content for field in component.fields] == values


@pytest.mark.parametrize("name", sorted(CARRIERS))
@given(text=xml_text)
def test_a_description_is_kept_character_by_character(name: str, text: str) -> None:
    carrier = CARRIERS[name]
    start, end = carrier.start_element, carrier.end_element
    component = parsed(
        carrier,
        [
            f"<{carrier.list_element}><{start}>203.0.113.1</{start}><{end}>203.0.113.2</{end}>"
            f"<description>{text_xml(text)}</description></{carrier.list_element}>"
        ],
    )
    assert component.allowlist == Allowlist((IpRange.parse("203.0.113.1-203.0.113.2", text),))


def test_an_empty_description_differs_from_an_absent_one_and_nil_is_absent() -> None:
    nil = '<description xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:nil="true"/>'
    found = [
        parse(OPEN + entry("203.0.113.1", "203.0.113.1", more) + f"</{ROOT}>").allowlist.ranges[0]
        for more in ("<description/>", "<description></description>", "", nil)
    ]
    assert [each.description for each in found] == ["", "", None, None]


def test_a_description_may_contain_cdata_and_comments() -> None:
    more = "<description><![CDATA[<a & b>]]><!-- c --> d<?pi e?></description>"
    component = parse(OPEN + entry("203.0.113.1", "203.0.113.1", more) + f"</{ROOT}>")
    assert component.allowlist.ranges[0].description == "<a & b> d"


def test_unknown_elements_of_a_range_are_kept_and_sorted() -> None:
    more = "<zone>z</zone><active>true</active>"
    component = parse(OPEN + entry("203.0.113.1", "203.0.113.1", more) + f"</{ROOT}>")
    assert component.allowlist.ranges[0].extra == (
        ("active", "<active>true</active>"),
        ("zone", "<zone>z</zone>"),
    )


def test_unknown_attributes_of_the_root_a_range_and_its_elements_are_kept() -> None:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    component = parse(
        f'<{ROOT} xmlns="{METADATA_NAMESPACE}" xmlns:xsd="{XSD}" {xsi} zone="eu">'
        '<tokenIpRanges active="true"><endIpAddress note="&lt;&quot;&#10;">203.0.113.1'
        '</endIpAddress><startIpAddress xsi:type="xsd:string">203.0.113.1</startIpAddress>'
        f'<description xml:lang="de">d</description></tokenIpRanges></{ROOT}>'
    )
    assert component.attributes == ' zone="eu"'
    assert component.allowlist.ranges[0].attributes == (
        ("description", ' xml:lang="de"'),
        ("endIpAddress", ' note="&lt;&quot;&#10;"'),
        ("startIpAddress", f' xmlns:xsd="{XSD}" {xsi} xsi:type="xsd:string"'),
        ("tokenIpRanges", ' active="true"'),
    )


@pytest.mark.parametrize("place", ["root", "tokenIpRanges", "startIpAddress", "description"])
def test_a_changed_attribute_changes_the_fingerprint(place: str) -> None:
    def parsed(attribute: str) -> Component:
        tags = {"root": ROOT, **{each: each for each in ("tokenIpRanges", "description")}}
        text = OPEN + entry("203.0.113.1", "203.0.113.1", "<description>d</description>")
        tag = tags.get(place, place)
        return parse((text + f"</{ROOT}>").replace(f"<{tag}", f"<{tag}{attribute}", 1))

    assert parsed(' a="1"').fingerprint != parsed(' a="2"').fingerprint != parsed("").fingerprint


def test_a_prefix_used_only_in_a_value_keeps_its_declaration() -> None:
    component = parse(
        f'<{ROOT} xmlns="{METADATA_NAMESPACE}" xmlns:xsd="{XSD}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f'<value xsi:type="xsd:string">a</value></{ROOT}>'
    )
    again = parse(f"{OPEN}{component.fields[0].xml}</{ROOT}>")
    assert f'xmlns:xsd="{XSD}"' in component.fields[0].xml
    assert again.fields == component.fields


def test_an_unused_prefix_is_not_repeated_on_every_field() -> None:
    component = parse(
        f'<{ROOT} xmlns="{METADATA_NAMESPACE}" xmlns:xsd="{XSD}"><label>a</label></{ROOT}>'
    )
    assert component.fields == (Field("label", "<label>a</label>"),)


def test_a_file_with_a_prefix_on_every_element_is_read() -> None:
    component = parse(
        f'<m:{ROOT} xmlns:m="{METADATA_NAMESPACE}"><m:label>a</m:label><m:tokenIpRanges>'
        "<m:startIpAddress>203.0.113.1</m:startIpAddress>"
        f"<m:endIpAddress>203.0.113.1</m:endIpAddress></m:tokenIpRanges></m:{ROOT}>"
    )
    assert component.allowlist == Allowlist((IpRange.parse("203.0.113.1"),))
    assert component.text("label") == "a"
    assert parse(f"{OPEN}{component.fields[0].xml}</{ROOT}>").fields == component.fields


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_the_encoding_of_the_file_is_respected(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{declared}"?>{OPEN}<label>Müller</label></{ROOT}>'
    assert parse(text.encode(encoding)).text("label") == "Müller"


def test_addresses_may_have_surrounding_whitespace() -> None:
    component = parse(OPEN + entry("\n 203.0.113.1 ", " 203.0.113.2\n") + f"</{ROOT}>")
    assert component.allowlist == Allowlist((IpRange.parse("203.0.113.1-203.0.113.2"),))


def test_without_a_carrier_ranges_are_ordinary_fields() -> None:
    data = f"{OPEN}{entry('203.0.113.1', '203.0.113.1')}<label>a</label></{ROOT}>".encode()
    component = parse_component(data, SECURITY_SETTINGS, "Acme", where="acme.xml")
    assert [field.name for field in component.fields] == ["label", "tokenIpRanges"]
    assert component.allowlist == Allowlist()


# Values


@given(element_names, xml_text)
def test_a_field_made_from_text_equals_a_parsed_one(name: str, text: str) -> None:
    made = Field.of_text(name, text)
    assert parse(f"{OPEN}{made.xml}</{ROOT}>").fields == (made,)
    assert etree.fromstring(made.xml).text == (text or None)


@given(components, xml_text)
def test_with_values_sets_what_it_names_and_keeps_the_rest(component: Component, text: str) -> None:
    changed = component.with_values({"label": text, "mmm": "1"})
    others = [field for field in component.fields if field.name not in ("label", "mmm")]
    assert [field for field in changed.fields if field in others] == others
    assert len(changed.fields) == len(others) + 2
    assert Field.of_text("label", text) in changed.fields
    assert changed.allowlist == component.allowlist
    names = [field.name for field in changed.fields]
    assert names == sorted(names, key=lambda name: (name != "fullName", name))


@pytest.mark.parametrize(
    ("xml", "content"),
    [
        ("<a/>", ""),
        ("<a>b</a>", "b"),
        ("<a>\n  <b>c</b>\n</a>", "\n  <b>c</b>\n"),
        ('<a x="1 &gt; 0">b</a>', "b"),
        ('<a x="1"/>', ""),
        ("<a><b/></a>", "<b/>"),
    ],
)
def test_the_content_of_a_field_is_its_text(xml: str, content: str) -> None:
    assert Field("a", xml).content == content


def test_the_app_is_read_from_the_file() -> None:
    data = f"{OPEN}<externalClientApplication>Acme</externalClientApplication></{ROOT}>".encode()
    assert app_of(data, SECURITY_SETTINGS, "Acme_oauthSecurity", "acme.xml") == "Acme"
    assert app_of(f"{OPEN}</{ROOT}>".encode(), SECURITY_SETTINGS, "Acme", "acme.xml") is None
    assert app_of(b"", CONNECTED_APP, "Acme_Legacy", "acme.xml") == "Acme_Legacy"


# Fingerprint


@given(components, st.randoms())
def test_the_order_of_ranges_does_not_change_the_fingerprint(
    component: Component, random: Random
) -> None:
    entries = list(component.allowlist)
    random.shuffle(entries)
    assert component.with_allowlist(Allowlist(tuple(entries))).fingerprint == component.fingerprint


BASE = parse(
    f"{OPEN}<label>a</label><scope>x</scope><scope>y</scope>"
    + entry("203.0.113.1", "203.0.113.2", "<description>d</description><note>n</note>")
    + entry("203.0.113.5", "203.0.113.5")
    + f"</{ROOT}>"
)
FIRST, SECOND = BASE.allowlist.ranges


def _with_first(**changes: object) -> Component:
    changed = dataclasses.replace(FIRST, **changes)  # type: ignore[arg-type]
    return BASE.with_allowlist(Allowlist((changed, SECOND)))


VARIANTS = [
    BASE,
    _with_first(description="D"),
    _with_first(description=""),
    _with_first(description=None),
    _with_first(description="None"),
    _with_first(extra=()),
    _with_first(extra=(("note", "<note>m</note>"),)),
    _with_first(end=SECOND.end),
    _with_first(start=FIRST.end),
    BASE.with_allowlist(Allowlist((FIRST,))),
    BASE.with_allowlist(Allowlist((FIRST, SECOND, SECOND))),
    BASE.with_values({"label": "b"}),
    BASE.with_values({"label": ""}),
    BASE.with_values({"added": ""}),
    dataclasses.replace(BASE, fields=BASE.fields[1:]),
    dataclasses.replace(BASE, fields=(BASE.fields[0], BASE.fields[2], BASE.fields[1])),
    dataclasses.replace(BASE, full_name="Acme2"),
    dataclasses.replace(BASE, component_type=OAUTH_POLICIES),
]


def test_every_other_difference_changes_the_fingerprint() -> None:
    assert len({variant.fingerprint for variant in VARIANTS}) == len(VARIANTS)


@given(components, components)
def test_equal_fingerprints_mean_equal_content(one: Component, other: Component) -> None:
    def content(component: Component) -> object:
        return (
            component.component_type,
            component.full_name,
            component.fields,
            Counter(component.allowlist),
        )

    assert (one.fingerprint == other.fingerprint) == (content(one) == content(other))


# Invalid files

BOMB = (
    '<!DOCTYPE x [<!ENTITY a0 "lol">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + "]>"
)


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE x>",
        '<!DOCTYPE x SYSTEM "http://192.0.2.1/x.dtd">',
        '<!DOCTYPE x [<!ENTITY a "b">]>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
    ],
)
def test_a_dtd_is_refused_with_its_line(doctype: str) -> None:
    error = error_of(f'<?xml version="1.0"?>\n<!-- a -->\n{doctype}{OPEN}</{ROOT}>')
    assert error.where == "acme.xml:3"
    assert error.message.startswith("the file has a DTD")


@pytest.mark.parametrize("exists", [True, False])
def test_an_external_entity_is_not_read(tmp_path: Path, exists: bool) -> None:
    secret = tmp_path / "secret"
    if exists:
        secret.write_text("<hunter2")  # reading it would raise an error
    error = error_of(
        f'<!DOCTYPE x [<!ENTITY a SYSTEM "file://{secret}">]>{OPEN}<label>&a;</label></{ROOT}>'
    )
    assert "hunter2" not in str(error)
    assert error.message.startswith("the file has a DTD")


@pytest.mark.parametrize("use", ["<label>&a11;</label>", '<label a="&a11;"/>', "<label/>"])
def test_a_billion_laughs_file_is_refused_immediately(use: str) -> None:
    assert error_of(f"{BOMB}{OPEN}{use}</{ROOT}>").where == "acme.xml:1"


def test_5_mib_are_read_and_one_byte_more_is_refused() -> None:
    frame = len(f"{OPEN}<label></label></{ROOT}>")
    fits = f"{OPEN}<label>{'x' * (MAX_COMPONENT_BYTES - frame)}</label></{ROOT}>"
    assert len(parse(fits).fields[0].content) == MAX_COMPONENT_BYTES - frame
    with pytest.raises(LimitError) as caught:
        parse(fits + "\n")
    assert str(caught.value) == (
        "acme.xml: the file has 5,242,881 bytes; a component has at most 5,242,880"
    )
    assert caught.value.exit_code is ExitCode.LIMIT
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "acme.xml:1"),
        ("not xml", "acme.xml:1"),
        (f"{OPEN}\n<label>\n</{ROOT}>", "acme.xml:3"),
        (f"{OPEN}\n\n<label>a & b</label></{ROOT}>", "acme.xml:3"),
        (f"{OPEN}\n<label>&nbsp;</label></{ROOT}>", "acme.xml:2"),
        (f"{OPEN}\n<label>\x00</label></{ROOT}>", "acme.xml:2"),
        (f"{OPEN}\n<label>&#1;</label></{ROOT}>", "acme.xml:2"),
        (f'<?xml version="1.0" encoding="no-such"?>{OPEN}</{ROOT}>', "acme.xml:1"),
        ("<a>" * 300 + "</a>" * 300, "acme.xml:1"),
    ],
)
def test_text_that_is_not_xml_is_refused_with_its_line(text: str, where: str) -> None:
    error = error_of(text)
    assert error.where == where
    assert error.message.startswith("not well-formed XML: ")
    assert "retrieve" in error.hint


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    assert error_of(OPEN.encode() + b"\n<label>\xff</label></" + ROOT.encode() + b">").where


@pytest.mark.parametrize(
    "root",
    [
        f'<ConnectedApp xmlns="{METADATA_NAMESPACE}"/>',
        f'\n<{ROOT} xmlns="urn:other"/>',
        f"\n\n<{ROOT}/>",
    ],
)
def test_another_root_or_namespace_is_refused(root: str) -> None:
    error = error_of(root)
    name = "ConnectedApp" if "Connected" in root else ROOT
    assert error.message == (
        f"the root element is <{name}>, expected <{ROOT}> in {METADATA_NAMESPACE}"
    )
    assert error.where == f"acme.xml:{root.count(chr(10)) + 1}"
    assert "allowlist" in error.hint


@pytest.mark.parametrize(
    "child",
    [
        '<x xmlns="urn:other"/>',
        '<x xmlns=""/>',
        "<tokenIpRanges>"
        '<startIpAddress xmlns="urn:other">203.0.113.1</startIpAddress></tokenIpRanges>',
    ],
)
def test_an_element_of_another_namespace_is_refused_with_its_line(child: str) -> None:
    error = error_of(f"{OPEN}\n<label/>\n{child}</{ROOT}>")
    assert error.where == "acme.xml:3"
    assert "is not in the namespace" in error.message


@pytest.mark.parametrize(
    ("xml", "line", "message"),
    [
        (entry("203.0.113.9", "203.0.113.8"), 3, "203.0.113.9-203.0.113.8 is reversed"),
        (entry("203.0.113.9", "2001:db8::1"), 3, "mixes IPv4 and IPv6"),
        (entry("300.1.1.1", "300.1.1.1"), 3, "'300.1.1.1'"),
        (entry("", "203.0.113.1"), 3, "'' in '-203.0.113.1' is not an IP address"),
        (entry("fe80::1%eth0", "fe80::1"), 3, "'fe80::1%eth0' has a zone (eth0)"),
        (entry("203.0.113.0/24", "203.0.113.0/24"), 3, "is not a CIDR block"),
        (
            "<tokenIpRanges>\n<startIpAddress>203.0.113.1</startIpAddress></tokenIpRanges>",
            3,
            "<tokenIpRanges> has no <endIpAddress>",
        ),
        (
            "<tokenIpRanges>\n<endIpAddress>203.0.113.1</endIpAddress></tokenIpRanges>",
            3,
            "<tokenIpRanges> has no <startIpAddress>",
        ),
        ("<tokenIpRanges/>", 3, "<tokenIpRanges> has no <startIpAddress>"),
        (
            entry("203.0.113.1", "203.0.113.1", "\n<endIpAddress>203.0.113.1</endIpAddress>"),
            6,
            "<endIpAddress> is twice in a range",
        ),
        (
            entry("203.0.113.1", "203.0.113.1", "\n<description/>\n<description/>"),
            7,
            "<description> is twice in a range",
        ),
        (
            entry("203.0.113.1", "203.0.113.1", "<description>a<b/>c</description>"),
            5,
            "<description> has child elements; only text is allowed",
        ),
        (
            entry("203.0.113.1<x/>", "203.0.113.1"),
            5,
            "<startIpAddress> has child elements; only text is allowed",
        ),
    ],
)
def test_an_invalid_range_is_refused_with_its_line(xml: str, line: int, message: str) -> None:
    error = error_of(f"{OPEN}\n<label>a</label>\n{xml}</{ROOT}>")
    assert error.where == f"acme.xml:{line}"
    assert message in error.message
    assert "correct the entry" in error.hint


def test_a_line_number_beyond_65535_is_correct() -> None:
    error = error_of(f"{OPEN}{chr(10) * 70_000}<tokenIpRanges/></{ROOT}>")
    assert error.where == "acme.xml:70001"


def test_markup_in_a_description_is_plain_text() -> None:
    more = f"<description>{text_xml(TRICKY)}</description>"
    component = parse(OPEN + entry("203.0.113.1", "203.0.113.1", more) + f"</{ROOT}>")
    assert component.allowlist.ranges[0].description == TRICKY
