"""How a person wants to be shown things. The same options stand before and after a command."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

_SHORT = {"verbose": "v", "quiet": "q"}


@dataclass
class Settings:
    """The global options, filled in while the command line is read.

    verbose: 0, 1 (-v: debug lines, tracebacks) or 2 (-vv).
    """

    config: Path = Path("cutover.yaml")
    targets: tuple[str, ...] = ()
    json: bool = False
    verbose: int = 0
    quiet: bool = False
    no_color: bool = False

    @property
    def color(self) -> bool | None:
        """False if colours are unwanted, None to let the terminal decide."""
        return False if self.no_color or os.environ.get("NO_COLOR") else None


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
