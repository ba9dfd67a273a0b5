"""One JSON document on stdout, and nothing else there."""

from __future__ import annotations

import json

from sfcutover.credentials import redact
from sfcutover.documents.base import Document
from sfcutover.output.streams import to_stdout


def print_document(document: Document) -> None:
    """Print the document as ASCII, which every terminal and locale can take.

    Secrets are masked before the quoting, which would hide those with a quote in them.
    """
    to_stdout(json.dumps(_redacted(document.model_dump(mode="json", by_alias=True)), indent=2))


def _redacted(value: object) -> object:
    match value:
        case str():
            return redact(value)
        case list():
            return [_redacted(each) for each in value]
        case dict():
            return {key: _redacted(each) for key, each in value.items()}
        case _:
            return value
