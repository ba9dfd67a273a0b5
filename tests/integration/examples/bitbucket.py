"""Bitbucket's steps as its documentation describes them: one after the other, scripts by bash.

A step's commands are one shell that ends at the first that fails; after-script is another one,
that knows BITBUCKET_EXIT_CODE and whose end does not count. After a failed step no other runs.
Every step gets the artifacts of all earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Key

from tests.integration.examples.artifacts import Artifacts
from tests.integration.examples.machine import Job, Machine

_BASH = ("bash", "-e", "{0}")


class _Part(BaseModel):
    """A model that refuses keys unknown to this runner."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Upload(_Part):
    """An artifact with its condition."""

    name: str
    type: str
    paths: list[str]
    capture_on: str = Key(alias="capture-on")


class Uploads(_Part):
    """Artifacts in their long form."""

    upload: list[Upload]


class Step(_Part):
    """A step, with the keys that the example uses."""

    name: str
    script: list[str]
    after_script: list[str] = Key([], alias="after-script")
    artifacts: list[str] | Uploads = []
    concurrency_group: str = Key("", alias="concurrency-group")
    trigger: str = "automatic"
    deployment: str = ""
    max_time: int = Key(0, alias="max-time")

    def kept(self, status: str) -> list[str]:
        """The paths that are kept of a step that ended with this status."""
        if isinstance(self.artifacts, list):
            return self.artifacts if status == "success" else []
        wanted = [each for each in self.artifacts.upload if each.capture_on in (status, "always")]
        return [path for each in wanted for path in each.paths]


class Item(_Part):
    """An element of a pipeline."""

    step: Step


class Pipelines(_Part):
    """The pipelines that an operator starts, by name."""

    custom: dict[str, list[Item]]


class BitbucketFile(_Part):
    """A bitbucket-pipelines.yml."""

    image: str
    pipelines: Pipelines


@dataclass
class Pipeline:
    """A run of a custom pipeline. status: of each step that has ended, by its name."""

    machine: Machine
    steps: list[Step]
    artifacts: Artifacts
    status: dict[str, str] = field(default_factory=dict)

    def run(self, *, until: str = "") -> None:
        """Run the steps, all or those before one; the operator starts the manual ones."""
        for step in self.steps:
            if step.name == until or "failed" in self.status.values():
                return
            place = self._place()
            ended = place.run(_BASH, _script(step.script))
            self._end(step, place, ended.code)

    def kill(self, name: str, at: str) -> None:
        """Run one step, and kill its machine when it prints this text."""
        (step,) = (each for each in self.steps if each.name == name)
        self._place().cut_off(_BASH, _script(step.script), at)
        self.status[name] = "stopped"

    def _place(self) -> Job:
        place = self.machine.job()
        place.environment |= {"BITBUCKET_BUILD_NUMBER": "7"} | self.machine.secrets
        for name in self.status:
            self.artifacts.lay_out(name, place.clone)
        return place

    def _end(self, step: Step, place: Job, code: int) -> None:
        status = "failed" if code else "success"
        if step.after_script:
            place.run(_BASH, _script(step.after_script), {"BITBUCKET_EXIT_CODE": str(code)})
        self.artifacts.keep(step.name, place.clone, step.kept(status))
        self.status[step.name] = status


def _script(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
