"""Fixtures for the commands: an org, a folder with its cutover.yaml, and calls."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.scenario import Scenario
from sfcutover.util import secrets as credentials
from tests.integration.cli.harness import Desk, HeldClock
from tests.integration.cli.sourcetree import FILE, ODD, make_project, put

StartOrg = Callable[..., Emulator]
OpenDesk = Callable[..., Desk]


@pytest.fixture(autouse=True)
def restored_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restores what a command changes in its process: logging, known secrets."""
    for name in [name for name in os.environ if name.startswith(("SFCUTOVER_", "SF_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(credentials, "_known", set())
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def start_org(clock: HeldClock) -> Iterator[StartOrg]:
    """Starts orgs whose clock is stopped; keywords are the scenario's settings."""
    with ExitStack() as stack:

        def start(*, tls: bool = False, **settings: object) -> Emulator:
            scenario = Scenario.model_validate(settings)
            return stack.enter_context(Emulator(scenario, tls=tls, clock=clock))

        yield start


@pytest.fixture
def open_desk(
    start_org: StartOrg,
    clock: HeldClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[OpenDesk]:
    """Opens the desk of an operator of an org; keywords are the scenario's settings."""
    desks: list[Desk] = []

    def open_(**settings: object) -> Desk:
        emulator = start_org(**settings)
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        desk = Desk(emulator, tmp_path, clock, monkeypatch, capsys)
        desk.config.write_text(emulator.config_text(), encoding="utf-8")
        desks.append(desk)
        return desk

    yield open_
    for desk in desks:
        for process in desk.processes:
            process.end()


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """The default org's desk."""
    return open_desk()


@pytest.fixture
def project(desk: Desk) -> Desk:
    """The default org's desk, in a project whose source tree holds the allowlist in an unusual
    file."""
    make_project(desk, {"path": "force-app", "default": True})
    put(desk, FILE, ODD)
    return desk
