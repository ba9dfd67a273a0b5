"""Byte positions of the elements of an XML file, and its author's layout.

Only for what parse_xml has accepted: there is no DTD then, so no entity and nothing to fetch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.parsers import expat

_BLANK = b" \t"
# Comments behind an element, on its line, belong to it.
_REST_OF_LINE = re.compile(rb"[ \t]*(?:<!--(?:(?!-->)[^\n])*-->[ \t]*)*(?=\r?\n)")
_LINE_BREAK = re.compile(rb"[ \t]*\r?\n")
_INNER_INDENT = re.compile(rb"(\r?\n[ \t]*)<[^/!]")
_UNIT = "    "


@dataclass(frozen=True)
class Element:
    """A child of the root, or the root's start tag: data[start:end]. name: without a prefix."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Style:
    """How an element stands among its siblings, as text to write before and inside another one.

    eol, indent: of its line; "" where elements share one. inner: before each element in it.
    closing: before its end tag.
    """

    eol: str = ""
    indent: str = ""
    inner: str = ""
    closing: str = ""


@dataclass(frozen=True)
class Layout:
    """A file and its elements.

    root_start, root_content: where the root's start tag starts and ends.
    """

    data: bytes
    root_start: int
    root_content: int
    children: tuple[Element, ...]

    def before(self, name: str) -> Element | None:
        """The last child that the schema's order has before one of this name: alphabetical, and
        fullName first."""
        earlier = [each for each in self.children if each.name == "fullName" or each.name < name]
        return earlier[-1] if earlier else None

    def start_of_line(self, element: Element) -> int:
        return self.data.rfind(b"\n", 0, element.start) + 1

    def end_of_line(self, element: Element) -> int:
        """Behind an element and the comments on its line; behind itself where more follows."""
        rest = _REST_OF_LINE.match(self.data, element.end)
        return rest.end() if rest else element.end

    def lines_of(self, element: Element) -> tuple[int, int]:
        """What to remove with an element: its lines, as far as nothing else stands on them."""
        start = self.start_of_line(element)
        if not self._is_first_on_line(element):
            return element.start, element.end
        rest = _LINE_BREAK.match(self.data, element.end)
        return (start, rest.end()) if rest else (element.start, element.end)

    def style_of(self, model: Element | None) -> Style:
        """How a sibling of model is written. None: of a root without children."""
        if model is None or not self._is_first_on_line(model):
            return Style()
        start = self.start_of_line(model)
        eol = "\r\n" if self.data[:start].endswith(b"\r\n") else "\n"
        indent = self.data[start : model.start].decode()
        return self._inner_style(model, eol, indent)

    def _inner_style(self, model: Element, eol: str, indent: str) -> Style:
        text = self.data[model.start : model.end]
        if found := _INNER_INDENT.search(text):
            return Style(eol, indent, found[1].decode(), f"{eol}{indent}")
        if b"<" in text[1:].rpartition(b"</")[0]:  # it has elements, all on its own line
            return Style(eol, indent)
        return Style(eol, indent, f"{eol}{indent}{indent or _UNIT}", f"{eol}{indent}")

    def _is_first_on_line(self, element: Element) -> bool:
        start = self.start_of_line(element)
        return not self.data[start : element.start].strip(_BLANK)


def lay_out(data: bytes) -> Layout:
    """The layout of well-formed XML in UTF-8. Raises UnicodeError where it declares another
    encoding."""
    scanner = _Scanner()
    scanner.scan(data)
    root, *children = scanner.spans
    return Layout(data, root.start, root.end, tuple(children))


class _Scanner:
    """Notes where the root's start tag and each of its children start and end.

    An element ends where the parser reports the next event.
    """

    def __init__(self) -> None:
        self.spans: list[Element] = []
        self._open: list[tuple[str, int]] = []
        self._ended: tuple[str, int] | None = None
        self._parser = expat.ParserCreate()

    def scan(self, data: bytes) -> None:
        parser = self._parser
        parser.XmlDeclHandler = self._declare
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = lambda _: self._report()
        parser.CommentHandler = lambda _: self._report()
        parser.ProcessingInstructionHandler = lambda _target, _data: self._report()
        parser.StartCdataSectionHandler = self._report
        parser.Parse(data, True)

    def _declare(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.upper() != "UTF-8":
            raise UnicodeError(encoding)

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._report()
        self._open.append((name, self._parser.CurrentByteIndex))
        if len(self._open) == 1:
            self._ended = self._open[0]  # its start tag is all of it that counts

    def _end(self, _name: str) -> None:
        self._report()
        ended = self._open.pop()
        if len(self._open) == 1:
            self._ended = ended

    def _report(self) -> None:
        if self._ended is not None:
            name, start = self._ended
            local = name.rpartition(":")[2]
            self.spans.append(Element(local, start, self._parser.CurrentByteIndex))
            self._ended = None
