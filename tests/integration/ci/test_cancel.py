"""A canceled job: sfcutover receives the signal and prints its final messages in time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sfcutover.emulator import Edit, Fault
from tests.chaos.world import NEW, OLD, World
from tests.integration.ci.compositerunner import INTERRUPT_SECONDS, Job, StepRun
from tests.integration.ci.conftest import VERSION, OpenJob, StartWorld
from tests.integration.safety.scene import configure

pytestmark = pytest.mark.slow  # whole steps of a job, whose commands are processes

LONG_WATCH = {"duration": "60s", "interval": "300ms", "failures": 2}


def canceled(job: Job, command: str, during: Callable[[StepRun], None]) -> dict[str, str]:
    """Run the action and cancel the job once ``there`` is printed; return the outputs.

    The command ends on the first signal, with exit code 9.
    """
    codes: list[int | None] = []
    seconds: list[float] = []

    def cancel(step: StepRun) -> None:
        during(step)
        started = time.monotonic()
        codes.append(step.cancel())
        seconds.append(time.monotonic() - started)

    outputs = job.run({"command": command, "version": VERSION}, cancel)
    assert codes == [9], job.log
    assert seconds[0] < INTERRUPT_SECONDS
    assert job.outcome == "cancelled"
    assert outputs["exit-code"] == "9"
    assert "interrupted by SIGINT" in final_messages(job)
    assert "::error title=sfcutover::interrupted by SIGINT" in job.log
    assert "interrupted by SIGINT" in job.summary
    return outputs


def final_messages(job: Job) -> str:
    return job.log.rpartition("error: ")[2].partition("::error")[0]


def test_canceled_deploy_names_its_deployment_and_the_command_that_continues(
    start_world: StartWorld, open_job: OpenJob
) -> None:
    here = start_world(deploy_seconds=60)
    job = open_job(here)
    canceled(job, "deploy add-new --yes", lambda step: step.wait_for("[Pending]"))
    identifier = here.emulator.deployments[0].id
    assert f"deployment {identifier} (add-new, packaging) is" in final_messages(job)
    assert f"sfcutover deployment wait {identifier}" in final_messages(job)


def test_canceled_run_reports_that_no_process_watches_and_how_to_resume(
    start_world: StartWorld, open_job: OpenJob
) -> None:
    here = start_world()
    configure(here, watch=LONG_WATCH)
    job = open_job(here)
    outputs = canceled(job, "run --yes", lambda _: here.wait_for("watch-started"))
    assert outputs["run-id"] in final_messages(job)
    assert (
        "the old addresses are removed from the allowlist of packaging; no process watches"
        in final_messages(job)
    )
    assert "either resume, to watch: sfcutover run; or restore the old addresses" in final_messages(
        job
    )
    assert outputs["changes"] == "true"
    assert (outputs["added"], outputs["removed"]) == ("2", "2")


def test_canceled_watch_reports_that_no_process_watches(
    start_world: StartWorld, open_job: OpenJob
) -> None:
    here = start_world()
    configure(here, watch=LONG_WATCH)
    here.emulator.set_edit(
        Edit.model_validate({"remove": OLD, "add": [{"range": each} for each in NEW]})
    )
    job = open_job(here)
    canceled(job, "watch", lambda step: step.wait_for(" s  canary"))
    assert "no process watches" in final_messages(job)
    assert "restore the old addresses: sfcutover rollback --yes" in final_messages(job)


def test_canceled_verify_reports_that_nothing_changed(
    start_world: StartWorld, open_job: OpenJob
) -> None:
    here = start_world()
    add_new(here)
    here.emulator.set_fault(Fault(kind="slow", operation="token", seconds=3, count=9))
    job = open_job(here)
    canceled(job, "verify", lambda step: step.wait_for("redeeming through the new egress"))
    assert "nothing was changed in the org" in final_messages(job)


@pytest.mark.parametrize("command", ["deploy add-new --yes", "run --yes"])
def test_an_unresponsive_org_does_not_delay_the_final_messages(
    start_world: StartWorld, open_job: OpenJob, command: str
) -> None:
    here = start_world(deploy_seconds=60)

    def silence(step: StepRun) -> None:
        step.wait_for("Pending")
        for operation in ("listMetadata", "checkDeployStatus"):
            here.emulator.set_fault(Fault(kind="slow", operation=operation, seconds=60, count=99))

    job = open_job(here)
    canceled(job, command, silence)
    assert "the live state is unknown (no answer in time)" in final_messages(job)


def test_a_killed_process_leaves_no_exit_code_output_and_fails_the_step(
    start_world: StartWorld, open_job: OpenJob
) -> None:
    here = start_world(deploy_seconds=60)
    job = open_job(here)

    def kill(step: StepRun) -> None:
        step.wait_for("[Pending]")
        step.process.kill()

    outputs = job.run({"command": "deploy add-new --yes", "version": VERSION}, kill)
    assert job.outcome == "failure"
    assert outputs["exit-code"] == ""
    assert "::error::sfcutover did not start, or was killed" in job.log


def add_new(here: World) -> None:
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
