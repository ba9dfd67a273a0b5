"""One JSON document on stdout, and nothing else there."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Literal

from pydantic import Field

from sfcutover.errors import Command, OperationFailedError, SfcutoverError
from sfcutover.output.console import shown, to_stdout
from sfcutover.util.document import Document, DocumentText
from sfcutover.util.secrets import redact


class ErrorDocument(Document):
    """What every command prints with --json when it fails."""

    schema_: Literal["sfcutover/error/1"] = Field("sfcutover/error/1", alias="schema")
    """Name and version of this document's format."""
    error: str
    """What happened."""
    where: str | None
    """Place of the cause, such as file:line; null where there is none."""
    also: list[str]
    """What else is wrong, each with its place."""
    impact: str
    """Impact on the allowlists and on customers' refresh tokens; empty where none is stated."""
    next: DocumentText
    """What to do next."""
    exit_code: int
    """Exit code of the command."""

    @classmethod
    def of(cls, error: SfcutoverError) -> ErrorDocument:
        return cls(
            error=error.message,
            where=error.where,
            also=list(error.also),
            impact=error.impact,
            next=error.advice,
            exit_code=int(error.exit_code),
        )


def print_document(document: Document, *, one_line: bool = False) -> None:
    """Print the document; on one line where it is one of many."""
    to_stdout(document_text(document, indent=None if one_line else 2))


def document_text(document: Document, indent: int | None = 2) -> str:
    """The document as ASCII, which every terminal and locale can take.

    Secrets are masked before the quoting, which would hide those with a quote in them; and a
    command's file name is quoted with the rest. ``##`` is escaped, as CI systems look for commands
    behind it.
    """
    text = json.dumps(_presentable(document.model_dump(mode="json", by_alias=True)), indent=indent)
    return text.replace("##", "#\\u0023")


def print_error(error: SfcutoverError, *, one_line: bool) -> None:
    """The error as a document; its text is on stderr already."""
    with suppress(OperationFailedError):
        print_document(ErrorDocument.of(error), one_line=one_line)


def _presentable(value: object) -> object:
    match value:
        case str():
            return redact(value)
        case {"advice": [*parts]}:
            return "".join(str(_presentable(part)) for part in parts)
        case {"command": [*words]}:
            return redact(shown(Command(*map(str, words))))
        case list():
            return [_presentable(each) for each in value]
        case dict():
            return {key: _presentable(each) for key, each in value.items()}
        case _:
            return value
