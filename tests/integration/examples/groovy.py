"""The blocks and statements of a declarative Jenkinsfile, read without Groovy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)|(?P<block>'''.*?''')|(?P<quoted>'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<brace>[{}])|(?P<line>\n)|(?P<text>[^{}'\n/]+|/)""",
    re.DOTALL,
)


@dataclass
class Block:
    """A statement or a block. head: its words; text: the string literals in it, as Groovy reads
    them; parts: the statements between its braces."""

    head: str = ""
    text: list[str] = field(default_factory=list)
    parts: list[Block] = field(default_factory=list)

    def find(self, head: str) -> Block:
        """The one part of this head."""
        (found,) = (part for part in self.parts if part.head == head)
        return found

    def has(self, head: str) -> bool:
        return any(part.head == head for part in self.parts)

    def each(self, head: str) -> Iterator[Block]:
        """All statements of this head, at any depth, in order."""
        for part in self.parts:
            if part.head == head:
                yield part
            yield from part.each(head)


def parse(source: str) -> Block:
    """The file as one block."""
    root = Block()
    open_, current = [root], Block()
    for match in _TOKEN.finditer(source):
        kind, token = match.lastgroup, match[0]
        if kind == "text":
            current.head = f"{current.head} {token}".strip()
        elif kind in ("quoted", "block"):
            current.text.append(_unquoted(token))
        elif kind in ("line", "brace"):
            current = _closed(open_, current, token)
    assert len(open_) == 1, "braces do not match"
    return root


def _closed(open_: list[Block], current: Block, token: str) -> Block:
    """End the statement, and enter or leave a block; the next statement."""
    if current.head or current.text:
        current.head = " ".join(current.head.split())
        open_[-1].parts.append(current)
    if token == "{":
        open_.append(current)
    elif token == "}":
        open_.pop()
    return Block()


def _unquoted(literal: str) -> str:
    text = literal[3:-3] if literal.startswith("'''") else literal[1:-1]
    return re.sub(r"\\(.)", r"\1", text)
