"""Jenkins' stages and steps as its documentation describes them.

``sh`` runs /bin/sh with -xe. A stage's ``post`` runs ``always`` before ``unsuccessful``. After a
stage that failed no other runs, and the pipeline's own ``post`` runs at the end. Only what was
stashed passes from one agent to the next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.integration.examples.artifacts import Artifacts
from tests.integration.examples.groovy import Block
from tests.integration.examples.machine import Job, Machine

_SH = ("sh", "-xe", "{0}")


@dataclass
class Pipeline:
    """A build. status: of each stage that has ended, by its name."""

    machine: Machine
    file: Block
    artifacts: Artifacts
    status: dict[str, str] = field(default_factory=dict)

    @property
    def stages(self) -> dict[str, Block]:
        parts = self.file.find("pipeline").find("stages").parts
        return {part.text[0]: part for part in parts}

    def run(self, *, until: str = "") -> None:
        """Run the stages, all or those before one; the operator proceeds."""
        for name, stage in self.stages.items():
            if name == until:
                return
            if set(self.status.values()) <= {"success"}:
                self._stage(name, stage)
        self._steps(self.file.find("pipeline").find("post").find("always"), self._agent())

    def abort(self, name: str, at: str) -> None:
        """Run one stage, and abort it when it prints this text."""
        self._stage(name, self.stages[name], at)

    def _stage(self, name: str, stage: Block, abort_at: str = "") -> None:
        agent = self._agent()
        failed = not self._steps(stage.find("steps"), agent, abort_at)
        post = stage.find("post") if stage.has("post") else Block()
        if post.has("always"):
            self._steps(post.find("always"), agent)
        if failed and post.has("unsuccessful"):
            self._steps(post.find("unsuccessful"), agent)
        self.status[name] = "failed" if failed else "success"

    def _agent(self) -> Job:
        job = self.machine.job()
        job.environment["JENKINS_URL"] = "https://jenkins.acme.example/"
        for each in self.file.find("pipeline").find("environment").parts:
            name, _, call = each.head.partition(" = ")
            assert call.startswith("credentials("), each.head
            assert each.text == [name.lower().replace("_", "-")]
            job.environment[name] = self.machine.secrets[name]
        return job

    def _steps(self, block: Block, agent: Job, abort_at: str = "") -> bool:
        """Run the steps, in blocks too, up to one that fails; return False if one fails."""
        return all(self._step(step, agent, abort_at) for step in block.parts)

    def _step(self, step: Block, agent: Job, abort_at: str) -> bool:
        name = re.split(r"[ (]", step.head)[0]
        if name == "sh":
            return self._sh(step.text[0], agent, abort_at)
        if name in ("timeout", "node"):
            return self._steps(step, agent, abort_at)
        if name == "unstash":
            self.artifacts.lay_out(step.text[0], agent.clone)
        elif name == "stash":
            assert self.artifacts.keep(step.text[0], agent.clone, [step.text[1]])
        elif name == "archiveArtifacts":
            assert self.artifacts.keep("archive", agent.clone, [step.text[0]])
        else:
            assert step.head in ("checkout scm", "echo"), step.head
        return True

    def _sh(self, script: str, agent: Job, abort_at: str) -> bool:
        if abort_at:
            agent.cut_off(_SH, script, abort_at)
            return False
        return agent.run(_SH, script).code == 0
