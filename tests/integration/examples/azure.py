"""Azure's stages, jobs and steps as its documentation describes them.

A bash step is a file that bash runs without -e. A step sees secrets only by its env:, where
$(NAME) is a variable of the group. Artifacts are downloaded to $(Pipeline.Workspace)/NAME.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from tests.integration.examples.artifacts import Artifacts
from tests.integration.examples.machine import Job, Machine

_BASH = ("bash", "--noprofile", "--norc", "{0}")
_CONDITIONS = {
    "": {"success"},
    "always()": {"success", "failed", "canceled"},
    "or(failed(), canceled())": {"failed", "canceled"},
}


class _Part(BaseModel):
    """A model that refuses keys unknown to this runner."""

    model_config = ConfigDict(extra="forbid")


class Step(_Part):
    """A step of one of the kinds that the example uses."""

    checkout: str = ""
    download: str = ""
    bash: str = ""
    publish: str = ""
    task: str = ""
    artifact: str = ""
    displayName: str = ""  # noqa: N815 - Azure's name
    condition: str = ""
    env: dict[str, str] = {}
    inputs: dict[str, str] = {}


class Deploy(_Part):
    """A list of steps."""

    steps: list[Step]


class RunOnce(_Part):
    """The strategy of a deployment job."""

    deploy: Deploy


class Strategy(_Part):
    """How a deployment job runs."""

    runOnce: RunOnce  # noqa: N815 - Azure's name


class AzureJob(_Part):
    """A job or a deployment job."""

    job: str = ""
    deployment: str = ""
    environment: str = ""
    pool: str = ""
    timeoutInMinutes: int = 60  # noqa: N815 - Azure's name
    cancelTimeoutInMinutes: int = 5  # noqa: N815 - Azure's name
    steps: list[Step] = []
    strategy: Strategy | None = None

    @property
    def all_steps(self) -> list[Step]:
        return self.strategy.runOnce.deploy.steps if self.strategy else self.steps


class Stage(_Part):
    """A stage, which starts after the one before it."""

    stage: str
    condition: str = ""
    jobs: list[AzureJob]


class AzureFile(_Part):
    """An azure-pipelines.yml."""

    trigger: str
    pr: str
    lockBehavior: str  # noqa: N815 - Azure's name
    pool: dict[str, str]
    variables: list[dict[str, str]]
    stages: list[Stage]


@dataclass
class Pipeline:
    """A run of the pipeline. status: of each stage that has ended, by its name."""

    machine: Machine
    file: AzureFile
    artifacts: Artifacts
    status: dict[str, str] = field(default_factory=dict)

    def run(self, *, until: str = "") -> None:
        """Run the stages, all or those before one; the operator resumes."""
        for stage in self.file.stages:
            if stage.stage == until:
                return
            before = set(self.status.values()) - {"success"}
            if not before or stage.condition == "always()":
                self._run(stage)

    def cancel(self, name: str, at: str) -> None:
        """Run one stage, which is canceled when a step prints this text."""
        (stage,) = (each for each in self.file.stages if each.stage == name)
        self._run(stage, at)

    def _run(self, stage: Stage, cancel_at: str = "") -> None:
        (job,) = stage.jobs
        place, status = self.machine.job(), "success"
        place.environment |= {"TF_BUILD": "True", "PIPELINE_WORKSPACE": str(place.place)}
        for step in job.all_steps:
            if status in _CONDITIONS[step.condition]:
                at = cancel_at if "remove-old" in step.bash else ""
                status = self._step(step, place, at) or status
        self.status[stage.stage] = status

    def _step(self, step: Step, place: Job, cancel_at: str) -> str:
        """The job's new status, if the step changes it."""
        if step.bash:
            return self._bash(step, place, cancel_at)
        if step.download:
            self._download(step.artifact, place)
        elif step.publish:
            kept = self.artifacts.keep(step.artifact, place.clone / step.publish, ["*"])
            return "" if kept else "failed"
        elif step.task:
            assert step.task == "ManualValidation@1", step.task
        else:
            assert step.checkout == "self"
        return ""

    def _bash(self, step: Step, place: Job, cancel_at: str) -> str:
        mapped = {name: self._expanded(value) for name, value in step.env.items()}
        if cancel_at:
            place.cut_off(_BASH, step.bash, cancel_at, mapped)
            return "canceled"
        return "failed" if place.run(_BASH, step.bash, mapped).code else ""

    def _expanded(self, value: str) -> str:
        """A macro that names no variable stays as it is."""

        def replaced(match: re.Match[str]) -> str:
            return self.machine.secrets.get(match[1], match[0])

        return re.sub(r"\$\(([^)]+)\)", replaced, value)

    def _download(self, artifact: str, place: Job) -> None:
        names = [each.name for each in self.artifacts.folder.iterdir()]
        for name in [artifact] if artifact else names:
            self.artifacts.lay_out(name, place.place / name)
