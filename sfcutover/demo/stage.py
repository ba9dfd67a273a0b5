"""What the demo plays on: an org, an application, and a folder with everything else in it."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from sfcutover.config.traffic import State
from sfcutover.config.values import Text
from sfcutover.demo.application import Application, TokenUrl
from sfcutover.demo.tool import Tool
from sfcutover.emulator import Emulator, Scenario
from sfcutover.runs.database import Database
from sfcutover.runs.journal import Event
from sfcutover.runs.store import RunStore
from sfcutover.util.files import write_durably

DEPLOY_SECONDS = 1.0
SWITCH_SECONDS = 0.5
SETTLE_SECONDS = 2.0
WATCH_SECONDS = 4.0
SHORTENED = (
    f"Timers are shortened: settle {SETTLE_SECONDS:.0f} s (else 60 s), "
    f"watch {WATCH_SECONDS:.0f} s (else 15 min), a deployment {DEPLOY_SECONDS:.0f} s."
)
_WAY, _MOVES = "way-out", "moves"
_PROXIES = {"old": "SFCUTOVER_OLD_PROXY_URL", "new": "SFCUTOVER_NEW_PROXY_URL"}
_FOREIGN = ("http_proxy", "https_proxy", "all_proxy")  # the org is on this machine


@dataclass(frozen=True)
class Stage:
    """An org in which nothing has changed yet, and live traffic that leaves by the old way."""

    emulator: Emulator
    folder: Path
    application: Application
    tool: Tool

    def move_traffic(self) -> None:
        """What the switch command does, done by hand."""
        write_durably(self.folder / _WAY, "new")

    @property
    def moves(self) -> int:
        """How often the switch command has run."""
        path = self.folder / _MOVES
        return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0

    @property
    def journal(self) -> list[Event]:
        """Every event of the run; empty if there was none."""
        path = _state_file(self.folder)
        if not path.exists():
            return []
        database = Database.open(State(url=Text(literal=f"sqlite:///{path}")), create=False)
        try:
            store = RunStore(database)
            return [event for run in store.all() for event in store.journal(run.id).read()]
        finally:
            database.close()


@contextmanager
def open_stage(scenario: Scenario, options: tuple[str, ...], *, on_stderr: bool) -> Iterator[Stage]:
    """A stage with an application that serves its customers until the block ends.

    Nothing of it is left then. options, on_stderr: as Tool has them. Raises OSError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="sfcutover-demo-") as name,
        Emulator(scenario) as emulator,
    ):
        folder = Path(name).resolve()
        _furnish(folder, emulator)
        tool = Tool(folder, _environment(folder, emulator), options, on_stderr)
        with _application(folder, emulator) as application:
            yield Stage(emulator, folder, application, tool)


def _furnish(folder: Path, emulator: Emulator) -> None:
    """cutover.yaml, the canary's token, and the file that says which way traffic leaves."""
    config = yaml.safe_load(emulator.config_text()) | {
        "switch": {"apply": _switch_command("new"), "revert": _switch_command("old")},
        "watch": {"duration": f"{WATCH_SECONDS}s", "interval": "1s", "failures": 2},
        "state": {"url": f"sqlite:///{_state_file(folder)}"},
    }
    config["verify"]["settle"] = f"{SETTLE_SECONDS}s"
    (folder / "cutover.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    write_durably(folder / "canary.token", emulator.environment["SF_REFRESH_TOKEN"])
    write_durably(folder / _WAY, "old")


def _switch_command(side: str) -> list[str]:
    """Replaces the file at once, so that the application never reads half of it."""
    script = (
        f"sleep {SWITCH_SECONDS}; echo {side} >> {_MOVES}; "
        f"printf {shlex.quote(side)} > {_WAY}.{side} && mv {_WAY}.{side} {_WAY}"
    )
    return ["sh", "-c", script]


def _application(folder: Path, emulator: Emulator) -> Application:
    values = emulator.environment
    way = folder / _WAY
    proxies = {side: values[name] for side, name in _PROXIES.items()}
    return Application(
        emulator.customer_tokens,
        TokenUrl.of(values),
        lambda: proxies[way.read_text(encoding="utf-8")],
    )


def _state_file(folder: Path) -> Path:
    return folder / "state" / "state.db"


def _environment(folder: Path, emulator: Emulator) -> dict[str, str]:
    """This process's variables without options of its own, the emulator's, and a state folder
    that is gone with the stage."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SFCUTOVER_") and name.lower() not in _FOREIGN
    }
    return {**kept, **emulator.environment, "XDG_STATE_HOME": str(folder / "xdg")}
