"""What the commands have in common: settings, the config, and connected targets."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

from sfcutover.cli.options import settings_of
from sfcutover.config.cutover import Cutover, Target, load_config
from sfcutover.output.console import Console
from sfcutover.output.settings import Settings
from sfcutover.salesforce.connection import Connection, connect
from sfcutover.util.secrets import log_to_stderr


@dataclass(frozen=True)
class Invocation:
    """One command's run. The config is read on construction."""

    settings: Settings
    console: Console
    cutover: Cutover

    @classmethod
    def of(cls, ctx: click.Context) -> Invocation:
        """Raises ConfigError or LimitError with file and line."""
        settings = settings_of(ctx)
        log_to_stderr(settings.verbose)
        return cls(settings, Console(settings), load_config(settings.config))

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.cutover.select_targets(self.settings.targets)

    @contextmanager
    def connection(self, target: Target) -> Iterator[Connection]:
        """The target's org, its sockets closed in the end."""
        connection = connect(target, self.cutover)
        try:
            yield connection
        finally:
            connection.org.close()

    def command_line(self, *words: str, target: str | None = None) -> str:
        """A command for this target, or this run's; its config goes in where it is shown."""
        parts = ["sfcutover", *words]
        chosen = self.settings.targets if target is None else (target,)
        if len(self.cutover.targets) > 1:
            parts += [word for name in chosen for word in ("--target", name)]
        return shlex.join(parts)
