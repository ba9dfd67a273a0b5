"""The pinned clients, each with an emulator and none of the user's settings."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sfcutover.emulator.emulator import Emulator
from tests.interop import install
from tests.interop.salesforce_cli import Cli, log_in


def _require(client: install.Client) -> None:
    """Skip without the client, or fail if SFCUTOVER_REQUIRE_INTEROP is 1."""
    if client.folder.exists():
        return
    reason = f"{client.name} is not installed: make interop"
    if os.environ.get("SFCUTOVER_REQUIRE_INTEROP") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def installed_cli() -> None:
    _require(install.CLI)


@pytest.fixture(scope="session")
def installed_jsforce(installed_cli: None) -> None:
    """jsforce runs on the Node.js that comes with the CLI."""
    _require(install.JSFORCE)


@pytest.fixture(scope="session")
def installed_cumulusci() -> None:
    _require(install.CUMULUSCI)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(tls=False) as started:
        yield started


@pytest.fixture(scope="module")
def sf(installed_cli: None, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The CLI, logged in to the emulator."""
    cli = Cli(tmp_path_factory.mktemp("home"))
    log_in(cli, emulator)
    return cli
