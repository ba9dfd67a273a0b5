"""A runner of composite actions that does what GitHub's does: files for outputs, bash, signals.

It knows the few expressions that action.yml uses, and refuses others. What ``uses:`` names is not
run. Sources: actions/runner, CompositeActionHandler.cs, ScriptHandlerHelpers.cs,
FileCommandManager.cs, ProcessInvoker.cs.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

INTERRUPT_SECONDS = 7.5
TERMINATE_SECONDS = 2.5
_STEP_SECONDS = 600.0  # an installation on a busy machine
_EXPRESSION = re.compile(r"\$\{\{ (\S+) \}\}")
_HEREDOC = re.compile(r"([^=<]+)<<(.+)")


def parse_outputs(text: str) -> dict[str, str]:
    """A step's output file: ``name=value``, or ``name<<DELIMITER``, lines, DELIMITER."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if heredoc := _HEREDOC.fullmatch(line):
            value: list[str] = []
            while (each := next(lines)) != heredoc[2]:
                value.append(each)
            found[heredoc[1]] = "\n".join(value)
        elif line:
            name, _, text = line.partition("=")
            found[name] = text
    return found


@dataclass
class StepRun:
    """A ``run:`` step and its process, the bash that the runner starts."""

    name: str
    process: subprocess.Popen[str]
    output: Path
    lines: list[str] = field(default_factory=list)
    is_canceled: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def wait_for(self, text: str) -> None:
        """Return once a line contains the text."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: any(text in line for line in self.lines) or not self._reader.is_alive(),
                _STEP_SECONDS,
            )
        assert found, self.log
        assert any(text in line for line in self.lines), self.log

    def end(self) -> int:
        """The exit code of the process that the runner started."""
        code = self.process.wait(_STEP_SECONDS)
        self._reader.join(_STEP_SECONDS)
        return code

    def cancel(self) -> int | None:
        """Signal the step as the runner does when a job is canceled.

        Return its exit code, or None if it had to be killed with SIGKILL.
        """
        self.is_canceled = True
        for number, seconds in (
            (signal.SIGINT, INTERRUPT_SECONDS),
            (signal.SIGTERM, TERMINATE_SECONDS),
        ):
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            self._reader.join(_STEP_SECONDS)
            return self.process.returncode
        for pid in list(_tree(self.process.pid)):
            os.kill(pid, signal.SIGKILL)
        self.end()
        return None

    @property
    def outputs(self) -> dict[str, str]:
        return parse_outputs(self.output.read_text(encoding="utf-8"))

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._changed:
                    self.lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


Meanwhile = Callable[[StepRun], None]


@dataclass
class Job:
    """Runs an action in a workspace. environment: what the job and the ``uses:`` step set.

    temporary: RUNNER_TEMP; it is shared by the steps of a job.
    """

    action: Path
    workspace: Path
    temporary: Path
    environment: Mapping[str, str]
    steps: list[StepRun] = field(default_factory=list)
    outcome: str = "success"

    def run(
        self,
        inputs: Mapping[str, str],
        meanwhile: Meanwhile = lambda _: None,
        *,
        of: str = "sfcutover",
    ) -> dict[str, str]:
        """Run the action to its end; its outputs. meanwhile: called while the step ``of`` runs."""
        manifest = yaml.safe_load(self.action.joinpath("action.yml").read_text(encoding="utf-8"))
        values = {
            f"inputs.{name}": str(inputs.get(name, declared.get("default", "")))
            for name, declared in manifest["inputs"].items()
        }
        assert set(inputs) <= set(manifest["inputs"])
        for step in manifest["runs"]["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
                continue
            if self._fails(step, values, meanwhile if step.get("id") == of else lambda _: None):
                self.outcome = "failure"
                break
            if self.steps[-1].is_canceled:
                self.outcome = "cancelled"  # no step follows, except one with always()
                break
        return {
            name: _evaluated(declared["value"], values)
            for name, declared in manifest["outputs"].items()
        }

    @property
    def summary(self) -> str:
        """What the steps wrote to their summaries."""
        files = sorted(self.temporary.glob("summary-*"))
        return "".join(file.read_text(encoding="utf-8") for file in files)

    @property
    def log(self) -> str:
        return "".join(step.log for step in self.steps)

    def _fails(
        self,
        step: Mapping[str, object],
        values: dict[str, str],
        meanwhile: Callable[[StepRun], None],
    ) -> bool:
        """True if the step failed and the action ends with it."""
        running = self._start(step, values)
        self.steps.append(running)
        try:
            meanwhile(running)
            code = running.end()
        finally:
            if running.process.poll() is None:
                running.process.kill()
                running.end()
        for name, value in running.outputs.items():
            values[f"steps.{step.get('id')}.outputs.{name}"] = value
        return code != 0 and step.get("continue-on-error") is not True

    def _start(self, step: Mapping[str, object], values: Mapping[str, str]) -> StepRun:
        number = len(list(self.temporary.glob("script-*")))
        script, output = (self.temporary / f"{kind}-{number}" for kind in ("script", "output"))
        assert step["shell"] == "bash"
        assert "${{" not in str(step["run"]), "an expression is in shell code"
        script.write_text(str(step["run"]), encoding="utf-8")
        output.touch()
        own = step.get("env")
        assert own is None or isinstance(own, dict)
        folder = _evaluated(str(step.get("working-directory", ".")), values)
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
            cwd=self.workspace / folder,
            env={
                **self.environment,
                "GITHUB_ACTIONS": "true",
                "CI": "true",
                "GITHUB_ACTION_PATH": str(self.action),
                "GITHUB_WORKSPACE": str(self.workspace),
                "RUNNER_TEMP": str(self.temporary),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(self.temporary / f"summary-{number:03}"),
                **{name: _evaluated(str(text), values) for name, text in (own or {}).items()},
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=_obey_interrupts,
        )
        return StepRun(str(step["name"]), process, output)


def _obey_interrupts() -> None:
    """Restore SIGINT as a child of the runner has it; a job in a shell's background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _tree(pid: int) -> Iterator[int]:
    """A process and all its descendants, the youngest first."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text(encoding="utf-8").split():
            yield from _tree(int(child))
    yield pid


def _evaluated(text: str, values: Mapping[str, str]) -> str:
    """The text with its expressions replaced. An output that no step has set is empty."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        assert name.startswith(("inputs.", "steps.")), f"an unknown expression: {name}"
        return values.get(name, "")

    return _EXPRESSION.sub(value, text)
