"""How Salesforce writes ids, times, versions, secrets and XML files.

XML that others wrote is read without document type, entities and network.
"""

from __future__ import annotations

import hmac
import itertools
import secrets
import string
import threading
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml import etree

from sfcutover.allowlist.carriers import METADATA_NAMESPACE

SHORT_LENGTH = 15
LONG_LENGTH = 18
_ALPHABET = string.ascii_letters + string.digits + "._"  # 64: every byte is as good
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECKSUM = string.ascii_uppercase + "012345"
_CHUNK = 5
_FIRST_NUMBER = 916_132  # above 62**3, so that ids mix digits with letters of both cases
_FIRST_POD = 2976  # m0 in base 62
MAX_POD = 62**2 - 1 - _FIRST_POD  # zz
Clock = Callable[[], datetime]


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


def lengthen(short: str) -> str:
    """The 18-character form of a 15-character id; ValueError for any other length."""
    if len(short) != SHORT_LENGTH:
        raise ValueError(f"an id has {SHORT_LENGTH} characters, not {len(short)}")
    chunks = (short[start : start + _CHUNK] for start in range(0, SHORT_LENGTH, _CHUNK))
    return short + "".join(_CHECKSUM[_upper_case_bits(chunk)] for chunk in chunks)


def is_same(one: str, other: str) -> bool:
    """True if both name one record; either may be short or long."""
    return len(one) in (SHORT_LENGTH, LONG_LENGTH) and one[:SHORT_LENGTH] == other[:SHORT_LENGTH]


@dataclass(frozen=True)
class User:
    """A user who changes components; name is shown with them."""

    id: str
    name: str
    username: str


class IdSequence:
    """Gives every record of one org an id of its own. Thread-safe.

    pod: what the ids of one org share, from 0 to MAX_POD, so that no two orgs have one in common.
    """

    def __init__(self, pod: int = 0) -> None:
        self._pod = f"E{_in_base_62(_FIRST_POD + pod)}"
        self._numbers = itertools.count(_FIRST_NUMBER)
        self._lock = threading.Lock()

    def make(self, key_prefix: str) -> str:
        """A new 18-character id; key_prefix is the record type's three characters."""
        with self._lock:
            number = next(self._numbers)
        head = key_prefix + self._pod
        return lengthen(head + _in_base_62(number).rjust(SHORT_LENGTH - len(head), "0"))


def _upper_case_bits(chunk: str) -> int:
    return sum(1 << place for place, letter in enumerate(chunk) if letter in string.ascii_uppercase)


def _in_base_62(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text


def utc_now() -> datetime:
    """The present, with its time zone."""
    return datetime.now(UTC)


class OrgClock:
    """True time, and the time that the org writes, which may be ahead of it or behind.

    The org computes with true time, so that an offset that changes neither ends nor delays
    anything. What happened under an offset keeps the date that it got. The caller holds the
    org's lock.
    """

    def __init__(self, now: Clock, offset_seconds: float) -> None:
        self._now = now
        self._since = [now()]
        self._offsets = [timedelta(seconds=offset_seconds)]

    def __call__(self) -> datetime:
        """The true time."""
        return self._now()

    @property
    def offset_seconds(self) -> float:
        """What the org's clock is ahead; negative if it is behind."""
        return self._offsets[-1].total_seconds()

    @offset_seconds.setter
    def offset_seconds(self, seconds: float) -> None:
        self._offsets.append(timedelta(seconds=seconds))  # first: others may be reading
        self._since.append(self._now())

    def shown(self, moment: datetime) -> datetime:
        """A moment of true time as the org dates it."""
        return moment + self._offsets[max(0, bisect_right(self._since, moment) - 1)]

    def soap(self, moment: datetime) -> str:
        """A moment in the org's time, as the Metadata API writes it."""
        return soap_time(self.shown(moment))

    def rest(self, moment: datetime) -> str:
        """A moment in the org's time, as REST and SOQL results write it."""
        return rest_time(self.shown(moment))


def soap_time(moment: datetime) -> str:
    """As the Metadata API writes times: ``2026-11-23T21:54:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rest_time(moment: datetime) -> str:
    """As REST and SOQL results write times: ``2026-11-23T21:54:00.000+0000``."""
    return soap_time(moment).replace("Z", "+0000")


def version_of(text: str | None) -> float | None:
    """An API version as a number, ``67.0``; None if the text is none."""
    try:
        return float(text) if text else None
    except ValueError:
        return None


def make_secret(length: int) -> str:
    """A random text of letters, digits, points and underscores, as Salesforce's are."""
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(length))


def is_same_secret(one: str, other: str) -> bool:
    """Compare without telling by the time taken where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
