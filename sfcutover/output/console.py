"""The terminal: output settings, and the last step before the streams.

Secrets are masked, and control characters are replaced. A closed pipe, or a full disk behind
stderr, must not stop a command halfway through a deployment.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import click

from sfcutover.errors import (
    DEFAULT_CONFIG,
    DONE_SO_FAR,
    Advice,
    Command,
    ConfigError,
    OperationFailedError,
    SfcutoverError,
    Text,
    written,
)
from sfcutover.output import cilog
from sfcutover.util.ciprovider import in_ci, inert
from sfcutover.util.secrets import redact

_SHORT = {"verbose": "v", "quiet": "q"}
# All control and direction characters but tab, line feed and the colours click adds.
_OBEYED = (
    r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f"
    r"\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass
class Settings:
    """The global options, filled in while the command line is read.

    verbose: 0, 1 (-v: debug lines, tracebacks) or 2 (-vv).
    """

    config: Path = Path(DEFAULT_CONFIG)
    targets: tuple[str, ...] = ()
    json: bool = False
    verbose: int = 0
    quiet: bool = False
    no_color: bool = False

    @property
    def color(self) -> bool | None:
        """False if colours are unwanted, None to let the terminal decide."""
        return False if self.no_color or os.environ.get("NO_COLOR") else None


class Console:
    """Where a command writes its text.

    With --json all text goes to stderr, because stdout then holds one document.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def data(self, text: Text) -> None:
        """The result of the command."""
        write = to_stderr if self._settings.json else to_stdout
        write(text, self._settings.color)

    def note(self, text: Text) -> None:
        """Progress and notes; not shown with --quiet."""
        if not self._settings.quiet:
            to_stderr(text, self._settings.color)

    def warn(self, text: Text) -> None:
        """What the operator must see, also with --quiet; in no group of a CI log."""
        cilog.end_group()
        head = click.style("warning:", fg="yellow", bold=True)
        to_stderr(Advice(f"{head} ", text), self._settings.color)

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Fold the notes within under a title, where the CI system's log supports it."""
        if self._settings.quiet:
            yield
            return
        cilog.begin_group(presentable(title))
        try:
            yield
        finally:
            cilog.end_group()

    def confirm(self, question: str) -> bool:
        """Ask on stderr; no answer is no."""
        return click.confirm(presentable(question), default=False, err=True)

    def ask(self, question: str) -> str:
        """A text that the operator types; the prompt is on stderr."""
        answer: str = click.prompt(presentable(question), default="", show_default=False, err=True)
        return answer

    def countdown(self, text: str) -> None:
        """A line that the next text writes over, on a terminal; nothing elsewhere."""
        if not self._settings.quiet and sys.stderr is not None and sys.stderr.isatty():
            click.echo(f"\r{presentable(text)}\x1b[K\r", err=True, nl=False, color=True)


@dataclass
class _Given:
    """What this process was called with."""

    config: str = DEFAULT_CONFIG


_given = _Given()


def use_config(config: Path | str) -> None:
    """From now on, show commands with this cutover file."""
    _given.config = str(config)


def shown(text: Text | Command) -> str:
    """The text with its commands as they can be pasted into a shell."""
    return written(text, _given.config)


def presentable(text: Text) -> str:
    """The text as it may be shown: commands in full, secrets masked, and dots for control
    sequences of terminals and CI systems."""
    return inert(re.sub(_OBEYED, "·", redact(shown(text))))


def to_stdout(text: Text, color: bool | None = None) -> None:
    """Print data. A closed pipe (``| head``) is no error: the rest is dropped.

    Raises OperationFailedError if it can't be written, as on a full disk.
    """
    try:
        click.echo(presentable(text), color=color)
    except BrokenPipeError:
        discard(sys.stdout)
    except OSError as error:
        discard(sys.stdout)
        raise OperationFailedError(
            f"the output can't be written: {error.strerror}",
            where="standard output",
            hint=Advice(
                "free disk space or redirect the output, then run the command again; ",
                Command("diff", "add-new"),
                " shows the live allowlist",
            ),
            impact=DONE_SO_FAR,
        ) from error


def to_stderr(text: Text, color: bool | None = None) -> None:
    """Print a note or an error; what can't be written is dropped."""
    try:
        click.echo(presentable(text), err=True, color=color)
    except OSError:
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Send everything the stream still holds, and all that follows, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def asked_for(option: str, arguments: list[str]) -> bool:
    """True if a flag is set, also where the command line could not be read to its end."""
    variable = os.environ.get(f"SFCUTOVER_{option.upper().replace('-', '_')}", "")
    if variable.lower() not in ("", "0", "false", "no", "off"):
        return True
    words = arguments[: arguments.index("--")] if "--" in arguments else arguments
    letter = _SHORT.get(option)
    return f"--{option}" in words or any(
        letter is not None and word[:1] == "-" and word[:2] != "--" and letter in word
        for word in words
    )


def asked_for_json(arguments: list[str]) -> bool:
    """True for --json and for diff's --format json."""
    return (
        asked_for("json", arguments)
        or "--format=json" in arguments
        or ("--format", "json") in pairwise(arguments)
    )


def is_redrawn(settings: Settings, environment: Mapping[str, str]) -> bool:
    """True for a terminal that can be redrawn. Not with -v, whose lines would stand in between;
    not in CI, where a terminal is only simulated and every redrawn line is kept."""
    if settings.quiet or settings.verbose or in_ci(environment):
        return False
    if environment.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return False
    return sys.stderr is not None and sys.stderr.isatty()


def show_error(error: SfcutoverError, arguments: list[str]) -> None:
    """Print what happened, its impact if it has one, what to do next, and the exit code."""
    color = Settings(no_color=asked_for("no-color", arguments)).color
    if asked_for("verbose", arguments):
        import traceback

        to_stderr("".join(traceback.format_exception(error)), color)
    cilog.end_group()
    tone = "red" if error.heading == "error" else "yellow"
    to_stderr(_error_text(error, click.style(f"{error.heading}:", fg=tone, bold=True)), color)
    cilog.annotate(error, presentable)


def error_text(error: SfcutoverError) -> str:
    """The same as plain text."""
    return presentable(_error_text(error, f"{error.heading}:"))


def _error_text(error: SfcutoverError, head: str) -> Advice:
    also = "".join(f"\n  also:   {each}" for each in error.also)
    impact = f"\n  impact: {error.impact}" if error.impact else ""
    before = f"{head} {error}{also}{impact}\n  next:   "
    return Advice(before, error.advice, f"\n  exit:   {int(error.exit_code)}")


def usage_error(error: click.ClickException) -> SfcutoverError:
    """A usage error of click as a ConfigError."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "sfcutover"
    message = " ".join(error.format_message().split())
    return ConfigError(message, hint=f"{path} --help lists its arguments and options")
