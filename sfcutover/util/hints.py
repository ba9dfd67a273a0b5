"""Commands that a text names, as they can be pasted: with the cutover.yaml that is meant.

A hint says ``sfcutover rollback``. Where another file than cutover.yaml was given, that would be
refused, or would roll back another cutover: the file goes in on the way out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_DEFAULT = "cutover.yaml"
_NOTHING = re.compile(r"(?!)")


@dataclass
class _Given:
    """What this process was called with."""

    commands: re.Pattern[str] = _NOTHING
    config: str = _DEFAULT


_given = _Given()


def use_config(config: Path, commands: Iterable[str]) -> None:
    """From now on, have the commands of these names take this file."""
    names = "|".join(map(re.escape, commands))
    _given.commands = re.compile(rf"(?<![\w./-])sfcutover (?=(?:{names})\b)")
    _given.config = str(config)


def use_default_config() -> None:
    """From now on, leave commands as they are: they are about no file of this person's."""
    _given.config = _DEFAULT


def pasteable(text: str) -> str:
    """The text, each command in it with ``--config``; unchanged where the file is cutover.yaml."""
    if _given.config == _DEFAULT:
        return text
    start = f"sfcutover --config {shlex.quote(_given.config)} "
    return _given.commands.sub(lambda _: start, text)
