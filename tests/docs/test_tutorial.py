"""The tutorial, executed as written: every block, in one shell, against the emulator."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks_of
from tests.docs.generated import ROOT

PAGE = ROOT / "docs" / "tutorial" / "first-cutover.md"
BLOCKS = blocks_of(PAGE)
SECONDS = 300


@pytest.mark.slow
def test_every_block_works_and_prints_what_the_page_shows(tmp_path: Path) -> None:
    install, *typed = [each for each in BLOCKS if each.language == "console"]
    assert "pip install" in install.text  # test_wheel.py installs the project
    (tmp_path / "tmp").mkdir()
    done = _typed("\n".join(each.text for each in typed), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout.splitlines()
    for block in [each for each in BLOCKS if each.language == "text"]:
        assert _comes_in(block, shown), (block.text, done.stdout)
    (report,) = (tmp_path / "tmp").rglob("report.html")
    assert "change 4711" in report.read_text(encoding="utf-8")


def _typed(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script in a shell that ends at the first failed command; end everything it
    started."""
    variables = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
    }
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        env=variables,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            out, err = shell.communicate(timeout=SECONDS)
        finally:
            _end(shell)
    return subprocess.CompletedProcess(shell.args, shell.returncode, out, err)


def _end(shell: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(shell.pid, signal.SIGKILL)


def _comes_in(block: Block, shown: list[str]) -> bool:
    wanted = block.text.rstrip().splitlines()
    return any(shown[at : at + len(wanted)] == wanted for at in range(len(shown)))
