"""Reading XML that others wrote: no document type, no entities, no network."""

from __future__ import annotations

from lxml import etree

from sfcutover.allowlist.carriers import METADATA_NAMESPACE


def metadata_root(name: str) -> etree._Element:
    """A new element in the Metadata API's namespace, which it makes the default."""
    space: dict[str | None, str] = {None: METADATA_NAMESPACE}
    return etree.Element(f"{{{METADATA_NAMESPACE}}}{name}", nsmap=space)  # type: ignore[arg-type]


def metadata_child(parent: etree._Element, name: str) -> etree._Element:
    """A new last child of parent in the Metadata API's namespace."""
    return etree.SubElement(parent, f"{{{METADATA_NAMESPACE}}}{name}")


def local_name(element: etree._Element) -> str:
    """An element's name without its namespace."""
    return etree.QName(element).localname


def child_text(element: etree._Element, name: str) -> str | None:
    """The text of the first child of that name; None without one."""
    for child in element:
        if local_name(child) == name:
            return child.text or ""
    return None


def source_line(element: etree._Element) -> int:
    """The line of an element's start tag, from 1."""
    line: object = element.sourceline  # lxml-stubs has no type for it
    return line if isinstance(line, int) else 1


def write_xml(root: etree._Element) -> bytes:
    """A file as the org writes it: UTF-8 with a declaration, four spaces a level."""
    etree.indent(root, space="    ")
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + etree.tostring(root, encoding="UTF-8", xml_declaration=False) + b"\n"


def metadata_fragment(name: str, inside: str) -> etree._Element:
    """An element in the Metadata API's namespace around XML text; XmlError if it is none."""
    return parse_xml(f'<{name} xmlns="{METADATA_NAMESPACE}">{inside}</{name}>'.encode())


class XmlError(ValueError):
    """The bytes are no XML that the org would take; line and column where known, from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def parse_xml(data: bytes, *, huge: bool = False) -> etree._Element:
    """The root element, without comments and processing instructions.

    huge allows text nodes above 10 MB: a zip in a request needs that. Raises XmlError.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=huge,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise XmlError(error.msg or "no XML", line, column) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlError("a document type is not allowed")
    return root
