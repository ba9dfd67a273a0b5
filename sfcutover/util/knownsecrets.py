"""The secrets that this process must know, so that no output of a child process shows them.

cutover.yaml names them; they are read before a child starts that may print them.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from sfcutover.errors import ConfigError
from sfcutover.util.childenvironment import ALWAYS_SECRET
from sfcutover.util.secrets import remember
from sfcutover.util.secretsources import secret_from_command, secret_from_file

_PROXY_VARIABLES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"})  # with a password


class SecretPlaces:
    """Where secrets are: variables, files and commands. Threads may share it."""

    def __init__(self) -> None:
        self._variables = {*ALWAYS_SECRET, *_PROXY_VARIABLES, *map(str.lower, _PROXY_VARIABLES)}
        self._files: set[Path] = set()
        self._commands: dict[tuple[str, ...], bool] = {}  # True once it was run
        self._lock = threading.Lock()

    def add(
        self,
        variables: Iterable[str],
        files: Iterable[Path],
        commands: Iterable[tuple[str, ...]],
    ) -> None:
        """Secrets in variables and files are known from here on, those of commands when learned."""
        self._variables.update(variables)
        self._files.update(files)
        self._commands = dict.fromkeys(commands, False) | self._commands
        self._read_at_hand()

    def learn(self) -> None:
        """Read all as they are now; what can't be read is left out. A command runs once."""
        self._read_at_hand()
        with self._lock:
            commands = [command for command, was_run in self._commands.items() if not was_run]
            if commands:
                with ThreadPoolExecutor(len(commands)) as pool:
                    list(pool.map(_read_command, commands))
                self._commands |= dict.fromkeys(commands, True)

    def _read_at_hand(self) -> None:
        remember(filter(None, (os.environ.get(name, "").strip() for name in self._variables)))
        for path in self._files:
            _read_file(path)


SECRET_PLACES = SecretPlaces()  # of this process


def _read_file(path: Path) -> None:
    """A pipe can be read only once, and is known once it was read for its purpose."""
    with suppress(OSError, ConfigError):
        if stat.S_ISREG(path.stat().st_mode):
            secret_from_file(path, str(path))


def _read_command(argv: tuple[str, ...]) -> None:
    with suppress(ConfigError):
        secret_from_command(list(argv), argv[0])
