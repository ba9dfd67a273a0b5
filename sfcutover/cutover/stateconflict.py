"""A run that continues from an exported state: whether another job has continued it, too.

Both jobs know the same deployments, and the org knows more: one that the state lacks, newer than
those it has, has changed the list. DeployRequest (Tooling API) lists an org's deployments; it is
known by users only, and where an org does not show it, a conflict is not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.sentdeployments import SENT, Events
from sfcutover.errors import Advice, Command, IdentityError
from sfcutover.runs.event import BOUND, IMPORTED, Event
from sfcutover.salesforce.changehistory import ChangeHistory
from sfcutover.salesforce.connection import Connection

_SHORT_ID = 15  # characters of an id that is also written with 18


class StateConflictError(IdentityError):
    """The list was changed by a deployment that the imported state does not know."""


def newest_deployment(connection: Connection) -> str | None:
    """The id of the org's newest deployment, empty where it has none; None where it does not say.
    Raises NetworkError."""
    listed = connection.deployer.requests()
    if listed is None:
        return None
    return listed[0].id if listed else ""


def require_no_conflict(context: TargetContext, connection: Connection, live: Snapshot) -> None:
    """Raises StateConflictError where the run was imported, and a deployment that its journal does
    not know has changed a component since; NetworkError."""
    if context.memory.last(IMPORTED) is None:
        return
    name = context.target.name
    if found := unknown_deployments(context.memory, name, connection, live):
        raise state_conflict(name, found)


def unknown_deployments(
    memory: Events, target: str, connection: Connection, live: Snapshot
) -> list[str]:
    """Ids of deployments that changed a component, are newer than the newest that the memory
    knows, and are none of its own. Raises NetworkError."""
    known = list(_known(memory, target))
    listed = connection.deployer.requests() if known else None
    history = ChangeHistory(connection.client, connection.deployer)
    return [
        each
        for each in _newer(known, [each.id for each in listed or ()])
        if any(history.has_changed(each, component) for component in live.components)
    ]


def state_conflict(target: str, found: Sequence[str]) -> StateConflictError:
    """The error that names the deployments."""
    return StateConflictError(
        f"the allowlist of {target} was changed by {', '.join(found)}, which the imported state "
        "does not contain: another job has continued this run from the same export, or another "
        "user has deployed the allowlist",
        where=target,
        hint=Advice(
            "check who deployed what: ",
            Command("deployment", "report", found[0], "--target", target),
            "; if another job has continued the run, import its newest export; if not, cancel "
            "this run and start again: ",
            Command("cancel"),
        ),
        impact="this job has sent nothing to the allowlist since the import",
    )


def _newer(known: Sequence[str], listed: Sequence[str]) -> list[str]:
    """Those in front of the newest known one, the newest first; all, where none is listed. What is
    known as empty says that there was none."""
    short = {each[:_SHORT_ID] for each in known}
    newest = next((place for place, each in enumerate(listed) if each[:_SHORT_ID] in short), None)
    return list(listed[:newest])


def _known(memory: Events, target: str) -> Iterator[str]:
    """From the run's first read, and the answers to its deployments. What is noted directly before
    a package is sent is left out: that may be the other job's."""
    events: list[tuple[Event, str]] = [
        *((each, "latest") for each in memory.all(BOUND, target=target)),
        *((each, "id") for each in memory.all(SENT, target=target)),
    ]
    return (each.text(key) for each, key in events if each.data.get(key) is not None)
