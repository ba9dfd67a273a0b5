"""GitLab's jobs as its documentation describes them: stages in order, scripts by bash.

before_script and script are one shell with ``set -eo pipefail``; after_script is another one, in
the same place, that knows CI_JOB_STATUS and whose end does not count. A later stage gets the
artifacts of all earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from tests.integration.examples.artifacts import Artifacts
from tests.integration.examples.machine import Job, Machine

_BASH = ("bash", "{0}")
_OPTIONS = "set -eo pipefail\nset +o noclobber\n"


class _Part(BaseModel):
    """A model that refuses keys unknown to this runner."""

    model_config = ConfigDict(extra="forbid")


class Kept(_Part):
    """A job's artifacts."""

    paths: list[str]
    when: str = "on_success"
    expire_in: str


class Defaults(_Part):
    """What all jobs have in common."""

    image: str
    interruptible: bool
    before_script: list[str]


class GitlabJob(_Part):
    """A job, with the keys that the example uses."""

    stage: str
    script: list[str]
    after_script: list[str] = []
    when: str = "on_success"
    allow_failure: bool = False
    environment: str = ""
    resource_group: str = ""
    timeout: str = ""
    artifacts: Kept | None = None


class Workflow(_Part):
    """When there is a pipeline."""

    rules: list[dict[str, str]]


class GitlabFile(BaseModel):
    """A .gitlab-ci.yml: reserved keys, and jobs by their names."""

    model_config = ConfigDict(extra="allow")

    stages: list[str]
    workflow: Workflow
    default: Defaults
    __pydantic_extra__: dict[str, GitlabJob] = Field(init=False)


@dataclass
class Pipeline:
    """A run of the pipeline. status: of each job that has ended, by its name."""

    machine: Machine
    file: GitlabFile
    artifacts: Artifacts
    status: dict[str, str] = field(default_factory=dict)

    @property
    def jobs(self) -> dict[str, GitlabJob]:
        """In the order of their stages."""
        named = self.file.__pydantic_extra__
        return dict(sorted(named.items(), key=lambda each: self.file.stages.index(each[1].stage)))

    def run(self, *, until: str = "") -> None:
        """Run the jobs, all or those before one; the operator starts the manual ones."""
        for name, job in self.jobs.items():
            if name == until:
                return
            if job.when == "always" or set(self.status.values()) <= {"success"}:
                place = self._place()
                ended = place.run(_BASH, self._script(job))
                self._end(name, place, "failed" if ended.code else "success")

    def cancel(self, name: str, at: str) -> None:
        """Run one job, and cancel it when it prints this text."""
        place = self._place()
        place.cut_off(_BASH, self._script(self.jobs[name]), at)
        self._end(name, place, "canceled")

    def _script(self, job: GitlabJob) -> str:
        return _script([*self.file.default.before_script, *job.script])

    def _place(self) -> Job:
        place = self.machine.job()
        place.environment |= {"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "octavia"}
        place.environment |= self.machine.secrets  # GitLab gives a job all of them
        for name in self.status:
            if (self.artifacts.folder / name).is_dir():
                self.artifacts.lay_out(name, place.clone)
        return place

    def _end(self, name: str, place: Job, status: str) -> None:
        """after_script, then the artifacts."""
        job = self.jobs[name]
        if job.after_script:
            place.run(_BASH, _script(job.after_script), {"CI_JOB_STATUS": status})
        if job.artifacts and (status == "success" or job.artifacts.when == "always"):
            self.artifacts.keep(name, place.clone, job.artifacts.paths)
        self.status[name] = status


def _script(lines: list[str]) -> str:
    return _OPTIONS + "\n".join(lines) + "\n"
