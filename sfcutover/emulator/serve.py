"""The emulator in the foreground, with files that let every command be tried at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.scenario import Scenario


def serve(
    port: int,
    tls: bool,
    scenario_path: Path | None,
    env_file: Path | None,
    config_file: Path | None,
    announce: Callable[[Emulator], None],
) -> None:
    """Serve until SIGTERM or SIGINT; only for the main thread.

    Writes env_file (KEY=VALUE lines without quotes; mode 0600, for there are secrets in
    it) and config_file (a cutover.yaml, and beside it canary.token with the canary's
    refresh token, mode 0600), then announces the emulator, which is ready. Raises ScenarioError for
    a bad scenario and OSError if the port is taken or a file can't be written.
    """
    scenario = Scenario.from_file(scenario_path) if scenario_path else Scenario()
    with _stop_signal() as stop, Emulator(scenario, port, tls) as emulator:
        if env_file:
            _write_env_file(env_file, emulator.environment)
        if config_file:
            write_config_file(config_file, emulator)
        announce(emulator)
        stop.wait()


def write_config_file(path: Path, emulator: Emulator) -> None:
    """Write a cutover.yaml, and canary.token in the same folder, which it refers to."""
    token_file = path.resolve().with_name("canary.token")
    path.write_text(emulator.config_text(str(token_file)), encoding="utf-8")
    _write_secret(token_file, emulator.environment["SF_REFRESH_TOKEN"] + "\n")


def _write_env_file(path: Path, environment: dict[str, str]) -> None:
    _write_secret(path, "".join(f"{key}={value}\n" for key, value in environment.items()))


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # an old file's mode would stay
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, while the block runs."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {one: signal.signal(one, on_signal) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
