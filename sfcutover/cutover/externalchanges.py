"""What other users save between our last read of a list and our deployment, which replaces it.

An org compares nothing before it replaces a list. So the list is read once more where it was saved
while our deployment is pending; entries that such a read has seen are added again, and nothing is
ever removed for others. What else the org records of that time is reported, by whom and when.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from sfcutover.allowlist.component import Component, FileProperties
from sfcutover.allowlist.ranges import IpRange, subtract
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.context import TargetContext
from sfcutover.errors import Advice, Command, ExternalChangeError, SfcutoverError
from sfcutover.salesforce.changehistory import ChangeHistory, RecordedChange
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.results import DeployResult, ExternalChangeDocument

EXTERNAL_CHANGE = "external-change"
Entries = tuple[IpRange, ...]


def require_none_lost(changes: Collection[ExternalChangeDocument]) -> None:
    """Raises ExternalChangeError for what is not on the list again."""
    lost = [each for each in changes if not each.restored]
    if lost:
        users = ", ".join(sorted({each.by for each in lost}))
        raise ExternalChangeError(
            "; ".join(each.text for each in lost),
            hint=Advice(
                f"ask {users} what changed, and save it again in Setup; ",
                Command("diff", "add-new"),
                " shows the current allowlist",
            ),
            impact="the phase is live; redemptions from an address that another user added fail "
            "until it is on the allowlist again",
        )


@dataclass
class SaveWatch:
    """Detects what other users save while a package is being deployed to a list.

    start: what the package was computed from. after: what it holds. rows: of the trail, that
    were there before the list was read last; None where that is unknown.
    """

    context: TargetContext
    connection: Connection
    start: Snapshot
    after: Snapshot
    rows: frozenset[str] | None = None
    _seen: list[Snapshot] = field(default_factory=list, init=False)
    _put_off: FileProperties | None = field(default=None, init=False)

    def begin(self) -> None:
        """Before it is checked that the list is still as it was read. Raises nothing."""
        try:
            self.rows = self._rows()
        except SfcutoverError as error:
            self.context.note(
                f"changes that other users save within the same second may be missed: {error}"
            )

    def look(self, result: DeployResult) -> None:
        """Read the list if it was saved since it was read last. Raises nothing.

        result: how our deployment stands. What its own user has saved is most likely its end, so
        that is read only if it has not ended by the next look.
        """
        try:
            newest = self.connection.retriever.modified_since(self._last)
            is_ours = newest is not None and newest.modified_by == result.created_by
            if newest is None or (is_ours and newest != self._put_off):
                self._put_off = newest
            else:
                self._read()
        except SfcutoverError as error:
            self.context.note(f"{error}; polling again")

    def _read(self) -> None:
        rows, found = self._rows(), self.connection.read()
        if _lists(found) != _lists(self.after):  # else ours has replaced what was saved by then
            self._seen.append(found)
            self.rows = rows

    def lost(self, live: Snapshot) -> dict[str, Entries]:
        """By path: entries of others that were seen last, and are not on the list now. The
        addresses of this cutover are none of them."""
        change = self.context.cutover.change
        found = {}
        for component in live.carriers:
            start, last = (self._ranges(each, component) for each in (self.start, self._last))
            others = (
                part
                for entry in _only_in(last, start)
                for part in subtract([entry], (*change.old, *change.new))
            )
            if missing := component.allowlist.uncovered(others):
                found[component.path] = missing
        return found

    def changes(
        self, own: DeployResult, ids: Collection[str], live: Snapshot
    ) -> list[ExternalChangeDocument]:
        """What others changed, as the list is now. own: our deployment. ids: all that are ours."""
        recorded = self._changes_recorded(own, ids)
        replaced = [each for each in recorded if not is_newest(each, own, live)]
        return [*self._changes_seen(live), *(_recorded(each, own.id) for each in replaced)]

    @property
    def _history(self) -> ChangeHistory:
        return ChangeHistory(self.connection.client, self.connection.deployer)

    def _rows(self) -> frozenset[str] | None:
        found = [self._history.rows(each) for each in self.start.carriers]
        known = [each for each in found if each is not None]
        return frozenset().union(*known) if len(known) == len(found) else None

    @property
    def _states(self) -> list[Snapshot]:
        """The list as it was read, one state after the other, before ours replaced it."""
        return [self.start, *self._seen]

    @property
    def _last(self) -> Snapshot:
        return self._states[-1]

    def _changes_seen(self, live: Snapshot) -> Iterator[ExternalChangeDocument]:
        for before, after in pairwise(self._states):
            for component in after.carriers:
                then, now = self._ranges(before, component), component.allowlist.ranges
                is_live = self._ranges(live, component)
                ours = self._ranges(self.after, component)  # an earlier try may have added them
                added = _only_in(_only_in(now, then), ours)
                yield from _seen(component, added, _only_in(then, now), is_live)

    def _changes_recorded(self, own: DeployResult, ids: Collection[str]) -> list[RecordedChange]:
        app = self.context.cutover.app
        try:
            return [
                change
                for component in self._last.carriers
                for change in self._history.changes(component, app, own, ids, self.rows)
            ]
        except SfcutoverError as error:
            self.context.note(f"changes by other users could not be looked up: {error}")
            return []

    def _ranges(self, snapshot: Snapshot, component: Component) -> Entries:
        found = snapshot.same_as(component)
        return found.allowlist.ranges if found else ()


def _lists(snapshot: Snapshot) -> dict[str, frozenset[IpRange]]:
    return {each.path: frozenset(each.allowlist) for each in snapshot.carriers}


def _only_in(one: Entries, other: Entries) -> Entries:
    return tuple(each for each in one if each not in other)


def _seen(
    component: Component, added: Entries, removed: Entries, live: Entries
) -> Iterator[ExternalChangeDocument]:
    """Of a save that was read while our deployment was pending."""
    properties = component.properties
    if properties is None:
        return
    by, time = properties.modified_by, properties.last_modified
    while_pending = f"at {_clock(time)}, while this deployment was pending"

    def change(text: str, *, restored: bool) -> ExternalChangeDocument:
        said = f"{by} {text}"
        return ExternalChangeDocument(
            source="list", by=by, time=_time(time), text=said, restored=restored
        )

    if kept := tuple(each for each in added if each in live):
        yield change(f"added {_named(kept)} {while_pending}; it is on the allowlist", restored=True)
    if lost := _only_in(added, live):
        yield change(
            f"added {_named(lost)} {while_pending}, which replaced the allowlist without it",
            restored=False,
        )
    if back := tuple(each for each in removed if each in live):
        yield change(
            f"removed {_named(back)} {while_pending}, which added it again",
            restored=False,
        )


def is_newest(change: RecordedChange, own: DeployResult, live: Snapshot) -> bool:
    """True for what the list holds: it was saved behind our deployment. Trails have seconds."""
    return any(
        (each.modified_by, each.last_modified.replace(microsecond=0))
        == (change.by, change.time.replace(microsecond=0))
        for component in live.carriers
        if (each := component.properties) is not None and each.modified_by != own.created_by
    )


def _recorded(change: RecordedChange, deployment: str) -> ExternalChangeDocument:
    text = (
        f"{change.by} changed the allowlist at {_clock(change.time)} {change.text}; no read saw "
        f"the change, and deployment {deployment} has since replaced the allowlist"
    )
    return ExternalChangeDocument(
        source=change.source, by=change.by, time=_time(change.time), text=text, restored=False
    )


def _named(entries: Entries) -> str:
    return ", ".join(
        f"{each} ({each.description})" if each.description else str(each) for each in entries
    )


def _clock(time: datetime) -> str:
    return f"{time:%H:%M:%SZ}"


def _time(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
