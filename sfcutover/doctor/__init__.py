"""What must be right before a cutover, checked one by one. Reads only.

Each check needs those before it, so a failed one skips the rest of its target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sfcutover.allowlist.phases import Phase, check_order
from sfcutover.allowlist.plan import live_phase, plan_phase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover, Target
from sfcutover.config.values import secret_references
from sfcutover.doctor.checkup import Check
from sfcutover.doctor.state import examine_state
from sfcutover.doctor.traffic import examine_traffic
from sfcutover.errors import AuthError, ConfigError, SfcutoverError
from sfcutover.salesforce.connection import Connection, connect


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
                yield Check(name, step, "failed", str(error), error.hint, error.exit_code)
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
        for component in live.carriers:
            check_order(Phase.ADD_NEW, component.allowlist, self._cutover.change)
        return live_phase(live, self._cutover.change)

    def _capacity(self) -> str:
        planned = plan_phase(Phase.ADD_NEW, self._snapshot(), self._cutover, self._templates)
        capacities = [diff.capacity for diff in planned.diffs if diff.after.carrier]
        return "; ".join(
            f"old and new together: {each.ranges} of {each.max_ranges} ranges, "
            f"{each.addresses} of {each.max_addresses} addresses"
            for each in capacities
        )

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
            f"not configured: {', '.join(missing)}; sfcutover run is refused, single steps work",
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
            yield Check(None, path, "warning", str(error), error.hint)
        else:
            yield Check(None, path, "ok", "can be read")
