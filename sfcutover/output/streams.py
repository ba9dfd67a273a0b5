"""The last step before stdout and stderr: secrets masked, and nothing a terminal would obey.

A reader who leaves, or a full disk behind stderr, must not stop a command halfway
through a deployment.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

import click

from sfcutover.errors import OperationFailedError
from sfcutover.util.hints import pasteable
from sfcutover.util.secrets import redact

# All control and direction characters but tab, line feed and the colours click adds.
_OBEYED = re.compile(
    r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
DONE_SO_FAR = (
    "what the command had done in the org by then stays done; "
    "sfcutover diff add-new shows the live list"
)


def presentable(text: str) -> str:
    """The text as it may be shown: secrets masked, control characters as a dot, commands whole."""
    return _OBEYED.sub("·", pasteable(redact(text)))


def to_stdout(text: str, color: bool | None = None) -> None:
    """Print data. A reader who left (``| head``) is no error: the rest is dropped.

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
            hint="make room, or send it elsewhere, then run the same command again",
            tokens=DONE_SO_FAR,
        ) from error


def to_stderr(text: str, color: bool | None = None) -> None:
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
