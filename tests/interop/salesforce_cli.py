"""The official Salesforce CLI with its own home folder."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sfcutover.emulator.emulator import Emulator
from tests.interop import install

_TIMEOUT = 120.0  # seconds; a command takes one or two; a busy machine ten
ALIAS = "emu"


@dataclass(frozen=True)
class Answer:
    """The output of a command with ``--json``; result is its ``result`` part."""

    code: int
    document: Mapping[str, object]

    @property
    def result(self) -> dict[str, object]:
        result = self.document["result"]
        assert isinstance(result, dict)
        return result


class Cli:
    """Runs ``sf`` in its home folder, without the user's home or environment."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *arguments: object, **variables: str) -> Answer:
        """Run a command with ``--json``."""
        done = subprocess.run(
            ["sf", *(str(one) for one in arguments), "--json"],
            cwd=self.home,
            env=self._environment() | variables,
            timeout=_TIMEOUT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        return Answer(done.returncode, json.loads(done.stdout))

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.pathsep.join((install.search_path(), os.environ["PATH"])),
            "SF_AUTOUPDATE_DISABLE": "true",
            "SF_DISABLE_AUTOUPDATE": "true",  # what oclif reads; without it a process stays behind
            "SF_DISABLE_LOG_FILE": "true",
            "SF_DISABLE_TELEMETRY": "true",
            "SF_SKIP_NEW_VERSION_CHECK": "true",
            "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
        }


def log_in(cli: Cli, emulator: Emulator) -> None:
    """Log in by access token under the alias ``emu``."""
    answer = cli.run(
        *("org", "login", "access-token", "--no-prompt"),
        *("--instance-url", emulator.url, "--alias", ALIAS),
        SF_ACCESS_TOKEN=emulator.environment["SF_ACCESS_TOKEN"],
    )
    assert answer.code == 0, answer.document
