"""The emulator in the foreground, with files that let every command be tried at once."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.grants import TOKEN_HEAD
from sfcutover.emulator.scenario import Scenario

_MARK = "# Written by sfcutover emulator, which replaces this file while it is unchanged: "


class ForeignFileError(Exception):
    """A file is there that the emulator did not write, or that was changed since."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


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
    refresh token, mode 0600), then announces the emulator, which is ready. Raises ScenarioError
    for a bad scenario, ForeignFileError for a file that it would have to overwrite, and OSError
    if the port is taken or a file can't be written.
    """
    scenario = Scenario.from_file(scenario_path) if scenario_path else Scenario()
    _check_files(env_file, config_file)
    with _stop_signal() as stop, Emulator(scenario, port, tls) as emulator:
        write_files(emulator, env_file, config_file)
        announce(emulator)
        stop.wait()


def write_files(emulator: Emulator, env_file: Path | None, config_file: Path | None) -> None:
    """Write the variables, and a cutover.yaml with canary.token beside it, which it refers to.

    ForeignFileError, before anything is written, if one of them is there and is not as it was
    written here.
    """
    _check_files(env_file, config_file)
    if env_file:
        lines = (f"{key}={value}\n" for key, value in emulator.environment.items())
        _write(env_file, _marked("".join(lines)))
    if config_file:
        token_file = _token_file(config_file)
        _write(token_file, emulator.environment["SF_REFRESH_TOKEN"] + "\n")
        _write(config_file, _marked(emulator.config_text(str(token_file))), mode=0o644)


def _token_file(config_file: Path) -> Path:
    return config_file.resolve().with_name("canary.token")


def _check_files(env_file: Path | None, config_file: Path | None) -> None:
    marked = [path for path in (env_file, config_file) if path]
    tokens = [_token_file(config_file)] if config_file else []
    for path in (*marked, *tokens):
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        is_own = text.startswith(TOKEN_HEAD) if path in tokens else _is_marked(text)
        if text and not is_own:  # an empty file has nothing to lose
            raise ForeignFileError(path)


def _marked(text: str) -> str:
    """The text behind a line that tells whether it has been changed since."""
    return f"{_MARK}{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def _is_marked(text: str) -> bool:
    return text == _marked(text.partition("\n")[2])


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write all of a file at once: others wait until it is there."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)  # an old file's mode would stay
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    part.replace(path)


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
