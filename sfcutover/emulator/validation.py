"""What the org refuses in a component's file.

The wording follows messages that users have reported for the Metadata API; where none
was found it is assumed. Clients should rely on the codes and the names in them only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lxml import etree

from sfcutover.allowlist.carriers import CARRIERS, METADATA_NAMESPACE
from sfcutover.allowlist.ranges import RangeError
from sfcutover.emulator.formats import XmlError, child_text, local_name, parse_xml, source_line
from sfcutover.emulator.lists import entries, range_of
from sfcutover.emulator.schema import ANYTHING, APP_ELEMENT, FieldType, TypeSchema

FULL_NAME = FieldType("fullName")
_BOOLEANS = ("true", "false", "1", "0")
_CARRIERS = {carrier.component_type.metadata_type: carrier for carrier in CARRIERS.values()}


@dataclass(frozen=True)
class Problem:
    """One refusal; line and column count from 1, None where it is not about a place in a file."""

    text: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Rules:
    """What the org goes by.

    version: the package's API version. has_app: tells whether an external client app of
    that name is in the org or in the same package. extra_fields: fields that only this org
    has, by metadata type. schema_order: refuse elements that are not in the WSDL's order.
    """

    version: float
    has_app: Callable[[str], bool]
    extra_fields: dict[str, dict[str, FieldType]]
    schema_order: bool = False

    def fields_of(self, schema: TypeSchema) -> dict[str, FieldType]:
        return {"fullName": FULL_NAME, **schema.fields, **self.extra_fields.get(schema.name, {})}


def validate(xml: bytes, schema: TypeSchema, rules: Rules) -> Problem | None:
    """The first reason to refuse the file, or None; like the org, it stops at one."""
    try:
        root = parse_xml(xml)
    except XmlError as error:
        return Problem(f"Error parsing file: {error}", error.line, error.column)
    return next(_problems(root, xml, schema, rules), None)


def _problems(
    root: etree._Element, xml: bytes, schema: TypeSchema, rules: Rules
) -> Iterator[Problem]:
    at = _Locator(xml)
    if etree.QName(root).namespace != METADATA_NAMESPACE or local_name(root) != schema.name:
        yield at.problem(root, f"Error parsing file: Entity of type '{schema.name}' expected")
    fields = rules.fields_of(schema)
    yield from _structure_problems(root, schema.name, fields, rules, at)
    yield from _range_problems(root, schema, at)
    yield from _app_problems(root, rules, at)


def _structure_problems(
    parent: etree._Element,
    type_name: str,
    fields: dict[str, FieldType],
    rules: Rules,
    at: _Locator,
) -> Iterator[Problem]:
    seen: list[str] = []
    for child in parent:
        name = local_name(child)
        known = fields.get(name)
        if known is None or etree.QName(child).namespace != METADATA_NAMESPACE:
            yield at.problem(child, f"Error parsing file: {_not_here(name, type_name)}")
            continue
        yield from _field_problems(child, known, seen, type_name, rules, at)
        seen.append(name)
    for one in fields.values():
        if one.is_required and not child_text(parent, one.name):
            yield at.problem(parent, f"Required field is missing: {one.name}")


def _field_problems(
    child: etree._Element,
    known: FieldType,
    seen: list[str],
    type_name: str,
    rules: Rules,
    at: _Locator,
) -> Iterator[Problem]:
    name = known.name
    if rules.version < known.since:
        text = f"Error parsing file: Property '{name}' not valid in version {rules.version:.1f}"
        yield at.problem(child, text)
    if name in seen and not known.is_repeated:
        text = f"Error parsing file: Element {name} is duplicated at this location in type"
        yield at.problem(child, f"{text} {type_name}")
    if rules.schema_order and seen and name < seen[-1]:
        yield at.problem(child, f"Error parsing file: {_not_here(name, type_name)}")
    if known.kind == ANYTHING:
        return
    if known.children:
        yield from _structure_problems(child, name, known.children, rules, at)
    else:
        yield from _value_problems(child, known, at)


def _value_problems(child: etree._Element, known: FieldType, at: _Locator) -> Iterator[Problem]:
    text = (child.text or "").strip()
    if len(child):
        yield at.problem(child, f"Error parsing file: {known.name} holds text, not elements")
    elif known.kind == "boolean" and text not in _BOOLEANS:
        yield at.problem(child, f"'{text}' is not a valid value for the type xsd:boolean")
    elif known.kind == "int" and not text.lstrip("-").isdecimal():
        yield at.problem(child, f"'{text}' is not a valid value for the type xsd:int")
    elif "|" in known.kind and text not in known.kind.split("|"):
        yield at.problem(child, f"'{text}' is not a valid value for the enum '{known.name}'")


def _range_problems(root: etree._Element, schema: TypeSchema, at: _Locator) -> Iterator[Problem]:
    found = entries(root, schema.name)
    addresses = 0
    for element in found:
        try:
            addresses += range_of(element, schema.name).size
        except RangeError as error:
            yield at.problem(element, f"FIELD_INTEGRITY_EXCEPTION: {error}")
    if (carrier := _CARRIERS.get(schema.name)) is None:
        return
    counts = (
        (len(found), "IP ranges", carrier.max_ranges),
        (addresses, "IP addresses", carrier.max_addresses),
    )
    for count, what, most in counts:
        if most is not None and count > most:
            yield at.problem(root, f"LIMIT_EXCEEDED: {count} {what}; the maximum is {most}")


def _app_problems(root: etree._Element, rules: Rules, at: _Locator) -> Iterator[Problem]:
    for child in root:
        name = (child.text or "").strip()
        if local_name(child) == APP_ELEMENT and not rules.has_app(name):
            text = f"INVALID_CROSS_REFERENCE_KEY: In field: {APP_ELEMENT} - no"
            yield at.problem(child, f"{text} ExternalClientApplication named {name} found")


def _not_here(name: str, type_name: str) -> str:
    return f"Element {{{METADATA_NAMESPACE}}}{name} invalid at this location in type {type_name}"


class _Locator:
    """Finds the line and column behind an element's start tag, where the org points to."""

    def __init__(self, xml: bytes) -> None:
        self._lines = xml.decode("utf-8", "replace").splitlines()

    def problem(self, element: etree._Element, text: str) -> Problem:
        line = source_line(element)
        source = self._lines[line - 1] if line <= len(self._lines) else ""
        place = source.find(f"<{local_name(element)}")
        close = source.find(">", place)
        return Problem(text, line, (close if place >= 0 and close >= 0 else 0) + 1)
