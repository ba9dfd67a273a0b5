"""What must be right before a cutover, checked one by one. Reads only.

Each check needs those before it, so a failed one skips the rest of its target.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from sfcutover.allowlist.phases import Phase, check_order
from sfcutover.allowlist.plan import live_phase
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover, Target
from sfcutover.config.values import secret_references
from sfcutover.errors import (
    Advice,
    AuthError,
    Command,
    ConfigError,
    DriftError,
    ExitCode,
    SfcutoverError,
    Text,
)
from sfcutover.runs.database import Database
from sfcutover.runs.store import find_open, missing_file
from sfcutover.salesforce.connection import Connection, connect
from sfcutover.traffic.canary import Canary
from sfcutover.traffic.egress import ask_echo

Status = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """What was checked, how it came out, and the fix where it did not pass."""

    target: str | None
    name: str
    status: Status
    detail: Text
    fix: Text | None = None
    exit_code: ExitCode = ExitCode.DONE


def check(name: str, look: Callable[[], Text]) -> Check:
    """What a look at what all targets share returns, or raises. Raises nothing of ours."""
    try:
        return Check(None, name, "ok", look())
    except ConfigError as error:  # a secret that another machine has is no failure here
        return Check(None, name, "warning", str(error), error.advice)
    except SfcutoverError as error:
        return Check(None, name, "failed", str(error), error.advice, error.exit_code)


def examine_state(cutover: Cutover) -> Check:
    """Whether a run could be kept, and whether one is under way. Raises nothing of ours."""
    return check("state", lambda: _look(cutover))


def _look(cutover: Cutover) -> Text:
    database = Database.at(cutover.state)
    try:
        if path := missing_file(database):
            return _could_be_made(path, cutover.state.where)
        run = find_open(database, cutover.name)
    finally:
        database.close()
    if run is None:
        return f"{database}; no run is under way"
    return Advice(f"{database}; the run {run} has not ended: ", Command("runs", run))


def _could_be_made(path: Path, where: str) -> str:
    folder = next(each for each in path.absolute().parents if each.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise ConfigError(
            f"no run could be kept: {path} can't be made, as {folder} can't be written to",
            where=where,
            hint="correct the permissions, or name another file in state.url",
        )
    return f"{path} is made by the first run"


def examine_traffic(cutover: Cutover) -> Iterator[Check]:
    """Every check of egress and verify. Raises nothing of ours."""
    canary = Canary(cutover)
    for name in ("old", "new"):
        if cutover.egress is None or getattr(cutover.egress, name) is None:
            yield Check(None, f"{name} egress", "skipped", "not configured: it can't be proven")
        else:
            yield check(f"{name} egress", partial(_egress, canary, name))
    if cutover.verify is None:
        yield Check(None, "canary", "skipped", "verify is not configured: nothing can be removed")
        return
    yield check("token endpoint", partial(_endpoint, canary))
    yield check("canary", partial(_store, canary))


def _egress(canary: Canary, name: str) -> str:
    egress = canary.egress(name)
    with egress.session() as session:
        seen = ask_echo(session, canary.echo_url)
    if not Allowlist(egress.expected).covers([IpRange(seen, seen)]):
        raise DriftError(
            f"traffic leaves from {seen}, which is none of the {name} addresses",
            hint=Advice(
                f"correct {name}: or egress.{name} in cutover.yaml; ",
                Command("probe"),
                " shows all",
            ),
        )
    return f"{egress.proxy} leaves from {seen}"


def _endpoint(canary: Canary) -> str:
    return canary.endpoint.url


def _store(canary: Canary) -> str:
    canary.store.read()
    if canary.store.may_rotate and not canary.store.writable:
        raise ConfigError(
            "a rotated refresh token could not be kept where the canary's token is",
            where=canary.store.where,
            hint="keep it in {file: PATH} or {get, put}; or rotation: false if the app has none",
        )
    return "its refresh token can be read and replaced; nothing was redeemed"


def examine(cutover: Cutover, targets: tuple[Target, ...], templates: Templates) -> Iterator[Check]:
    """Every check of the cutover and of these targets. Raises nothing of ours."""
    yield _config_check(cutover)
    yield from _run_check(cutover)
    yield from (Check(None, "note", "skipped", note) for note in cutover.notes)
    yield from _secret_checks(cutover)
    for target in targets:
        connection = connect(target, cutover)
        try:
            yield from TargetDoctor(connection, templates).examine()
        finally:
            connection.org.close()
    yield from examine_traffic(cutover)
    yield examine_state(cutover)


class TargetDoctor:
    """The checks of one target, each a method that returns what it found or raises."""

    def __init__(self, connection: Connection, templates: Templates) -> None:
        self._connection = connection
        self._cutover = connection.cutover
        self._templates = templates
        self._live: Snapshot | None = None

    def examine(self) -> Iterator[Check]:
        steps: list[tuple[str, Callable[[], str]]] = [
            ("credentials", self._credentials),
            ("API version", self._api_version),
            ("permission", self._permission),
            ("components", self._components),
            ("list", self._list),
            ("capacity", self._capacity),
        ]
        name = self._connection.target.name
        for number, (step, look) in enumerate(steps):
            try:
                yield Check(name, step, "ok", look())
            except SfcutoverError as error:
                yield Check(name, step, "failed", str(error), error.advice, error.exit_code)
                for skipped, _ in steps[number + 1 :]:
                    yield Check(name, skipped, "skipped", f"needs {step}")
                return

    def _credentials(self) -> str:
        return f"ready for {self._connection.org.instance_url}"

    def _api_version(self) -> str:
        wanted, offered = self._cutover.api_version, self._connection.org.api_versions()
        if float(wanted) not in offered:
            newest = f"{offered[-1]:.1f}" if offered else "none"
            raise ConfigError(
                f"the org does not offer API version {wanted}; its newest is {newest}",
                hint="the allowlist needs 67.0 or later: set api_version: to one the org offers, "
                "or wait for the org's next release",
            )
        return f"{wanted} (newest {offered[-1]:.1f})"

    def _permission(self) -> str:
        known = self._connection.client.describe_metadata().names
        for carrier in self._cutover.carrier_rows:
            if carrier.component_type.metadata_type not in known:
                raise AuthError(
                    f"the org shows this user no {carrier.component_type.metadata_type}",
                    hint="the user needs 'Modify Metadata Through Metadata API Functions' and "
                    "access to External Client Apps",
                )
        return "may use the Metadata API; the org has every type"

    def _components(self) -> str:
        self._live = self._connection.read()
        return ", ".join(component.path for component in self._live.components)

    def _list(self) -> str:
        live = self._snapshot()
        check_order(Phase.ADD_NEW, live, self._cutover.change)
        return live_phase(live, self._cutover.change)

    def _capacity(self) -> str:
        planner = self._cutover.planner(self._templates)
        planned = planner.plan(Phase.ADD_NEW, self._snapshot())
        lists = [
            f"{diff.after.path} {diff.capacity}" for diff in planned.diffs if diff.after.carrier
        ]
        return f"old and new together: {'; '.join(lists)}"

    def _snapshot(self) -> Snapshot:
        if self._live is None:
            self._live = self._connection.read()
        return self._live


def _config_check(cutover: Cutover) -> Check:
    detail = (
        f"{cutover.name}: {len(cutover.old)} old, {len(cutover.new)} new, "
        f"{len(cutover.targets)} target{'s' if len(cutover.targets) > 1 else ''}"
    )
    return Check(None, "config", "ok", detail)


def _run_check(cutover: Cutover) -> Iterator[Check]:
    """Single steps do without what a whole run needs."""
    if missing := cutover.missing_for_run:
        yield Check(
            None,
            "run",
            "warning",
            f"not configured: {', '.join(missing)}; a run is refused, single steps work",
            "add what is missing; the README shows each",
        )


def _secret_checks(cutover: Cutover) -> Iterator[Check]:
    """Secrets of the orgs are read when their session is opened; here are the others."""
    for path, reference in secret_references(cutover):
        if path.startswith("targets"):
            continue
        try:
            reference.read()
        except SfcutoverError as error:
            yield Check(None, path, "warning", str(error), error.advice)
        else:
            yield Check(None, path, "ok", "can be read")
