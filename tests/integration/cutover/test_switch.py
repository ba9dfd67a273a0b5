"""The switch step: its command is a real process, started by a helper that outlives the step."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from sfcutover.config.cutover import load_config
from sfcutover.cutover import switch as step
from sfcutover.cutover.context import CommandControl, StepContext
from sfcutover.cutover.recordedbaselines import RecordedBaselines
from sfcutover.cutover.resources import Connections, Probes
from sfcutover.cutover.switch import forget_switches, record_of, switch, switched_at
from sfcutover.errors import (
    ConfigError,
    ExitCode,
    InterruptedRunError,
    LockLostError,
    OperationFailedError,
)
from sfcutover.runs.event import CommandLog, Event
from sfcutover.traffic.switch import Direction, run_in_helper
from sfcutover.traffic.switchhelper import read_record
from sfcutover.util.secrets import Secret
from tests.unit.cutover.test_rollbackbaseline import record

SWITCHED = """\
import os
with open("switched", "a") as file:
    file.write(os.environ["SFCUTOVER_DIRECTION"] + "\\n")
"""


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., StepContext]:
    """Makes a step of a cutover whose switch: has these keys; show gets what the command prints."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("SFCUTOVER_")]:
        monkeypatch.delenv(name)

    def make_context(show: Callable[[str], None] = lambda _: None, **keys: object) -> StepContext:
        config = {
            "version": 1,
            "name": "move",
            "app": "Acme_Connector",
            "old": ["203.0.113.10", "203.0.113.12-203.0.113.14"],
            "new": ["198.51.100.20"],
            "targets": [{"name": "org", "org": {"alias": "org"}}],
            "egress": {"new": {"proxy": {"env": "PROXY_URL"}}},
            "verify": {
                "client_id": "id",
                "client_secret": {"env": "CLIENT_SECRET"},
                "refresh_token": {"file": "token"},
            },
            "switch": keys,
        }
        path = tmp_path / "cutover.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        cutover = load_config(path)

        def show_note(event: Event) -> None:
            if event.kind == "note":
                show(event.text("text"))

        return StepContext(
            cutover,
            CommandLog(show_note),
            CommandControl(),
            "switch",
            "key",
            Probes(cutover),
            Connections(cutover),
            RecordedBaselines(cutover),
        )

    return make_context


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-uc", code, *arguments]


def test_the_command_receives_the_facts_and_no_secret(
    make: Callable[..., StepContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROXY_URL", "http://me:hunter2-pw@proxy.example.com")
    monkeypatch.setenv("CLIENT_SECRET", "hunter2-secret")
    monkeypatch.setenv("HEROKU_REGION", "eu")
    monkeypatch.setenv("SFCUTOVER_NEW", "something old")
    lines: list[str] = []
    code = "import json, os, sys; print(json.dumps([dict(os.environ), sys.argv]))"
    evidence = switch(make(lines.append, apply=python(code, "$HOME;*", "a b")), "apply")
    environment, arguments = json.loads(lines[0])
    assert {name: environment[name] for name in environment if name.startswith("SFCUTOVER_")} == {
        "SFCUTOVER_CUTOVER": "move",
        "SFCUTOVER_APP": "Acme_Connector",
        "SFCUTOVER_DIRECTION": "apply",
        "SFCUTOVER_OLD": "203.0.113.10,203.0.113.12-203.0.113.14",
        "SFCUTOVER_NEW": "198.51.100.20",
    }
    assert environment["HEROKU_REGION"] == "eu"
    assert not {"PROXY_URL", "CLIENT_SECRET"} & environment.keys()
    assert arguments == ["-c", "$HOME;*", "a b"]  # no shell reads them
    assert evidence.direction == "apply"
    assert evidence.seconds > 0


def test_a_secret_that_the_command_prints_is_masked(make: Callable[..., StepContext]) -> None:
    lines: list[str] = []
    _ = Secret("hunter2-secret")
    code = "print('CLIENT_SECRET: hunter2-sec' + 'ret')"
    switch(make(lines.append, apply=python(code)), "apply")
    assert lines == ["CLIENT_SECRET: ***"]


def test_revert_runs_the_other_command(make: Callable[..., StepContext], tmp_path: Path) -> None:
    context = make(apply=["/no/such/program"], revert=python(SWITCHED))
    assert switch(context, "revert").direction == "revert"
    assert (tmp_path / "switched").read_text() == "revert\n"


class LostLock(CommandControl):
    """The lock of a run that another process has resumed."""

    def require_lock(self) -> None:
        raise LockLostError(
            "another process continues the run", hint="follow it there", impact="none"
        )


@pytest.mark.parametrize("direction", ["apply", "revert"])
def test_a_process_without_its_lock_moves_no_traffic(
    make: Callable[..., StepContext], tmp_path: Path, direction: Direction
) -> None:
    context = replace(make(apply=python(SWITCHED), revert=python(SWITCHED)), control=LostLock())
    with pytest.raises(LockLostError):
        switch(context, direction)
    assert not (tmp_path / "switched").exists()
    assert read_record(record_of(context, direction)) is None


def test_the_command_runs_once_however_often_the_step_starts(
    make: Callable[..., StepContext], tmp_path: Path
) -> None:
    commands = {"apply": python(SWITCHED), "revert": python(SWITCHED)}
    switch(make(**commands), "apply")
    switch(make(**commands), "apply")
    assert (tmp_path / "switched").read_text() == "apply\n"
    switch(make(**commands), "revert")
    switch(make(**commands), "apply")  # after a revert it is another switch
    assert (tmp_path / "switched").read_text() == "apply\nrevert\napply\n"


def test_the_baseline_record_has_when_traffic_moved_until_it_moves_back(
    make: Callable[..., StepContext],
) -> None:
    context = make(apply=["true"], revert=["true"])
    context.baselines.keep("org", lambda _: record("203.0.113.10", "198.51.100.20"))
    before = time.time()
    switch(context, "apply")
    kept = context.baselines.find("org")
    assert kept is not None
    assert kept.switched is not None
    assert before <= kept.switched <= time.time()
    (event,) = context.memory.all("switching")
    assert switched_at(context) == event.time
    switch(context, "revert")
    kept = context.baselines.find("org")
    assert kept is not None
    assert kept.switched is None
    assert switched_at(context) is None


@pytest.mark.parametrize("direction", ["apply", "revert"])
def test_no_record_of_a_command_remains_once_it_is_forgotten(
    make: Callable[..., StepContext], direction: Direction
) -> None:
    context = make(apply=["true"], revert=["true"])
    switch(context, direction)
    folder = record_of(context, direction).parent
    assert list(folder.glob("switch-*"))
    forget_switches(context)
    assert list(folder.glob("switch-*")) == []


def test_a_failed_command_is_reported_with_its_exit_status(
    make: Callable[..., StepContext],
) -> None:
    with pytest.raises(OperationFailedError, match="failed: exit status 3") as caught:
        switch(make(apply=python("raise SystemExit(3)")), "apply")
    assert caught.value.exit_code is ExitCode.FAILED
    assert "--revert" in caught.value.hint
    assert "some traffic may already have moved" in caught.value.impact
    failing = make(apply=["a"], revert=python("raise SystemExit(1)"))
    with pytest.raises(OperationFailedError) as caught:
        switch(failing, "revert")
    assert caught.value.hint.endswith(
        "or run it without --revert to move traffic to the new addresses"
    )


def test_a_failed_command_runs_again(make: Callable[..., StepContext], tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(OperationFailedError):
            switch(make(apply=python(f"{SWITCHED}raise SystemExit(3)")), "apply")
    assert (tmp_path / "switched").read_text() == "apply\n" * 2


def test_a_command_that_takes_too_long_fails(make: Callable[..., StepContext]) -> None:
    code = "import threading; threading.Event().wait()"
    with pytest.raises(OperationFailedError, match="ended after its time limit"):
        switch(make(apply=python(code), timeout="0.5s"), "apply")


def test_a_command_that_succeeds_after_ctrl_c_was_interrupted(
    make: Callable[..., StepContext],
) -> None:
    code = (
        "import signal, sys, threading\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(0))\n"
        "print('ready')\nthreading.Event().wait()"
    )

    def interrupt(_: str) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(InterruptedRunError, match="the signal and ended: exit status 0") as caught:
        switch(make(interrupt, apply=python(code)), "apply")
    assert caught.value.exit_code is ExitCode.INTERRUPTED
    assert "some traffic may already have moved" in caught.value.impact


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("no-such-program-here", "No such file"),
        ("data", "Permission denied"),
        ("text", "Exec format"),
    ],
)
def test_a_program_that_cannot_be_run_is_a_config_error(
    make: Callable[..., StepContext], tmp_path: Path, program: str, why: str
) -> None:
    _ = Secret("hunter2-secret")
    (tmp_path / "data").write_text("no program")
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    with pytest.raises(ConfigError, match=why) as caught:
        switch(make(apply=[str(tmp_path / program), "x"]), "apply")
    assert "cutover.yaml" in str(caught.value.where)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_helper_that_outlives_its_process_is_awaited(
    make: Callable[..., StepContext], tmp_path: Path
) -> None:
    """The process died as soon as it had started the helper, which has written nothing yet."""
    context = make(apply=python(SWITCHED))
    context.tell("switching", direction="apply", place="here")
    environment = os.environ | {"SFCUTOVER_DIRECTION": "apply"}
    record = record_of(context, "apply")
    started = threading.Timer(
        1.0,
        run_in_helper,
        (python(SWITCHED), environment, record),
        {"timeout": 60, "output": lambda _: None},
    )
    started.start()
    evidence = switch(context, "apply")
    started.join()
    assert evidence.seconds > 0
    assert (tmp_path / "switched").read_text() == "apply\n"


def test_a_command_started_by_another_machine_is_not_run_again(
    make: Callable[..., StepContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "STARTING_SECONDS", 0.0)
    context = make(apply=python(SWITCHED))
    context.tell("switching", direction="apply", place="another machine, process 7")
    with pytest.raises(InterruptedRunError, match="started at another machine, process 7"):
        switch(context, "apply")
    assert not (tmp_path / "switched").exists()
