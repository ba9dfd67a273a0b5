"""Data to stdout, progress and notes to stderr, secrets to neither."""

from __future__ import annotations

import sys

import click

from sfcutover.output.settings import Settings
from sfcutover.output.streams import presentable, to_stderr, to_stdout


class Console:
    """Where a command writes its text.

    With --json all text for people goes to stderr, as stdout then holds one document.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def data(self, text: str) -> None:
        """What the command was asked for."""
        write = to_stderr if self._settings.json else to_stdout
        write(text, self._settings.color)

    def note(self, text: str) -> None:
        """Something worth knowing; not shown with --quiet."""
        if not self._settings.quiet:
            to_stderr(text, self._settings.color)

    def warn(self, text: str) -> None:
        """Something a person must see, also with --quiet."""
        head = click.style("warning:", fg="yellow", bold=True)
        to_stderr(f"{head} {text}", self._settings.color)

    def confirm(self, question: str) -> bool:
        """Ask on stderr; no answer is no."""
        return click.confirm(presentable(question), default=False, err=True)

    def ask(self, question: str) -> str:
        """A text that a person types, asked for on stderr."""
        answer: str = click.prompt(presentable(question), default="", show_default=False, err=True)
        return answer

    def countdown(self, text: str) -> None:
        """A line that the next text writes over, on a terminal; nothing elsewhere."""
        if not self._settings.quiet and sys.stderr is not None and sys.stderr.isatty():
            click.echo(f"\r{presentable(text)}\x1b[K\r", err=True, nl=False, color=True)
