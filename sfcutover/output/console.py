"""Data to stdout, progress and notes to stderr, secrets to neither."""

from __future__ import annotations

import click

from sfcutover.credentials import redact
from sfcutover.output.settings import Settings


class Console:
    """Where a command writes its text.

    With --json all text for people goes to stderr, as stdout then holds one document.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def data(self, text: str) -> None:
        """What the command was asked for."""
        click.echo(redact(text), err=self._settings.json, color=self._settings.color)

    def note(self, text: str) -> None:
        """Something worth knowing; not shown with --quiet."""
        if not self._settings.quiet:
            click.echo(redact(text), err=True, color=self._settings.color)

    def warn(self, text: str) -> None:
        """Something a person must see, also with --quiet."""
        head = click.style("warning:", fg="yellow", bold=True)
        click.echo(f"{head} {redact(text)}", err=True, color=self._settings.color)

    def confirm(self, question: str) -> bool:
        """Ask on stderr; no answer is no."""
        return click.confirm(redact(question), default=False, err=True)
