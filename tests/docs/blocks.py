"""The fenced blocks of the README and of docs/."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.docs.generated import ROOT, pages

_FENCE = re.compile(r'^```(\w+)(?: title="([^"]*)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_STOPS = {"|", "||", "&&", "&", ";", "(", ")", ">", ">>", "<"}


@dataclass(frozen=True)
class Block:
    """A block with its page and line."""

    page: Path
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def texts() -> list[Path]:
    """The README and every page of docs/."""
    return [ROOT / "README.md", *pages()]


def blocks_of(page: Path) -> list[Block]:
    """The blocks of one page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2] or "", found[3])
        for found in _FENCE.finditer(text)
    ]


def blocks(language: str) -> list[Block]:
    """The blocks of all texts in this language."""
    return [each for page in texts() for each in blocks_of(page) if each.language == language]


def script(block: Block) -> str:
    """The typed lines: all of a block, or the lines with a prompt if it shows output, too."""
    typed = re.findall(r"^\$ (.*)$", block.text, re.MULTILINE)
    return "\n".join(typed) if typed else block.text


def sfcutover_lines(text: str) -> list[list[str]]:
    """The arguments of each sfcutover call in a shell text."""
    joined = text.replace("\\\n", " ")
    return [
        _arguments(rest)
        for line in joined.splitlines()
        for rest in re.findall(
            r"(?<![\w./=-])sfcutover (?=[\w-])(.*?)(?=(?<![\w./=-])sfcutover |$)", line
        )
    ]


def _arguments(rest: str) -> list[str]:
    lexer = shlex.shlex(rest, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if word in _STOPS:
            break
        words.append(word)
    return words
