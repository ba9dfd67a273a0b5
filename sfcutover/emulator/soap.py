"""SOAP envelopes as the Metadata API has them: requests read, answers and faults written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from sfcutover.allowlist.carriers import METADATA_NAMESPACE
from sfcutover.emulator.deployrequests import RefusedError
from sfcutover.emulator.formats import XmlError, metadata_child, parse_xml
from sfcutover.emulator.results import Nil, Tree

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
NIL = f"{{{XSI}}}nil"
_SPACES = {"e": ENVELOPE, "m": METADATA_NAMESPACE}


@dataclass(frozen=True)
class Call:
    """One request: the operation's name, its element, and the session id in the header."""

    operation: str
    element: etree._Element
    session_id: str

    def text(self, path: str, default: str = "") -> str:
        """The text at a path of element names below the operation, ``a/b``."""
        found = self.elements(path)
        return (found[0].text or default).strip() if found else default

    def flag(self, path: str, default: bool = False) -> bool:
        """A boolean; some clients write it as Python does, ``True``."""
        text = self.text(path).lower()
        return text in ("true", "1") if text else default

    def texts(self, path: str) -> list[str]:
        """The texts of a repeated element."""
        return [(one.text or "").strip() for one in self.elements(path)]

    def elements(self, path: str) -> list[etree._Element]:
        """All elements at a path; ``*`` is any name. One that is nil counts as left out.

        Namespaces don't count: simple-salesforce sends a manifest without one.
        """
        found = self.element.findall("/".join(f"{{*}}{name}" for name in path.split("/")))
        return [one for one in found if one.get(NIL) not in ("true", "1")]


def read_call(body: bytes) -> Call:
    """Read an envelope; RefusedError if it isn't one."""
    try:
        root = parse_xml(body, huge=True)
    except XmlError as error:
        raise RefusedError("XML_PARSER_ERROR", f"{error} at line {error.line}") from error
    operations = root.findall("e:Body/*", _SPACES)
    if root.tag != f"{{{ENVELOPE}}}Envelope" or len(operations) != 1:
        raise RefusedError("XML_PARSER_ERROR", "one operation in a SOAP envelope was expected")
    operation = operations[0]
    name = etree.QName(operation)
    if name.namespace != METADATA_NAMESPACE:
        raise RefusedError("UNKNOWN_EXCEPTION", f"No operation available for request {name.text}")
    session = root.findtext("e:Header/m:SessionHeader/m:sessionId", "", _SPACES) or ""
    return Call(name.localname, operation, session.strip())


def write_answer(operation: str, results: Sequence[Tree | str]) -> bytes:
    """The answer to an operation, with one ``result`` each."""
    root, body = _envelope({None: METADATA_NAMESPACE, "xsi": XSI})
    answer = metadata_child(body, f"{operation}Response")
    for result in results:
        _append(answer, "result", result)
    return _bytes(root)


def write_fault(code: str, message: str) -> bytes:
    """A ``soapenv:Fault`` with ``sf:<code>``; its text starts with the code, as Salesforce's do.

    The metadata WSDL declares no fault messages, so there is no ``detail``.
    """
    root, body = _envelope({"sf": METADATA_NAMESPACE, "xsi": XSI})
    fault = etree.SubElement(body, f"{{{ENVELOPE}}}Fault")
    etree.SubElement(fault, "faultcode").text = f"sf:{code}"
    etree.SubElement(fault, "faultstring").text = f"{code}: {message}"
    return _bytes(root)


def _envelope(spaces: dict[str | None, str]) -> tuple[etree._Element, etree._Element]:
    spaces["soapenv"] = ENVELOPE
    root = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap=spaces)  # type: ignore[arg-type]
    return root, etree.SubElement(root, f"{{{ENVELOPE}}}Body")


def _append(
    parent: etree._Element,
    name: str,
    value: str | bool | int | float | Nil | etree._Element | Tree | None,
) -> None:
    if value is None:
        return
    if isinstance(value, etree._Element):
        parent.append(value)
        return
    element = metadata_child(parent, name)
    if isinstance(value, Nil):
        element.set(NIL, "true")
    elif isinstance(value, bool):
        element.text = "true" if value else "false"
    elif isinstance(value, str | int | float):
        element.text = str(value)
    else:
        for child, inner in value:
            _append(element, child, inner)


def _bytes(root: etree._Element) -> bytes:
    head = b'<?xml version="1.0" encoding="UTF-8"?>'
    return head + etree.tostring(root, encoding="UTF-8", xml_declaration=False)
