"""The pinned CLI, logged in to an emulator, in a home folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sfcutover.emulator.emulator import Emulator
from tests.interop import install

_TIMEOUT = 120.0  # seconds; a command takes one or two
ALIAS = "emu"


@dataclass(frozen=True)
class Answer:
    """What a command with ``--json`` said; result is its ``result`` part."""

    code: int
    document: Mapping[str, object]

    @property
    def result(self) -> dict[str, object]:
        result = self.document["result"]
        assert isinstance(result, dict)
        return result


class Cli:
    """Runs ``sf`` with nothing from the user's own home or environment."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def run(self, *arguments: object, **variables: str) -> Answer:
        """Run a command with ``--json``."""
        done = subprocess.run(
            ["sf", *(str(one) for one in arguments), "--json"],
            cwd=self._home,
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
            "HOME": str(self._home),
            "PATH": os.pathsep.join((install.search_path(), os.environ["PATH"])),
            "SF_AUTOUPDATE_DISABLE": "true",
            "SF_DISABLE_AUTOUPDATE": "true",  # what oclif reads; without it a process stays behind
            "SF_DISABLE_LOG_FILE": "true",
            "SF_DISABLE_TELEMETRY": "true",
            "SF_SKIP_NEW_VERSION_CHECK": "true",
            "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
        }


@pytest.fixture(scope="session")
def installed_cli() -> None:
    """Skips without the CLI, or fails where SFCUTOVER_REQUIRE_INTEROP is 1."""
    if install.installation().exists():
        return
    reason = "the Salesforce CLI is not installed: make interop"
    if os.environ.get("SFCUTOVER_REQUIRE_INTEROP") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(tls=False) as started:
        yield started


@pytest.fixture(scope="module")
def sf(installed_cli: None, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The CLI, logged in."""
    cli = Cli(tmp_path_factory.mktemp("home"))
    log_in(cli, emulator)
    return cli


def log_in(cli: Cli, emulator: Emulator) -> None:
    """Log in by access token under the alias ``emu``."""
    answer = cli.run(
        *("org", "login", "access-token", "--no-prompt"),
        *("--instance-url", emulator.url, "--alias", ALIAS),
        SF_ACCESS_TOKEN=emulator.environment["SF_ACCESS_TOKEN"],
    )
    assert answer.code == 0, answer.document
