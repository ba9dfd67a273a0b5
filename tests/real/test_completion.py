"""Completion in real shells: commands, options, phases, targets and run ids."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # programs that others wrote

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "--interactive"],
}
SETUP = {  # as docs/reference/cli.md has it; zsh -f has not loaded its completion
    "bash": 'eval "$(_SFCUTOVER_COMPLETE=bash_source sfcutover)"',
    "zsh": "autoload -Uz compinit; compinit -u -D; "
    'eval "$(_SFCUTOVER_COMPLETE=zsh_source sfcutover)"',
    "fish": "_SFCUTOVER_COMPLETE=fish_source sfcutover | source",
}
SECONDS = 20.0
CONFIG = "targets: [{name: packaging}, {name: partner}]\n"
ESCAPES = re.compile(rb"\x1b(\[[0-9;?>=]*[a-zA-Z~]|\][^\x07\x1b]*(\x07|\x1b\\)|[=>()][0-9AB]?)")


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self._read = b""
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            environment = {
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(folder),
                "TERM": "xterm",
                "PS1": "$ ",
            }
            os.execvpe(SHELLS[name][0], SHELLS[name], environment)

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def wait_for(self, *texts: str) -> None:
        """Read until all these texts are on the typed line, or below it."""
        end = time.monotonic() + SECONDS
        while not all(text.encode() in self._shown for text in texts):
            ready, _, _ = select.select([self._terminal], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{texts} never came:\n{self._read!r}"
            chunk = os.read(self._terminal, 65536)
            self._answer(chunk)
            self._read += chunk

    @property
    def _shown(self) -> bytes:
        return ESCAPES.sub(b"", self._read)

    def _answer(self, chunk: bytes) -> None:
        """Answer fish, which asks for the terminal's name and the cursor's position, and waits."""
        if b"\x1b[c" in chunk or b"\x1b[0c" in chunk:
            self.type("\x1b[?62;c")
        if b"\x1b[6n" in chunk:
            self.type("\x1b[1;1R")

    def end(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._terminal)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    """A shell in a folder with a cutover.yaml and two runs, completion set up."""
    name: str = request.param
    if shutil.which(name) is None:
        if os.environ.get("SFCUTOVER_REQUIRE_REAL") == "1":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    (tmp_path / "cutover.yaml").write_text(CONFIG)
    (tmp_path / ".sfcutover").mkdir()
    with sqlite3.connect(tmp_path / ".sfcutover" / "state.db") as database:
        database.execute("CREATE TABLE sfcutover_runs (id TEXT, started REAL)")
        database.execute("INSERT INTO sfcutover_runs VALUES ('move.1', 1), ('move.2', 2)")
    database.close()
    opened = Shell(name, tmp_path)
    try:
        opened.type(f"{SETUP[name]}; echo set''up\r")
        opened.wait_for("setup")
        yield opened
    finally:
        opened.end()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("sfcutover ro", ["rollback "]),
        ("sfcutover de", ["deployment", "demo"]),
        ("sfcutover deploy --traf", ["--traffic-moved "]),
        ("sfcutover diff remove-o", ["remove-old "]),
        ("sfcutover deploy re", ["remove-old", "restore-old", "remove-new"]),
        ("sfcutover --target pack", ["packaging "]),
        ("sfcutover deploy add-new --target ", ["packaging", "partner"]),
        ("sfcutover --config cutover.yaml --target part", ["partner "]),
        ("sfcutover approve m", ["move.1", "move.2"]),
        ("sfcutover deployment wa", ["wait "]),
        ("sfcutover deploy add-new --plan cut", ["cutover.yaml"]),
    ],
)
def test_tab_offers_completions(shell: Shell, typed: str, offered: list[str]) -> None:
    shell.type(f"{typed}\t\t\t")  # bash lists at the second Tab that adds nothing
    shell.wait_for(*offered)


def test_completion_loads_no_heavy_module() -> None:
    heavy = ["pydantic", "requests", "sqlalchemy", "zeep", "lxml", "dbos", "rich", "jinja2"]
    code = """
import atexit, sys
atexit.register(lambda: print([name for name in sys.argv[1:] if name in sys.modules]))
from sfcutover.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy],
        env={
            **os.environ,
            "COMP_WORDS": "sfcutover deploy --ev",
            "COMP_CWORD": "2",
            "_SFCUTOVER_COMPLETE": "bash_complete",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "plain,--evidence\n[]\n"
