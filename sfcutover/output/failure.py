"""An error on its way out: what happened, what it means for the tokens, what comes next."""

from __future__ import annotations

import sys
import traceback

import click

from sfcutover.credentials import redact
from sfcutover.errors import UNCHANGED, ConfigError, SfcutoverError
from sfcutover.output.settings import asked_for


def show_error(error: SfcutoverError, arguments: list[str]) -> None:
    """Print the error to stderr, and as a JSON document to stdout if --json was asked for."""
    if asked_for("verbose", arguments):
        sys.stderr.write(redact("".join(traceback.format_exception(error))))
    click.echo(redact(_as_text(error)), err=True, color=_color(arguments))
    if asked_for("json", arguments):
        from sfcutover.documents import ErrorDocument
        from sfcutover.output.json import print_document

        print_document(ErrorDocument.of(error))


def usage_error(error: object) -> SfcutoverError:
    """click's own complaint as one of ours."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "sfcutover"
    message = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return ConfigError(message, hint=f"{path} --help shows what it takes", tokens=UNCHANGED)


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


def _color(arguments: list[str]) -> bool | None:
    return False if asked_for("no-color", arguments) else None
