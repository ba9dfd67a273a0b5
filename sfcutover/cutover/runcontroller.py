"""A run in this process: started or resumed, followed, and stopped where it can be resumed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING

from sfcutover.allowlist.ranges import Allowlist
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.answers import APPROVED
from sfcutover.cutover.resources import LEAVING_SECONDS, SHUTDOWN_GUARD
from sfcutover.cutover.runfollower import View, follow
from sfcutover.errors import Advice, Command, ConfigError, GateError, StillRunningError, Text
from sfcutover.runs.event import BOUND
from sfcutover.runs.process import Role, config_key
from sfcutover.runs.processlock import ProcessLock, running_elsewhere
from sfcutover.runs.runcontrol import RunControl
from sfcutover.runs.store import (
    DONE,
    WORKFLOW_VERSION,
    Run,
    RunOptions,
    RunStore,
    config_text,
    cutover_of,
    differences,
    fixed,
    is_of_a_template,
)
from sfcutover.util.ciprovider import current_actor

if TYPE_CHECKING:
    from sfcutover.cutover.engine.engine import Engine

_LOOK_SECONDS = 0.1
_NOT_RESUMED = "this command did not resume the run; what the run has changed stays changed"


@dataclass(frozen=True)
class Permissions:
    """What the operator allows beforehand.

    accept_changes: resume with another cutover.yaml. again: start a new run, although the cutover
    is done, or runs were rolled back in a row.
    """

    accept_changes: bool = False
    again: bool = False


@dataclass(frozen=True)
class RunController:
    """The runs of one cutover, as this process may execute them.

    resources: what is closed when the command ends, after its last output.
    """

    cutover: Cutover
    store: RunStore
    resources: ExitStack
    permissions: Permissions = field(default_factory=Permissions)
    templates: Templates = field(default_factory=Templates)

    @property
    def _config(self) -> str:
        return config_text(self.cutover, self.templates)

    def open_run(self) -> Run | None:
        """The run that has not ended, if this process may resume it, or the one that is done;
        None for a new one.

        Raises StillRunningError where another process executes it, ConfigError where
        cutover.yaml has changed, GateError after too many rollbacks in a row.
        """
        run = self.store.active(self.cutover.name)
        if run is None:
            return self._done()
        self.require_free(run)
        self.require_fit(run)
        return run

    def execute(
        self, run: Run | None, options: RunOptions, view: View, *, leave: bool, since: int = 0
    ) -> Run:
        """Execute it until it ends, or waits for the operator and leave is set; as it is then.

        run: None starts a new one. since: the last event that was shown before. Raises
        StillRunningError where another process executes it.
        """
        engine = self._engine("run")
        mine = self._resumed(run, options, engine.lock) if run else self._begun(options)
        engine.submit(mine)
        follow(self.store, mine.id, view, leave=leave, check=engine.check, since=since)
        SHUTDOWN_GUARD.close(LEAVING_SECONDS)
        return self.store.find(mine.id)

    def require_mine(self, run: Run) -> None:
        """Raises ConfigError for a run of another cutover."""
        if run.cutover != self.cutover.name:
            raise ConfigError(
                f"run {run.id} belongs to the cutover {run.cutover}, but this is "
                f"{self.cutover.name}",
                where=self.cutover.where,
                hint="name its cutover.yaml: --config FILE",
            )

    def require_free(self, run: Run) -> None:
        """Raises StillRunningError where another process executes it."""
        holders = [each for each in self.store.alive(self.cutover.name) if each.role == "run"]
        if holders and run.ended is None:
            raise running_elsewhere(holders)

    def require_fit(self, run: Run) -> None:
        """Raises ConfigError for a run that was started with another cutover.yaml or another
        version of sfcutover, and StillRunningError where others still have that file."""
        if run.version != WORKFLOW_VERSION:
            raise ConfigError(
                f"sfcutover {run.program} started the run, and this version cannot resume it",
                where=run.id,
                hint=f"finish or cancel it with that version: sfcutover=={run.program}",
                impact=_NOT_RESUMED,
            )
        self._require_lasting(run)
        changed = differences(run.config, self._config)
        if changed and not self.permissions.accept_changes:
            raise _another_config(run, self.cutover.where, [], changed)
        others = self.store.alive(self.cutover.name) if changed else []
        if others:
            places = ", ".join(each.place for each in others)
            raise StillRunningError(
                f"processes with the previous cutover.yaml are still running: {places}",
                hint="stop these workers first; start them again with the new file",
                impact=_NOT_RESUMED,
            )

    def _require_lasting(self, run: Run) -> None:
        """Raises ConfigError for a change with which the run can't continue: of what its flow is
        made of, and of addresses that are fixed by now."""
        changed = differences(run.config, self._config)
        where = self.cutover.where
        if lasting := fixed(run.config, self._config):
            raise _another_config(run, where, lasting, changed)
        old = [each for each in changed if each.startswith("old[")]
        new = [each for each in changed if each.startswith("new[")]
        if not (old or new) or not self.store.journal(run.id).all("step-started", "add-new"):
            return
        if old:
            raise _fixed_addresses(run, where, "old: cannot change after add-new has started", old)
        if has_moved_traffic(self.store, run):
            raise _fixed_addresses(run, where, "new: cannot change after traffic has moved", new)
        before = cutover_of(run.config).change.new
        if not Allowlist(self.cutover.change.new).covers(before):
            raise _fixed_addresses(run, where, "new: can only grow after add-new has started", new)

    def require_fit_for_active(self) -> None:
        """As require_fit, for the run in progress, if there is one."""
        if (run := self.store.active(self.cutover.name)) is not None:
            self.require_fit(run)

    def serve(self, ready: Callable[[str], None]) -> None:
        """Take part in the runs there are and will be. ready: receives the place of this process.

        Raises why it can't continue.
        """
        engine = self._engine("worker")
        ready(engine.lock.place)
        while True:
            engine.check()
            time.sleep(_LOOK_SECONDS)

    def _engine(self, role: Role) -> Engine:
        """This process's part, until the command ends."""
        from sfcutover.cutover.engine.durablesteps import (
            register_workflows,  # DBOS: only to execute
        )
        from sfcutover.cutover.engine.engine import Engine

        lock = ProcessLock(self.store.database, self.cutover.name, role, config_key(self._config))
        self.resources.enter_context(lock)
        engine = Engine(self.cutover, self.store, lock, register_workflows, self.templates)
        return self.resources.enter_context(engine)

    def _begun(self, options: RunOptions) -> Run:
        return self.store.begin(self.cutover.name, self._config, options)

    def _resumed(self, run: Run, options: RunOptions, lock: ProcessLock) -> Run:
        run = self.store.find(run.id)
        self._require_lasting(run)  # it may have moved the traffic since it was opened
        control = RunControl(lock, self.store.journal(run.id), lambda: True)
        for bound in control.journal.all(BOUND):
            control.claim_list(bound.text("organization_id"), bound.text("app"))
        self.store.accept(run, self._config, options, current_actor())
        journal = self.store.journal(run.id)
        is_other = run.program != metadata.version("sfcutover")
        said = {
            "place": lock.place,
            "by": current_actor(),
            "cancels": journal.last("cancel-requested") is not None,
            "started_with": run.program if is_other else None,
        }
        journal.write("run-resumed", None, None, said)
        return self.store.find(run.id)

    def _done(self) -> Run | None:
        """The newest run, if all it did was what this one would do."""
        if self.permissions.again:
            return None
        newest = self.store.newest(self.cutover.name)
        if newest and newest.outcome == DONE and newest.config == self._config:
            return newest
        self._require_not_too_often()
        return None

    def _require_not_too_often(self) -> None:
        count = self.store.rollbacks_in_a_row(self.cutover.name)
        if count < self.cutover.max_rollbacks:
            return
        raise GateError(
            f"the last {count} runs of {self.cutover.name} were rolled back",
            hint=Advice(
                "find the cause: ",
                Command("runs"),
                "; then allow another run: ",
                Command("run", "--again"),
            ),
        )


def has_moved_traffic(store: RunStore, run: Run) -> bool:
    """True once the switch command was started, or the operator has confirmed that traffic has
    moved."""
    journal = store.journal(run.id)
    if journal.last("switching", "switch") is not None:
        return True
    approved = {each.number("pause") for each in journal.all(APPROVED)}
    asked = [one for one in journal.all("paused", "switch") if one.text("reason") == "switch"]
    return any(one.number("pause") in approved for one in asked)


def _fixed_addresses(run: Run, where: str, rule: str, changed: list[str]) -> ConfigError:
    return ConfigError(
        f"{rule}; run {run.id} started with other addresses: {'; '.join(changed)}",
        where=where,
        hint="restore these lines, and make the change in the next cutover",
        impact=_NOT_RESUMED,
    )


def _another_config(run: Run, where: str, lasting: list[str], changed: list[str]) -> ConfigError:
    what = "cutover.yaml"
    accept = Command("run", "--accept-changes")
    hint: Text = Advice("restore the file, or continue with the new one: ", accept)
    if lasting:
        hint = "restore these settings: a run cannot resume with other ones"
    elif all(map(is_of_a_template, changed)):
        what = "--templates folder"
        hint = Advice("give the folder that it started with, or continue with this one: ", accept)
    return ConfigError(
        f"run {run.id} was started with another {what}: {'; '.join(lasting or changed)}",
        where=where,
        hint=hint,
        impact=_NOT_RESUMED,
    )
