"""An error on its way out: what happened, what it means for the tokens, what comes next."""

from __future__ import annotations

import traceback
from contextlib import suppress

import click

from sfcutover.errors import ConfigError, OperationFailedError, SfcutoverError
from sfcutover.output.settings import Settings, asked_for, asked_for_json
from sfcutover.output.streams import to_stderr

_LINES = {"run", "approve", "cancel", "--follow"}  # they print one document a line


def show_error(error: SfcutoverError, arguments: list[str]) -> None:
    """Print the error to stderr, and as a JSON document to stdout if --json was asked for."""
    color = Settings(no_color=asked_for("no-color", arguments)).color
    if asked_for("verbose", arguments):
        to_stderr("".join(traceback.format_exception(error)), color)
    to_stderr(_as_text(error), color)
    if asked_for_json(arguments):
        from sfcutover.documents.commands import ErrorDocument
        from sfcutover.output.json import print_document

        with suppress(OperationFailedError):  # the text above stands on stderr
            print_document(ErrorDocument.of(error), one_line=not _LINES.isdisjoint(arguments))


def usage_error(error: click.ClickException) -> SfcutoverError:
    """click's own complaint as one of ours."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "sfcutover"
    message = " ".join(error.format_message().split())
    return ConfigError(message, hint=f"{path} --help shows what it takes")


def _as_text(error: SfcutoverError) -> str:
    head = click.style("error:", fg="red", bold=True)
    return "\n".join(
        [
            f"{head} {error}",
            f"  tokens: {error.tokens}",
            f"  next:   {error.hint}",
            f"  exit:   {int(error.exit_code)}",
        ]
    )
