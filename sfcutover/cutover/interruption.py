"""What an interrupted command reports: what was sent, and what is live now.

It reports only what was read. What the org does not answer in time is reported as unknown.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import live_phase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.config.cutover import Cutover, Target
from sfcutover.cutover.sentdeployments import Events, SentDeployments
from sfcutover.errors import SfcutoverError, StillRunningError
from sfcutover.salesforce.connection import connect
from sfcutover.salesforce.deployer import Deployer

QUERY_SECONDS = 8.0  # for all orgs together, where nothing ends the process earlier
CANCEL_SECONDS = 10.0  # for the end of what the org is asked to cancel
_NO_ANSWER = "no answer in time"


@dataclass(frozen=True)
class SentPackage:
    """A package that the org has taken, or may have. phase: empty where it is unknown.

    id: None where the answer was not read. latest: the org's newest deployment before; newer:
    those that it has had since. status: as read last, empty if it could not be read now. note:
    what became of the request to cancel it.
    """

    target: str
    phase: str
    id: str | None = None
    status: str = ""
    done: bool = False
    latest: str | None = None
    newer: tuple[str, ...] = ()
    note: str = ""

    @property
    def words(self) -> str:
        """One clause."""
        place = ", ".join(filter(None, (self.phase, self.target)))
        if self.id is None:
            since = f"; the org has since received {' and '.join(self.newer)}" if self.newer else ""
            return (
                f"a deployment was being sent ({place}): whether the org received it is "
                f"unknown{since}"
            )
        name = f"deployment {self.id} ({place})"
        note = f" {self.note}, and" if self.note else ""
        if not self.status:
            return f"{name}{note or ' was sent, and'} its status is unknown"
        return f"{name}{note} {'ended as' if self.done else 'is'} {self.status}"


@dataclass(frozen=True)
class TargetNow:
    """What an org reports at the end. live: None where it does not answer; problem says why."""

    target: Target
    sent: tuple[SentPackage, ...] = ()
    live: Snapshot | None = None
    problem: str = _NO_ANSWER

    @property
    def pending(self) -> tuple[SentPackage, ...]:
        """What may still land."""
        return tuple(each for each in self.sent if not each.done)

    def words(self, cutover: Cutover) -> str:
        """What is live, in one clause."""
        name = self.target.name
        if self.live is None:
            return f"{name}: the live state is unknown ({self.problem})"
        return f"{name}, read back now: {live_phase(self.live, cutover.change)}"

    def holds_old(self, cutover: Cutover) -> bool | None:
        """True if it holds the old addresses, and nothing pending may take them; None where that
        is unknown."""
        if self.live is None:
            return None
        if not all(each.allowlist.covers(cutover.change.old) for each in self.live.carriers):
            return False
        removes = any(each.phase in ("", Phase.REMOVE_OLD.value) for each in self.pending)
        return None if removes else True

    def holds_only_new(self, cutover: Cutover) -> bool:
        """True if it is known to hold every new address, and not all old ones."""
        lists = self.live.carriers if self.live is not None else ()
        has_new = bool(lists) and all(each.allowlist.covers(cutover.change.new) for each in lists)
        return has_new and self.holds_old(cutover) is False


def sent_by(events: Events, target: str) -> list[SentPackage]:
    """The packages that were sent to a target, the pending ones and the newest."""
    known = {each.text("id"): each for each in events.all("deployment-progress", target=target)}
    found = []
    for phase in Phase:
        sent = SentDeployments(events, target, phase)
        for identifier in sent.ids:
            last = known.get(identifier)
            status, done = (last.text("status"), last.data.get("done")) if last else ("", False)
            found.append(SentPackage(target, phase.value, identifier, status, done is True))
        if sent.is_open:
            found.append(SentPackage(target, phase.value, latest=sent.latest_before))
    return [each for each in found if not each.done] or found[-1:]


def query_targets(
    cutover: Cutover,
    targets: Sequence[Target],
    sent: Iterable[SentPackage],
    *,
    cancels: bool,
    seconds: float = QUERY_SECONDS,
) -> list[TargetNow]:
    """Ask all orgs in parallel, for at most these seconds; by new sessions, as one in use may hang.

    cancels: ask them to cancel what is pending, and wait CANCEL_SECONDS for its end.
    """
    packages = tuple(sent)
    found = {
        one.name: TargetNow(one, tuple(each for each in packages if each.target == one.name))
        for one in targets
    }
    answers: queue.Queue[TargetNow | None] = queue.Queue()
    for now in found.values():
        arguments = (cutover, now, cancels, answers.put)
        threading.Thread(target=_ask, args=arguments, daemon=True).start()
    deadline = time.monotonic() + seconds + (CANCEL_SECONDS if cancels else 0.0)
    open_ = len(found)
    while open_ and (left := deadline - time.monotonic()) > 0:
        try:
            answer = answers.get(timeout=left)
        except queue.Empty:
            break
        open_ -= answer is None
        if answer is not None:
            found[answer.target.name] = answer
    return list(found.values())


def _ask(
    cutover: Cutover, now: TargetNow, cancels: bool, tell: Callable[[TargetNow | None], None]
) -> None:
    """Report what is known so far immediately, as the rest may come too late."""
    try:
        connection = connect(now.target, cutover)
        with closing(connection.org):
            now = replace(
                now, sent=tuple(_followed(connection.deployer, each, cancels) for each in now.sent)
            )
            tell(now)
            tell(replace(now, live=connection.read(), problem=""))
    except SfcutoverError as error:
        tell(replace(now, problem=error.message))
    finally:
        tell(None)


def _followed(deployer: Deployer, package: SentPackage, cancels: bool) -> SentPackage:
    """The package with its status as read now."""
    identifier = package.id
    if package.done:
        return package
    if identifier is None:
        return replace(package, newer=tuple(deployer.find_newer(package.latest) or ()))
    package = _canceled(deployer, package, identifier) if cancels else package
    return package if package.done else _reported(deployer, package, identifier)


def _canceled(deployer: Deployer, package: SentPackage, identifier: str) -> SentPackage:
    try:
        result = deployer.cancel(identifier)
        if not result.done:
            result = deployer.wait(identifier, CANCEL_SECONDS)
    except StillRunningError:
        return replace(package, note="has a pending cancel request")
    except SfcutoverError as error:
        return replace(package, note=f"could not be canceled ({error.message})")
    return replace(package, status=result.status, done=result.done)


def _reported(deployer: Deployer, package: SentPackage, identifier: str) -> SentPackage:
    try:
        result = deployer.report(identifier)
    except SfcutoverError:
        return replace(package, status="")
    return replace(package, status=result.status, done=result.done)
