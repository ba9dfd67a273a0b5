"""Where the demo runs: an org, an application, and a folder with the cutover's files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from sfcutover.cli.demo.application import Application
from sfcutover.cli.demo.commands import Commands, Display
from sfcutover.config.traffic import State
from sfcutover.config.values import Text
from sfcutover.emulator import Emulator, Scenario
from sfcutover.runs.database import Database
from sfcutover.runs.events import Event
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
_EGRESS = "egress"  # the file that says through which proxy traffic leaves: old or new
_SWITCHES = "switches"  # the switch command adds a line each time
_PROXIES = {"old": "SFCUTOVER_OLD_PROXY_URL", "new": "SFCUTOVER_NEW_PROXY_URL"}
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")  # the org is on this machine


@dataclass(frozen=True)
class Environment:
    """An org in which nothing has changed yet, and live traffic through the old proxy."""

    emulator: Emulator
    folder: Path
    application: Application
    commands: Commands

    @property
    def switches(self) -> int:
        """How often the switch command has run."""
        path = self.folder / _SWITCHES
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

    def move_traffic(self) -> None:
        """Do by hand what the switch command does."""
        write_durably(self.folder / _EGRESS, "new")


@contextmanager
def open_environment(scenario: Scenario, display: Display) -> Iterator[Environment]:
    """Start the org and an application that serves its customers until the block ends, and
    remove all files then. Raises OSError."""
    with (
        tempfile.TemporaryDirectory(prefix="sfcutover-demo-") as name,
        Emulator(scenario) as emulator,
    ):
        folder = Path(name).resolve()
        _write_files(folder, emulator)
        commands = Commands(folder, _variables(folder, emulator), display)
        application = _application(folder, emulator)
        with application.serving():
            yield Environment(emulator, folder, application, commands)


def _write_files(folder: Path, emulator: Emulator) -> None:
    config = yaml.safe_load(emulator.config_text()) | {
        "switch": {"apply": _switch_command("new"), "revert": _switch_command("old")},
        "watch": {"duration": f"{WATCH_SECONDS}s", "interval": "1s", "failures": 2},
        "state": {"url": f"sqlite:///{_state_file(folder)}"},
    }
    config["verify"]["settle"] = f"{SETTLE_SECONDS}s"
    (folder / "cutover.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    write_durably(folder / "canary.token", emulator.environment["SF_REFRESH_TOKEN"])
    write_durably(folder / _EGRESS, "old")


def _switch_command(side: str) -> list[str]:
    """Renames a file into place, so that the application never reads half of one."""
    script = (
        f"sleep {SWITCH_SECONDS}; echo {side} >> {_SWITCHES}; "
        f"printf {side} > {_EGRESS}.{side} && mv {_EGRESS}.{side} {_EGRESS}"
    )
    return ["sh", "-c", script]


def _application(folder: Path, emulator: Emulator) -> Application:
    variables = emulator.environment
    proxies = {side: variables[name] for side, name in _PROXIES.items()}
    egress = folder / _EGRESS
    return Application(
        emulator.customer_tokens,
        variables,
        lambda: proxies[egress.read_text(encoding="utf-8")],
    )


def _state_file(folder: Path) -> Path:
    return folder / "state" / "state.db"


def _variables(folder: Path, emulator: Emulator) -> dict[str, str]:
    """This process's variables without sfcutover's options and proxies, the emulator's, and a
    state folder that is removed with the environment."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SFCUTOVER_") and name.lower() not in _PROXY_VARIABLES
    }
    return {**kept, **emulator.environment, "XDG_STATE_HOME": str(folder / "xdg")}
