"""One JSON document on stdout, and nothing else there."""

from __future__ import annotations

import json

from sfcutover.output.streams import to_stdout
from sfcutover.util.document import Document
from sfcutover.util.hints import pasteable
from sfcutover.util.secrets import redact


def print_document(document: Document, *, one_line: bool = False) -> None:
    """Print the document; on one line where it is one of many."""
    to_stdout(document_text(document, indent=None if one_line else 2))


def document_text(document: Document, indent: int | None = 2) -> str:
    """The document as ASCII, which every terminal and locale can take.

    Secrets are masked before the quoting, which would hide those with a quote in them; and a
    command's file name is quoted with the rest.
    """
    return json.dumps(_presentable(document.model_dump(mode="json", by_alias=True)), indent=indent)


def _presentable(value: object) -> object:
    match value:
        case str():
            return pasteable(redact(value))
        case list():
            return [_presentable(each) for each in value]
        case dict():
            return {key: _presentable(each) for key, each in value.items()}
        case _:
            return value
