"""GitHub's jobs and steps as its documentation and its runner's source describe them.

``run:`` is a file that ``bash -e`` runs, with ``shell: bash`` and pipefail; steps hand on values in
GITHUB_OUTPUT; a job starts in an empty workspace and gets what its ``env:`` names. A canceled step
gets SIGINT at its first process, SIGTERM 7.5 s later, and is killed 2.5 s after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.examples.artifacts import Artifacts
from tests.integration.examples.expressions import Context, filled, holds
from tests.integration.examples.machine import EXAMPLES, Job, Machine
from tests.integration.examples.workflow import Action, Step, Workflow, WorkflowJob, read_action

ACTION = EXAMPLES.parent
OUR_ACTION = "OWNER/sfcutover"
_SHELLS = {
    "": ("bash", "-e", "{0}"),
    "bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail", "{0}"),
}


@dataclass
class JobResult:
    """How a job ended, its outputs, and its summary."""

    result: str
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""


@dataclass
class WorkflowRun:
    """A run of a workflow. github: its context; artifacts: those of this run and others."""

    machine: Machine
    workflow: Workflow
    artifacts: Artifacts
    github: dict[str, str | Context] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, JobResult] = field(default_factory=dict)

    def run(self, *, until: str = "", cancel_at: Mapping[str, str] | None = None) -> None:
        """Run the jobs that have not run, all or those before one; the operator approves.

        cancel_at: jobs that are canceled when a step prints a text.
        """
        for name, job in self.workflow.jobs.items():
            if name == until:
                return
            if name in self.jobs:
                continue
            status = self._status(job)
            if holds(job.condition, self._context(job), status):
                at = (cancel_at or {}).get(name, "")
                self.jobs[name] = JobRun(self, job, self._context(job), at).run()
            else:
                self.jobs[name] = JobResult("skipped")

    def _status(self, job: WorkflowJob) -> str:
        """The status of the jobs that it needs, which precede it in these files."""
        results = {self.jobs[name].result for name in job.needs}
        if "cancelled" in results:
            return "cancelled"
        return "failure" if results - {"success"} else "success"

    def _context(self, job: WorkflowJob) -> dict[str, str | Context]:
        needed = {name: self.jobs[name] for name in job.needs}
        return {
            "github": {
                "repository": "acme/packaging",
                "run_id": "4711",
                "token": "a-token-of-github",
                **self.github,
            },
            "secrets": self.machine.secrets,
            "inputs": self.inputs,
            "needs": {
                name: {"result": each.result, "outputs": each.outputs}
                for name, each in needed.items()
            },
        }


@dataclass
class JobRun:
    """One job: its machine, and the results of its steps."""

    owner: WorkflowRun
    job: WorkflowJob
    context: dict[str, str | Context]
    cancel_at: str = ""

    def __post_init__(self) -> None:
        self.place: Job = self.owner.machine.job(checked_out=False)
        self.temp = self.place.place / "temp"
        self.temp.mkdir()
        self.context["runner"] = {"temp": str(self.temp)}
        self.place.environment |= {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "octocat",
            "GITHUB_REPOSITORY": "acme/packaging",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_RUN_ID": "4711",
            "GITHUB_WORKSPACE": str(self.place.clone),
            "RUNNER_TEMP": str(self.temp),
            **{
                name: filled(value, self.context)
                for name, value in (self.owner.workflow.env | self.job.env).items()
            },
        }

    def run(self) -> JobResult:
        scope = Scope(self, self.job.steps, dict(self.context))
        scope.run({})
        outputs = {name: filled(value, scope.context) for name, value in self.job.outputs.items()}
        return JobResult(scope.status, outputs, scope.summary)

    @property
    def default_shell(self) -> str:
        defaults = self.owner.workflow.defaults
        return defaults.run.shell if defaults else ""


@dataclass
class Scope:
    """The steps of a job or of a composite action, with their own ``steps`` context and status: in
    an action, success() is that of its own steps (actions/runner, SuccessFunction)."""

    owner: JobRun
    steps: list[Step]
    context: dict[str, str | Context]
    status: str = "success"
    summary: str = ""

    def run(self, environment: Mapping[str, str]) -> None:
        """Run the steps, with the variables of the step that uses the action."""
        said: dict[str, str | Context] = {}
        self.context["steps"] = said
        for step in self.steps:
            if holds(step.condition, self.context, self.status):
                outputs, outcome = self._step(step, environment)
                if step.id:
                    said[step.id] = {"outputs": outputs, "outcome": outcome}
                tolerated = outcome == "failure" and step.continue_on_error == "true"
                if self.status == "success" and not tolerated:
                    self.status = outcome

    def _step(self, step: Step, environment: Mapping[str, str]) -> tuple[dict[str, str], str]:
        own = {name: filled(value, self.context) for name, value in step.env.items()}
        variables = {**environment, **own}
        if step.run:
            return self._script(step, variables)
        words = {name: filled(value, self.context) for name, value in step.with_.items()}
        name = step.uses.partition("@")[0]
        if name == OUR_ACTION:
            return self._composite(words, variables)
        return {}, "success" if _ACTIONS[name](self.owner, words) else "failure"

    def _script(self, step: Step, variables: Mapping[str, str]) -> tuple[dict[str, str], str]:
        place, job = self.owner.place, self.owner
        output, summary = job.temp / "output", job.temp / "summary"
        for file in (output, summary):
            file.write_text("", encoding="utf-8")
        files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
        argv = _SHELLS[step.shell or job.default_shell]
        folder = place.clone / filled(step.working_directory, self.context)
        script, all_ = filled(step.run, self.context), {**variables, **files}
        if job.cancel_at:
            ended = place.interrupt(argv, script, job.cancel_at, all_, folder)
            job.cancel_at = "" if ended.signaled else job.cancel_at
        else:
            ended = place.run(argv, script, all_, folder)
        self.summary += summary.read_text(encoding="utf-8")
        outcome = "failure" if ended.code else "success"
        said = _outputs(output.read_text(encoding="utf-8"))
        return said, "cancelled" if ended.signaled else outcome

    def _composite(
        self, words: Mapping[str, str], variables: Mapping[str, str]
    ) -> tuple[dict[str, str], str]:
        """The steps of action.yml, which see the variables of the step that uses it."""
        action: Action = read_action(ACTION / "action.yml")
        assert words.keys() <= action.inputs.keys(), words
        inputs = {name: words.get(name, each.default) for name, each in action.inputs.items()}
        scope = Scope(self.owner, action.runs.steps, {**self.context, "inputs": inputs})
        scope.run({**variables, "GITHUB_ACTION_PATH": str(ACTION)})
        self.summary += scope.summary
        outputs = {name: filled(each.value, scope.context) for name, each in action.outputs.items()}
        return outputs, scope.status


def _outputs(text: str) -> dict[str, str]:
    """Values by name, in the one-line form and in that with a delimiter."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, _, value = line.partition("=")
        if "<<" in name:
            name, _, delimiter = line.partition("<<")
            value = "\n".join(iter(lines.__next__, delimiter))
        found[name] = value
    return found


def _checkout(job: JobRun, words: Mapping[str, str]) -> bool:
    assert words.get("persist-credentials") == "false"
    job.place.check_out()
    return True


def _upload(job: JobRun, words: Mapping[str, str]) -> bool:
    """A folder's files, or one file; hidden ones are left out unless it asks for them."""
    path = job.place.clone / words["path"]
    if words.get("overwrite") == "true":
        job.owner.artifacts.drop(words["name"])
    root, pattern = (path, "*") if path.is_dir() else (path.parent, path.name)
    kept = job.owner.artifacts.keep(words["name"], root, [pattern])
    assert not any(part.startswith(".") for each in kept for part in Path(each).parts)
    return bool(kept) or words.get("if-no-files-found", "warn") != "error"


def _download(job: JobRun, words: Mapping[str, str]) -> bool:
    """Download one artifact by its name, or all that match, merged."""
    kept, to = job.owner.artifacts, job.place.clone / words.get("path", ".")
    if "name" not in words:
        assert words["merge-multiple"] == "true"
        names = kept.names(words.get("pattern", "*"))
    else:
        names = [name for name in [words["name"]] if name in kept.names("*")]
    for name in names:
        kept.lay_out(name, to)
    return bool(names) or "name" not in words


def _nothing(job: JobRun, words: Mapping[str, str]) -> bool:
    return True


_ACTIONS = {
    "actions/checkout": _checkout,
    "actions/setup-python": _nothing,
    "actions/cache": _nothing,
    "actions/upload-artifact": _upload,
    "actions/download-artifact": _download,
}
