"""What must be right before a cutover, checked one by one: config, orgs, and the state of runs.

Nothing is changed and nothing redeemed. A check of a target needs those before it, so a failed one
skips the rest. "ok" is said of what was tried, and what was not tried says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sfcutover.allowlist.carriers import OAUTH_POLICIES, SECURITY_SETTINGS
from sfcutover.allowlist.phases import Phase, check_order
from sfcutover.allowlist.plan import live_phase
from sfcutover.allowlist.policies import IP_RELAXATION, relaxation_words
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.sourcetree import find_project
from sfcutover.allowlist.templates import Templates
from sfcutover.allowlist.treecheck import IGNORE_FILE, unignored
from sfcutover.config.cutover import Cutover, Target
from sfcutover.cutover.crosscheck import difference_of, records_of
from sfcutover.cutover.probe import NoWayBackError
from sfcutover.errors import (
    Advice,
    AuthError,
    Command,
    ConfigError,
    ExitCode,
    SfcutoverError,
    Text,
)
from sfcutover.runs.database import Database
from sfcutover.runs.store import find_open, missing_file
from sfcutover.salesforce.connection import Connection, connect
from sfcutover.salesforce.rangerecords import OBJECT

# ConnectedApp.oauthConfig of ``@salesforce/types`` 1.9.0; what it switches is inferred.
_IP_BINDING = re.compile(r"<isIpBindingEnabled>\s*(true|false)\s*</")
_PROBABLY = "; it probably switches the connected app's own allowlist (inferred)"
# A package can't contain policies (users' reports), so that each org has its own: inferred.
_ANOTHER_CONTROL = (
    "this control is separate from the allowlist and is this org's alone: customers' orgs have "
    "their own policies (inferred)"
)
_READ_AGAIN = (
    "run this again, as the allowlist may have been saved in between; if it repeats, "
    "check it in Setup"
)
Status = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """What was checked, how it came out, and the fix where it did not pass.

    follows: the phase that the live allowlist takes next; None if the check did not read it.
    """

    target: str | None
    name: str
    status: Status
    detail: Text
    fix: Text | None = None
    exit_code: ExitCode = ExitCode.DONE
    follows: Phase | None = None


def check(name: str, look: Callable[[], Text], target: str | None = None) -> Check:
    """What a look returns, or raises. target: None where it is about all. Raises no
    SfcutoverError."""
    try:
        return Check(target, name, "ok", look())
    except NoWayBackError as error:
        return Check(target, name, "warning", error.message, error.advice)
    except SfcutoverError as error:
        return failed(name, error, target)


def failed(name: str, error: SfcutoverError, target: str | None) -> Check:
    return Check(target, name, "failed", str(error), error.advice, error.exit_code)


def untried(name: str, why: str, target: str | None = None) -> Check:
    """A check that could not be made."""
    return Check(target, name, "skipped", f"not tried: {why}")


def causes_once(checks: Iterable[Check]) -> Iterator[Check]:
    """The checks, where one that failed for the same cause as an earlier one is skipped."""
    causes: dict[Text, str] = {}
    for each in checks:
        first = causes.setdefault(each.detail, each.name) if each.status == "failed" else each.name
        if first == each.name:
            yield each
        else:
            yield untried(each.name, f"it needs {first}", each.target)


def examine_state(cutover: Cutover) -> Check:
    """Whether a run could be stored, and whether one is in progress. Raises no SfcutoverError."""
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
        return f"{database}; no run is in progress"
    return Advice(f"{database}; the run {run} has not ended: ", Command("runs", run))


def _could_be_made(path: Path, where: str) -> str:
    folder = next(each for each in path.absolute().parents if each.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise ConfigError(
            f"{path}, which a run needs, cannot be created: {folder} is not writable",
            where=where,
            hint="correct the permissions, or name another file in state.url",
        )
    return f"the first run creates {path}"


def examine_config(cutover: Cutover) -> Iterator[Check]:
    """What cutover.yaml says; no secret is read. Raises no SfcutoverError."""
    yield _config_check(cutover)
    yield from _run_check(cutover)
    yield from _tree_checks(cutover)
    yield from (Check(None, "note", "skipped", note) for note in cutover.notes)


def examine_orgs(
    cutover: Cutover, targets: tuple[Target, ...], templates: Templates
) -> Iterator[Check]:
    """Every check of these targets' orgs. Raises no SfcutoverError."""
    for target in targets:
        connection = connect(target, cutover)
        try:
            yield from TargetDoctor(connection, templates).examine()
        finally:
            connection.org.close()


class TargetDoctor:
    """The checks of one target, each a method that returns what it found or raises."""

    def __init__(self, connection: Connection, templates: Templates) -> None:
        self._connection = connection
        self._cutover = connection.cutover
        self._templates = templates
        self._live: Snapshot | None = None

    def examine(self) -> Iterator[Check]:
        steps: list[tuple[str, Callable[[], Text]]] = [
            ("credentials", self._credentials),
            ("API version", self._api_version),
            ("permission", self._permission),
            ("components", self._components),
        ]
        if self._cutover.carriers:
            steps += [("allowlist", self._list), ("capacity", self._capacity)]
        name = self._connection.target.name
        for number, (step, look) in enumerate(steps):
            made = self._as_tried(check(step, look, name))
            yield made
            if made.status == "failed":
                for skipped, _ in steps[number + 1 :]:
                    yield untried(skipped, f"it requires {step}", name)
                return
        yield from self._second_readings()
        yield self._switch() if self._cutover.is_legacy else self._policies()

    def _as_tried(self, made: Check) -> Check:
        """An access token that was only read is not tried; an allowlist states its next phase."""
        if made.status != "ok":
            return made
        if made.name == "credentials" and not self._connection.org.opens_sessions:
            return replace(made, status="skipped")
        if made.name == "allowlist":
            new, carriers = self._cutover.change.new, self._snapshot().carriers
            is_added = all(each.allowlist.covers(new) for each in carriers)
            return replace(made, follows=Phase.REMOVE_OLD if is_added else Phase.ADD_NEW)
        return made

    def _credentials(self) -> str:
        url = self._connection.org.instance_url
        if self._connection.org.opens_sessions:
            return f"a session of {url} was opened"
        return f"not tried: an access token for {url} was read; the permission check uses it"

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
        types = [carrier.component_type for carrier in self._cutover.carrier_rows]
        for each in (*types, *([OAUTH_POLICIES] if self._cutover.policies else ())):
            if each.metadata_type not in known:
                raise AuthError(
                    f"this user cannot see {each.metadata_type} in the org",
                    hint="the user needs 'Modify Metadata Through Metadata API Functions' and "
                    "access to External Client Apps",
                )
        return "the user may use the Metadata API; the org has every metadata type"

    def _components(self) -> str:
        self._live = self._connection.read()
        return ", ".join(component.path for component in self._live.components)

    def _list(self) -> str:
        live = self._snapshot()
        check_order(Phase.ADD_NEW, live, self._cutover.change)
        return live_phase(live, self._cutover.change, may_be_swapped=True)

    def _capacity(self) -> str:
        planner = self._cutover.planner(self._templates)
        planned = planner.plan(Phase.ADD_NEW, self._snapshot())
        lists = [
            f"{diff.after.path} {diff.capacity}" for diff in planned.diffs if diff.after.carrier
        ]
        return f"old and new together: {'; '.join(lists)}"

    def _second_readings(self) -> Iterator[Check]:
        """The allowlist as SOQL shows it, compared with the retrieved file."""
        name, title = self._connection.target.name, "SOQL cross-check"
        for component in self._snapshot().carriers:
            if component.component_type != SECURITY_SETTINGS:
                continue
            records = records_of(self._connection, component)
            if records is None:
                yield Check(name, title, "skipped", f"the org does not expose {OBJECT}")
            elif difference := difference_of(component, records):
                yield Check(name, title, "warning", difference, _READ_AGAIN)
            else:
                yield Check(name, title, "ok", f"{OBJECT} has the same entries")

    def _policies(self) -> Check:
        """What ipRelaxationPolicyType means, as it is and as each phase sets it."""
        name = self._connection.target.name
        try:
            found = self._snapshot().policies or self._connection.read(policies=True).policies
        except SfcutoverError as error:
            return untried(IP_RELAXATION, f"the policies cannot be read ({error.message})", name)
        live = found.text(IP_RELAXATION) if found else None
        parts = [relaxation_words(live)]
        for phase in (Phase.ADD_NEW, Phase.REMOVE_OLD):
            value = self._cutover.policies.of(phase).get(IP_RELAXATION, live)
            if value != live:
                parts.append(f"{phase} sets {relaxation_words(value)}")
                live = value
        return Check(name, IP_RELAXATION, "ok", "; ".join((*parts, _ANOTHER_CONTROL)))

    def _switch(self) -> Check:
        """What the component says of a connected app's own allowlist."""
        (component,) = self._snapshot().carriers
        found = _IP_BINDING.search(component.text("oauthConfig") or "")
        name, title = self._connection.target.name, "isIpBindingEnabled"
        if found is None:
            return Check(name, title, "skipped", f"the org does not report it{_PROBABLY}")
        return Check(name, title, "ok", f"{found[1]}{_PROBABLY}")

    def _snapshot(self) -> Snapshot:
        if self._live is None:
            self._live = self._connection.read()
        return self._live


def _config_check(cutover: Cutover) -> Check:
    lists = f"{len(cutover.old)} old, {len(cutover.new)} new"
    targets = f"{len(cutover.targets)} target{'s' if len(cutover.targets) > 1 else ''}"
    changed = lists if cutover.carriers else "policies only"
    return Check(None, "config", "ok", f"{cutover.name}: {changed}, {targets}")


def _run_check(cutover: Cutover) -> Iterator[Check]:
    """Single steps do without what a whole run needs."""
    missing = cutover.missing_for_run
    if missing and cutover.carriers:
        yield Check(
            None,
            "run",
            "warning",
            f"not configured: {', '.join(missing)}; the run command is refused, single steps work",
            "add the missing settings; docs/reference/cutover-yaml.md shows each",
        )


def _tree_checks(cutover: Cutover) -> Iterator[Check]:
    """What would make the build of a package fail; nothing where cutover.yaml is in no project."""
    try:
        project = find_project(Path(cutover.file).parent)
        refused = unignored(project) if project else []
    except SfcutoverError as error:
        yield failed("source tree", error, None)
        return
    for each in refused:
        yield Check(
            None,
            "source tree",
            "warning",
            f"{each.path}: a package build fails on {each.metadata_type} (reported by users), "
            f"and {IGNORE_FILE} does not exclude it",
            f"add the line {each.line} to {IGNORE_FILE}; sf then no longer deploys it, and "
            "sfcutover does",
        )
