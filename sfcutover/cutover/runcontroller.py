"""A run in this process: started or resumed, followed, and left where it can be resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sfcutover.allowlist.ranges import Allowlist
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.resources import LEAVING_SECONDS, SHUTDOWN_GUARD
from sfcutover.cutover.runfollower import View, follow
from sfcutover.errors import Advice, Command, ConfigError, GateError, StillRunningError, Text
from sfcutover.runs.processlock import ProcessLock, Role
from sfcutover.runs.store import (
    DONE,
    WORKFLOW_VERSION,
    Run,
    RunOptions,
    RunStore,
    config_text,
    cutover_of,
    differences,
    fingerprint,
    fixed,
    is_of_a_template,
    share_a_list,
)
from sfcutover.util.processes import current_actor

_LOOK_SECONDS = 0.1
_UNTOUCHED = "this command changed nothing; the run goes on as it did"
_WAITS = "the run waits; the lists are as it left them"


class AlreadyClaimedError(StillRunningError):
    """Another process resumed the run first."""


@dataclass(frozen=True)
class Permissions:
    """What the operator allows beforehand.

    accept_changes: resume with another cutover.yaml. again: start anew, although the cutover is
    done, or runs were rolled back in a row.
    """

    accept_changes: bool = False
    again: bool = False


@dataclass(frozen=True)
class RunController:
    """The runs of one cutover, as this process may execute them."""

    cutover: Cutover
    store: RunStore
    permissions: Permissions = field(default_factory=Permissions)
    templates: Templates = field(default_factory=Templates)

    @property
    def _config(self) -> str:
        return config_text(self.cutover, self.templates)

    def open_run(self) -> Run | None:
        """The run that has not ended, if this process may go on with it, or the one that is done;
        None for a new one.

        Raises StillRunningError where another process performs it, ConfigError where
        cutover.yaml has changed, GateError after too many rollbacks in a row.
        """
        run = self.store.active(self.cutover.name)
        if run is None:
            self._require_alone()
            return self._done()
        self.require_free(run)
        self.require_fit(run)
        return run

    def perform(self, run: Run | None, options: RunOptions, view: View, leave: bool) -> Run:
        """Perform it until it ends, or waits for a person and leave is set; as it is then.

        run: None begins a new one. Raises StillRunningError where another process was faster.
        """
        with self.lock("run") as lock:
            before = 0 if run is None else self.store.journal(run.id).newest()
            mine = self._claimed(run, options, lock)
            check = self._take_part(lock, mine)
            follow(self.store, mine.id, view, leave=leave, check=check, since=before)
            SHUTDOWN_GUARD.close(LEAVING_SECONDS)
        return self.store.find(mine.id)

    def require_mine(self, run: Run) -> None:
        """Raises ConfigError for a run of another cutover."""
        if run.cutover != self.cutover.name:
            raise ConfigError(
                f"{run.id} is a run of {run.cutover}, and this is {self.cutover.name}",
                where=self.cutover.where,
                hint="name its cutover.yaml: --config FILE",
            )

    def require_free(self, run: Run) -> None:
        """Raises StillRunningError where another process performs it."""
        if run.owner is None or not self.store.executors.is_alive(run.owner):
            return
        alive = {each.id: each for each in self.store.executors.alive(self.cutover.name)}
        place = alive[run.owner].place if run.owner in alive else "another process"
        raise StillRunningError(
            f"the run {run.id} is under way at {place}",
            hint=Advice(
                "follow it: ",
                Command("runs", run.id, "--follow"),
                "; end it: ",
                Command("cancel", run.id),
            ),
            impact=_UNTOUCHED,
        )

    def require_fit(self, run: Run) -> None:
        """Raises ConfigError for a run that was begun with another cutover.yaml or another
        version of sfcutover, and StillRunningError where others still have that file."""
        if run.version != WORKFLOW_VERSION:
            raise ConfigError(
                f"the run {run.id} was begun with another version of sfcutover (its runs are of "
                f"version {run.version}, these of {WORKFLOW_VERSION})",
                where=run.id,
                hint="go on with it, or cancel it, with the version it was begun with",
                impact=_WAITS,
            )
        self._require_lasting(run)
        changed = differences(run.config, self._config)
        if changed and not self.permissions.accept_changes:
            raise _another_config(run, self.cutover.where, [], changed)
        others = [each for each in self.store.executors.alive(self.cutover.name) if changed]
        if others:
            places = ", ".join(each.place for each in others)
            raise StillRunningError(
                f"processes with the cutover.yaml of before are at work: {places}",
                hint="stop these workers first; start them again with the new file",
                impact=_WAITS,
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
            raise _fixed_addresses(run, where, "old: is fixed once add-new has started", old)
        if has_moved_traffic(self.store, run):
            raise _fixed_addresses(run, where, "new: is fixed once traffic has moved", new)
        before = cutover_of(run.config).change.new
        if not Allowlist(self.cutover.change.new).covers(before):
            raise _fixed_addresses(run, where, "new: may only grow once add-new has started", new)

    @contextmanager
    def lock(self, role: Role) -> Iterator[ProcessLock]:
        """This process among those of the cutover."""
        config = fingerprint(self._config)
        with ProcessLock(self.store.database, self.cutover.name, role, config) as lock:
            yield lock

    def require_fit_for_active(self) -> None:
        """As require_fit, for the run that is under way, if there is one."""
        if (run := self.store.active(self.cutover.name)) is not None:
            self.require_fit(run)

    def serve(self, lock: ProcessLock, ready: Callable[[], None]) -> None:
        """Take part in the runs there are and will be. Raises why it can't go on."""
        check = self._take_part(lock, None)
        ready()
        while True:
            check()
            time.sleep(_LOOK_SECONDS)

    def _take_part(self, lock: ProcessLock, run: Run | None) -> Callable[[], None]:
        """A function that raises why this process can't go on, once it can't."""
        from sfcutover.cutover.engine import Engine  # heavy; only what performs needs it

        engine = Engine(self.cutover, self.store, lock, self.templates)
        engine.launch()
        if run is not None:
            engine.adopt(run)
            engine.start(run)
        engine.take_over()
        return engine.check

    def _claimed(self, run: Run | None, options: RunOptions, lock: ProcessLock) -> Run:
        if run is None:
            begun = self.store.begin(self.cutover.name, self._config, options, lock.id)
            if begun is not None:
                return begun
            run = self.store.active(self.cutover.name)
        if run is None or not self.store.claim(run, lock.id):
            raise AlreadyClaimedError(
                "another process was faster to go on with this run",
                hint=Advice("follow it: ", Command("runs", "--follow")),
                impact=_UNTOUCHED,
            )
        run = self.store.find(run.id)
        self._require_lasting(run)  # it may have moved the traffic since it was opened
        self.store.accept(run, self._config, options, current_actor())
        journal = self.store.journal(run.id)
        said = {"place": lock.place, "by": current_actor()}
        journal.write("run-resumed", None, None, said)
        return self.store.find(run.id)

    def _require_alone(self) -> None:
        """Two cutovers at once would bypass each other's gates. Raises StillRunningError."""
        for other in self.store.under_way():
            if other.cutover != self.cutover.name and share_a_list(other.config, self._config):
                raise StillRunningError(
                    f"the run {other.id} of {other.cutover} has not ended, and it changes the "
                    "same list",
                    where=other.id,
                    hint=Advice("let it end, or end it: ", Command("cancel", other.id)),
                    impact=_UNTOUCHED,
                )

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
                "find out why: ",
                Command("runs"),
                "; then say that it may go on: ",
                Command("run", "--again"),
            ),
        )


def has_moved_traffic(store: RunStore, run: Run) -> bool:
    """True once the switch command was started, or a person has said that traffic has moved."""
    journal, requests = store.journal(run.id), store.requests(run.id)
    if journal.last("switching", "switch") is not None:
        return True
    asked = [one for one in journal.all("paused", "switch") if one.text("reason") == "switch"]
    return any(requests.approval_of(one.seq) is not None for one in asked)


def _fixed_addresses(run: Run, where: str, rule: str, changed: list[str]) -> ConfigError:
    return ConfigError(
        f"{rule}, and the run {run.id} started with other addresses: {'; '.join(changed)}",
        where=where,
        hint="restore these lines, and take the change into the next cutover",
        impact=_WAITS,
    )


def _another_config(run: Run, where: str, lasting: list[str], changed: list[str]) -> ConfigError:
    what = "cutover.yaml"
    accept = Command("run", "--accept-changes")
    hint: Text = Advice("restore the file, or continue with the new one: ", accept)
    if lasting:
        hint = "put that back: a run can't go on with it"
    elif all(map(is_of_a_template, changed)):
        what = "--templates folder"
        hint = Advice("give the folder that it started with, or continue with this: ", accept)
    return ConfigError(
        f"the run {run.id} was begun with another {what}: {'; '.join(lasting or changed)}",
        where=where,
        hint=hint,
        impact=_WAITS,
    )
