"""action.yml, executed: what it installs, how inputs reach the command, and its result."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfcutover.emulator import Fault
from tests.chaos.world import ROOT
from tests.integration.ci.compositerunner import Job
from tests.integration.ci.conftest import VERSION, OpenJob, StartWorld
from tests.integration.safety.scene import configure

pytestmark = pytest.mark.slow  # whole steps of a job, whose commands are processes


def test_action_installs_its_own_sources_once(start_world: StartWorld, tmp_path: Path) -> None:
    here = start_world()
    job = Job(ROOT, here.folder, tmp_path, here.environment)
    assert job.run({"command": "plan --out plan.json"})["exit-code"] == "0", job.log
    assert job.outcome == "success"
    (environment,) = tmp_path.glob("sfcutover-*/bin/sfcutover")
    installed = environment.stat().st_mtime_ns
    job.run({"command": "diff add-new"})
    assert environment.stat().st_mtime_ns == installed


def test_action_outputs_are_those_of_the_command(
    start_world: StartWorld, open_job: OpenJob
) -> None:
    here = start_world()
    job = open_job(here)
    outputs = job.run({"command": "plan --out 'the plan.json'", "version": VERSION})
    assert job.outcome == "success", job.log
    assert outputs == {
        "exit-code": "0",
        "changes": "true",
        "added": "2",
        "removed": "2",
        "run-id": "",
        "plan": str(here.folder / "the plan.json"),
        "report": "",
        "waiting": "",
    }
    assert "**remove-old** on `packaging`" in job.summary
    assert "- 127.0.0.11" in job.summary


def test_a_paused_run_does_not_fail_the_step(start_world: StartWorld, open_job: OpenJob) -> None:
    here = start_world()
    job = open_job(here)
    outputs = job.run({"command": "run --yes --pause-before add-new", "version": VERSION})
    assert job.outcome == "success", job.log
    assert outputs["exit-code"] == "75"
    assert outputs["waiting"] == "add-new"
    assert outputs["run-id"] == "emulated-cutover.1"
    assert "::notice title=sfcutover::run emulated-cutover.1: AWAITING APPROVAL" in job.log
    outputs = job.run({"command": "report --out report.md", "version": VERSION})
    assert outputs["report"] == str(here.folder / "report.md")
    assert outputs["run-id"] == "emulated-cutover.1"


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"command": "diff add-new --exit-code"}, 3),
        ({"command": "diff add-new", "config": "missing.yaml"}, 2),
        ({"command": "diff add-new", "target": "elsewhere"}, 2),
        ({"command": "deploy remove-old --yes"}, 4),
    ],
)
def test_every_other_exit_code_becomes_the_exit_code_of_the_step(
    start_world: StartWorld, open_job: OpenJob, inputs: dict[str, str], code: int
) -> None:
    job = open_job(start_world())
    outputs = job.run({**inputs, "version": VERSION})
    assert job.outcome == "failure"
    assert outputs["exit-code"] == str(code), job.log
    assert job.steps[-1].process.returncode == code


def test_inputs_are_never_interpreted_as_shell_code(
    start_world: StartWorld, open_job: OpenJob
) -> None:
    here = start_world()
    job = open_job(here)
    for name in ("command", "config", "target"):
        hostile = {"command": "diff add-new", name: '$(touch owned) `touch owned`; touch owned "'}
        job.run({**hostile, "version": VERSION})
    job.run({"command": "diff add-new", "version": "$(touch owned)"})
    assert not list(here.folder.rglob("owned"))
    assert job.outcome == "failure"
    assert "the input version is no version number" in job.log


def test_org_text_cannot_inject_a_workflow_command(
    start_world: StartWorld, open_job: OpenJob
) -> None:
    here = start_world()
    words = "no\n::stop-commands::x\n ##[add-mask]y\n::endgroup::"
    here.emulator.set_fault(
        Fault(kind="refuse", operation="deploy", code="INVALID_TYPE", message=words, count=9)
    )
    job = open_job(here)
    outputs = job.run({"command": "deploy add-new --yes -v", "version": VERSION})
    assert outputs["exit-code"] == "1", job.log
    commands = [line for line in job.log.splitlines() if line.lstrip().startswith("::")]
    assert {line.split("::")[1].split()[0] for line in commands} == {"group", "endgroup", "error"}
    assert "stop-commands" in job.log
    assert "##[" not in job.log


def test_command_runs_in_the_working_directory_input(
    start_world: StartWorld, open_job: OpenJob
) -> None:
    here = start_world()
    (here.folder / "cutovers").mkdir()
    (here.folder / "cutover.yaml").rename(here.folder / "cutovers" / "eu.yaml")
    job = open_job(here)
    inputs = {"command": "plan --out plan.json", "config": "eu.yaml", "version": VERSION}
    outputs = job.run({**inputs, "working-directory": "cutovers"})
    assert outputs["plan"] == str(here.folder / "cutovers" / "plan.json"), job.log


def test_at_most_ten_config_errors_are_annotated_at_their_lines(
    start_world: StartWorld, open_job: OpenJob
) -> None:
    here = start_world()
    configure(here, **{f"unknown_{number:02}": 1 for number in range(12)})
    lines = (here.folder / "cutover.yaml").read_text(encoding="utf-8").splitlines()
    job = open_job(here)
    job.run({"command": "plan", "version": VERSION})
    shown = [line for line in job.log.splitlines() if line.startswith("::error file=")]
    assert len(shown) == 10, job.log
    first = lines.index("unknown_00: 1") + 1
    assert shown[0].startswith(
        f"::error file=cutover.yaml,line={first},title=sfcutover::unknown_00: unknown key"
    )
