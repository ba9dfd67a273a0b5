"""One JSON document on stdout, and nothing else there."""

from __future__ import annotations

import click

from sfcutover.credentials import redact
from sfcutover.documents import Document


def print_document(document: Document) -> None:
    """Print the document, secrets masked."""
    click.echo(redact(document.model_dump_json(by_alias=True, indent=2)))
