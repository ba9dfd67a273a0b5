"""A component's XML as its fields and its allowlist, with nothing lost.

Fields, known or not, are kept as the XML text of the file, because a full write
may reset a field that is left out (reported by users). They are held in schema
order: alphabetical for every type handled here (WSDL v63 and the packages
``@salesforce/types`` 1.7.3 to 1.9.0), with ``fullName`` first.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from xml.sax.saxutils import escape

from lxml import etree

from sfcutover.allowlist.carriers import METADATA_NAMESPACE, Carrier, ComponentType
from sfcutover.allowlist.ranges import Allowlist, IpRange, RangeError
from sfcutover.errors import ConfigError, LimitError

MAX_COMPONENT_BYTES = 5 * 1024 * 1024
_NAMESPACE_DECLARATION = f' xmlns="{METADATA_NAMESPACE}"'
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


@dataclass(frozen=True)
class Field:
    """One child of the root that is not an allowlist entry: its name, and its XML as it came."""

    name: str
    xml: str

    @classmethod
    def of_text(cls, name: str, text: str) -> Field:
        """The field as a parser would give it back, so an empty one has no end tag."""
        content = escape(text, {chr(13): "&#13;"})
        return cls(name, f"<{name}>{content}</{name}>" if content else f"<{name}/>")

    @property
    def content(self) -> str:
        """The XML text between the tags; "" for an empty element."""
        _, _, inner = self.xml.partition(">")
        return inner.rpartition("</")[0]


@dataclass(frozen=True)
class FileProperties:
    """Which component of the org a file is, and who saved it last (Metadata API, FileProperties).

    last_modified: by the org's clock. modified_by: the user's name.
    """

    id: str
    last_modified: datetime
    modified_by: str


@dataclass(frozen=True)
class Component:
    """One metadata component: everything its file says.

    full_name: its name in package.xml.
    fields: all children but the list's entries, in schema order.
    allowlist: the ranges, in the order of the file; empty where carrier is None.
    properties: as listed before the file was read, so that they are never newer than it; None for
    a file that comes from no org, and where the org does not list the component.
    attributes: of the root, as XML behind its name; "" for none but the namespace.
    """

    component_type: ComponentType
    full_name: str
    fields: tuple[Field, ...]
    carrier: Carrier | None = None
    allowlist: Allowlist = field(default_factory=Allowlist)
    properties: FileProperties | None = field(default=None, compare=False)
    attributes: str = ""

    @property
    def path(self) -> str:
        return self.component_type.path(self.full_name)

    def text(self, name: str) -> str | None:
        """The content of the first field of that name, or None."""
        return next((each.content for each in self.fields if each.name == name), None)

    def with_allowlist(self, allowlist: Allowlist) -> Component:
        return replace(self, allowlist=allowlist)

    def with_values(self, values: Mapping[str, str]) -> Component:
        """Set simple fields to a text; every other field stays."""
        kept = [each for each in self.fields if each.name not in values]
        changed = [Field.of_text(name, text) for name, text in values.items()]
        return replace(self, fields=_in_schema_order([*kept, *changed]))

    def with_field_of(self, other: Component, name: str) -> Component:
        """A field as another version of the component has it, or has it not; all others stay."""
        kept = [each for each in self.fields if each.name != name]
        taken = [each for each in other.fields if each.name == name]
        return replace(self, fields=_in_schema_order([*kept, *taken]))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the component means: the order of its ranges doesn't count."""
        ranges = sorted(
            f"{entry}\t{entry.description!r}\t{entry.extra!r}\t{entry.attributes!r}"
            for entry in self.allowlist
        )
        parts = [self.component_type.metadata_type, self.full_name, self.attributes]
        parts += [each.xml for each in self.fields]
        return hashlib.sha256("\n".join([*parts, *ranges]).encode()).hexdigest()


def app_of(data: bytes, component_type: ComponentType, full_name: str, where: str) -> str | None:
    """The app a component's file names; full_name where the component is the app itself."""
    if component_type.app_element is None:
        return full_name
    root = parse_xml(data, where)
    return root.findtext(f"{{{METADATA_NAMESPACE}}}{component_type.app_element}")


def parse_component(
    data: bytes,
    component_type: ComponentType,
    full_name: str,
    *,
    carrier: Carrier | None = None,
    where: str,
) -> Component:
    """Read a component file, elements in any order.

    where: the file's name, for errors. Raises ConfigError with file and line for
    anything that is not this type or not safe XML, LimitError over 5 MiB.
    """
    root = _parse_root(data, component_type, where)
    list_element = carrier.list_element if carrier else None
    fields, entries = [], []
    for child in root:
        name = _local_name(child, where)
        if carrier and name == list_element:
            entries.append(_parse_entry(child, carrier, where))
        else:
            fields.append(Field(name, _xml_of(child)))
    return Component(
        component_type,
        full_name,
        _in_schema_order(fields),
        carrier,
        Allowlist(tuple(entries)),
        attributes=_attributes_of(root),
    )


def _parse_root(data: bytes, component_type: ComponentType, where: str) -> etree._Element:
    if len(data) > MAX_COMPONENT_BYTES:
        raise LimitError(
            f"the file has {len(data):,} bytes; a component has at most {MAX_COMPONENT_BYTES:,}",
            where=where,
            hint="check that this is the component's own file",
        )
    root = parse_xml(data, where)
    expected = f"{{{METADATA_NAMESPACE}}}{component_type.metadata_type}"
    if root.tag != expected:
        raise ConfigError(
            f"the root element is <{etree.QName(root).localname}>, "
            f"expected <{component_type.metadata_type}> in {METADATA_NAMESPACE}",
            where=f"{where}:{root.sourceline}",
            hint="pass the file of the component that carries the allowlist",
        )
    return root


def parse_xml(data: bytes, where: str) -> etree._Element:
    """Parse XML without entities, DTD or network. Raises ConfigError with the line."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ConfigError(
            f"not well-formed XML: {' '.join(error.msg.split())}",
            where=f"{where}:{error.lineno or 1}",
            hint="retrieve the file again from the org",
        ) from error
    if root.getroottree().docinfo.internalDTD is not None:
        line = data.partition(b"<!DOCTYPE")[0].count(b"\n") + 1
        raise ConfigError(
            "the file has a DTD; metadata never has one, and a DTD could smuggle in entities",
            where=f"{where}:{line}",
            hint="retrieve the file again from the org",
        )
    return root


def _parse_entry(element: etree._Element, carrier: Carrier, where: str) -> IpRange:
    values: dict[str, str] = {}
    extra: list[tuple[str, str]] = []
    known = {carrier.start_element, carrier.end_element, "description"}
    kept: set[str] = {carrier.list_element}
    for child in element:
        name = _local_name(child, where)
        if name not in known:
            extra.append((name, _xml_of(child)))
        elif name in values:
            raise _bad_entry(f"<{name}> is twice in a range", child, where)
        elif len(child):
            raise _bad_entry(f"<{name}> has child elements; only text is allowed", child, where)
        elif child.get(_NIL) not in ("true", "1"):
            values[name] = child.text or ""
            kept.add(name)
    for name in (carrier.start_element, carrier.end_element):
        if name not in values:
            raise _bad_entry(f"<{carrier.list_element}> has no <{name}>", element, where)
    try:
        ends = IpRange.parse(f"{values[carrier.start_element]}-{values[carrier.end_element]}")
    except RangeError as error:
        raise _bad_entry(str(error), element, where) from error
    extra.sort(key=lambda each: each[0])
    attributes = {
        _local_name(each, where): _attributes_of(each)
        for each in (element, *element)
        if each.attrib
    }
    return IpRange(
        ends.start,
        ends.end,
        values.get("description"),
        tuple(extra),
        tuple((name, xml) for name, xml in sorted(attributes.items()) if name in kept),
    )


def _bad_entry(message: str, element: etree._Element, where: str) -> ConfigError:
    return ConfigError(
        message,
        where=f"{where}:{element.sourceline}",
        hint="correct the entry in Setup or in the file, then run this again",
    )


def _local_name(element: etree._Element, where: str) -> str:
    name = etree.QName(element)
    if name.namespace != METADATA_NAMESPACE:
        raise ConfigError(
            f"<{name.localname}> is not in the namespace {METADATA_NAMESPACE}",
            where=f"{where}:{element.sourceline}",
            hint="retrieve the file again from the org",
        )
    return name.localname


def _xml_of(element: etree._Element) -> str:
    """The element's XML without the namespace declaration that its new root repeats."""
    alone = copy.deepcopy(element)  # a copy carries only the namespaces its names use
    xml = etree.tostring(alone, encoding="unicode", with_tail=False)
    undeclared = element.nsmap.keys() - alone.nsmap.keys() - {None}
    if any(f"{prefix}:" in xml for prefix in undeclared):
        # A value may use one too (xsi:type="xsd:string"), so all that are in scope come along.
        xml = etree.tostring(element, encoding="unicode", with_tail=False)
    head, end, rest = xml.partition(">")
    return head.replace(_NAMESPACE_DECLARATION, "") + end + rest


def _attributes_of(element: etree._Element) -> str:
    """The attributes as XML, with the namespaces that they use; "" for none."""
    if not element.attrib:
        return ""
    known = {prefix: uri for prefix, uri in element.nsmap.items() if prefix}
    every = _attributes_with(known, element)
    # A value may be a name, too (xsi:type="xsd:string").
    return _attributes_with({each: known[each] for each in known if f"{each}:" in every}, element)


def _attributes_with(namespaces: dict[str, str], element: etree._Element) -> str:
    attributes = {str(name): str(value) for name, value in element.attrib.items()}
    tag = etree.Element("a", attributes, nsmap=namespaces)
    return etree.tostring(tag, encoding="unicode")[len("<a") : -len("/>")]


def _in_schema_order(fields: Iterable[Field]) -> tuple[Field, ...]:
    return tuple(sorted(fields, key=lambda each: (each.name != "fullName", each.name)))
