"""The switch command in a helper process: what it learns, and how its end is recorded."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sfcutover.config.traffic import Switch
from sfcutover.traffic.switch import (
    SwitchFacts,
    SwitchRecord,
    await_end,
    command_of,
    read_record,
    run_in_helper,
)
from sfcutover.util.processes import child_environment

OLD, NEW = "203.0.113.10,203.0.113.12-203.0.113.14", "198.51.100.20"
APPLY = SwitchFacts("move", "Acme_Connector", "apply", OLD, NEW)
REVERT = SwitchFacts("move", "Acme_Connector", "revert", OLD, NEW)
SECRETS = frozenset({"PROXY_URL", "CLIENT_SECRET"})
Run = Callable[..., SwitchRecord]


@pytest.fixture
def lines() -> list[str]:
    """What the command has printed."""
    return []


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "switch.json"


@pytest.fixture
def run(record: Path, lines: list[str]) -> Run:
    def run(argv: tuple[str, ...], facts: SwitchFacts = APPLY, timeout: float = 60) -> SwitchRecord:
        environment = child_environment(SECRETS, facts.variables)
        run_in_helper(argv, environment, record, timeout=timeout, output=lines.append)
        ended = await_end(record, 30)
        assert ended is not None
        return ended

    return run


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-uc", code)


def test_the_command_learns_the_facts_and_no_secret(
    run: Run, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in os.environ if each.startswith("SFCUTOVER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PROXY_URL", "http://me:hunter2-pw@proxy.example.com")
    monkeypatch.setenv("CLIENT_SECRET", "hunter2-secret")
    monkeypatch.setenv("HEROKU_REGION", "eu")
    monkeypatch.setenv("SFCUTOVER_NEW", "something old")
    ended = run(python("import json, os, sys; print(json.dumps([dict(os.environ), sys.argv]))"))
    environment, arguments = json.loads(lines[0])
    assert {name: environment[name] for name in environment if name.startswith("SFCUTOVER_")} == {
        "SFCUTOVER_CUTOVER": "move",
        "SFCUTOVER_APP": "Acme_Connector",
        "SFCUTOVER_DIRECTION": "apply",
        "SFCUTOVER_OLD": "203.0.113.10,203.0.113.12-203.0.113.14",
        "SFCUTOVER_NEW": "198.51.100.20",
    }
    assert environment["HEROKU_REGION"] == "eu"
    assert not SECRETS & environment.keys()
    assert arguments == ["-c"]
    assert ended.succeeded
    assert ended.seconds > 0


def test_a_secret_it_prints_all_the_same_is_masked(
    run: Run, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "hunter2-secret")
    run(python("print('CLIENT_SECRET: hunter2-sec' + 'ret')"))
    assert lines == ["CLIENT_SECRET: ***"]


def test_to_revert_is_the_other_command(run: Run, lines: list[str]) -> None:
    revert = python("import os; print(os.environ['SFCUTOVER_DIRECTION'])")
    config = Switch(apply=("/no/such/program",), revert=revert)
    assert run(command_of(config, "revert"), REVERT).succeeded
    assert lines == ["revert"]


def test_no_shell_reads_the_arguments(run: Run, lines: list[str]) -> None:
    run((sys.executable, "-c", "import sys; print(sys.argv[1:])", "$HOME;*", "a b"))
    assert lines == ["['$HOME;*', 'a b']"]


def test_a_command_that_fails_says_how(run: Run) -> None:
    ended = run(python("raise SystemExit(3)"))
    assert (ended.status, ended.words, ended.cut_short) == (3, "exit status 3", False)
    assert not ended.succeeded


def test_a_command_that_takes_too_long_failed(run: Run) -> None:
    ended = run(python("import threading; threading.Event().wait()"), timeout=0.5)
    assert "ended after its time limit" in ended.words
    assert not ended.succeeded


def test_a_command_that_ended_well_after_ctrl_c_was_interrupted(record: Path) -> None:
    code = (
        "import signal, sys, threading\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(0))\n"
        "print('ready')\nthreading.Event().wait()"
    )

    def interrupt(_: str) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_in_helper(python(code), os.environ, record, timeout=60, output=interrupt)
    ended = await_end(record, 30)
    assert ended is not None
    assert (ended.status, ended.words) == (0, "exit status 0")
    assert not ended.succeeded


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("no-such-program-here", "No such file"),
        ("data", "Permission denied"),
        ("text", "Exec format"),
    ],
)
def test_a_program_that_can_t_be_run_has_failed(
    tmp_path: Path, program: str, why: str, run: Run
) -> None:
    (tmp_path / "data").write_text("no program")
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    ended = run((str(tmp_path / program), "x"))
    assert why in ended.words
    assert ended.status == 127


def test_a_command_that_was_started_is_not_run_again(run: Run, lines: list[str]) -> None:
    """A second helper for the same record does nothing."""
    first = run(python("print('moved')"))
    assert run(python("print('moved again')")) == first
    assert lines == ["moved"]


def test_without_a_record_nothing_was_started(record: Path) -> None:
    assert await_end(record, 0) is None
    record.write_text("{")
    assert read_record(record) is None
