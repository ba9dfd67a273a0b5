"""Fixtures for all tests: an org on a loopback socket, and no network beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

from sfcutover.config.cutover import load_config
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.scenario import Scenario
from sfcutover.salesforce.connection import Connection, connect
from sfcutover.util import childenvironment
from sfcutover.util import secrets as credentials
from sfcutover.util.ciprovider import MARKS, PROVIDERS
from sfcutover.util.knownsecrets import SECRET_PLACES, SecretPlaces
from tests.support import (
    LOOPBACK,
    FakeTime,
    Handle,
    OpenConnection,
    StartEmulator,
    StartServer,
    client_credentials,
    serving,
)

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Block the network beyond this machine in every test; cassette tests block loopback, too."""
    for item in items:
        if item.get_closest_marker("block_network") is None:
            item.add_marker(pytest.mark.block_network(allowed_hosts=LOOPBACK))


@pytest.fixture(autouse=True, scope="session")
def _separate_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps locks and tokens of tests out of the user's state folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _outside_ci() -> Iterator[None]:
    """Keeps commands from writing to the log or the files of the CI job that runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (*MARKS, *(actor for each in PROVIDERS for actor in each.actors)):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def _separate_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgets the secrets of the previous test; those known at import stay."""
    monkeypatch.setattr(credentials, "_known", set(credentials._known))
    monkeypatch.setattr(childenvironment, "_withheld", set(childenvironment._withheld))
    for name, value in vars(SecretPlaces()).items():
        monkeypatch.setattr(SECRET_PLACES, name, value)


@pytest.fixture
def time_() -> FakeTime:
    """Time for clients and orgs of one test; it advances only by pauses."""
    return FakeTime()


@pytest.fixture
def start_emulator(time_: FakeTime) -> Iterator[StartEmulator]:
    """Starts orgs without TLS on the test's time; keywords are the scenario's settings."""
    with ExitStack() as stack:

        def start(*, tls: bool = False, **settings: object) -> Emulator:
            scenario = Scenario.model_validate(settings)
            return stack.enter_context(Emulator(scenario, tls=tls, clock=time_.of_the_org))

        yield start


@pytest.fixture
def emulator(start_emulator: StartEmulator) -> Emulator:
    """The default org."""
    return start_emulator()


@pytest.fixture
def open_connection(
    time_: FakeTime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenConnection]:
    """Connects to an emulator by a cutover.yaml; keywords are keys of that file.

    renewable: log in by client credentials, so that an expired session can be renewed.
    """
    with ExitStack() as stack:

        def open_(emulator: Emulator, *, renewable: bool = False, **keys: object) -> Connection:
            for name, value in emulator.environment.items():
                monkeypatch.setenv(name, value)
            config = yaml.safe_load(emulator.config_text()) | keys
            if renewable:
                config["targets"] = [{"name": "packaging", "org": client_credentials(emulator)}]
            file = tmp_path / "cutover.yaml"
            file.write_text(yaml.safe_dump(config), encoding="utf-8")
            cutover = load_config(file)
            connection = connect(cutover.targets[0], cutover, time_.clock)
            stack.callback(connection.org.close)
            return connection

        yield open_


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Starts small HTTP servers; each calls its handler for every request."""
    with ExitStack() as stack:

        def start(handle: Handle) -> str:
            return stack.enter_context(serving(handle))

        yield start
