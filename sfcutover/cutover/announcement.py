"""The announcement of a step, which its approval covers: one value, identified by a digest.

The digest covers what the cutover itself changes: the organization and its components, the
addresses added and removed, policy values, the switch command, and what makes the packages.
Entries that others add or remove meanwhile are no part of it.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sfcutover.allowlist.component import Component
from sfcutover.allowlist.diff import AllowlistDocument, FieldDocument, RangeDocument
from sfcutover.allowlist.phases import Phase, PhaseName
from sfcutover.allowlist.plan import PhaseDocument, PlannedPhase, Planner
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.crosscheck import who_changed
from sfcutover.cutover.sentdeployments import SentDeployments
from sfcutover.cutover.stepresult import AnnouncementChangedError, StepEvidence
from sfcutover.errors import Advice, Command
from sfcutover.salesforce.connection import Connection
from sfcutover.util.document import Document

PHASES: tuple[PhaseName, ...] = ("add-new", "remove-old")  # the steps of a run that change a list
_SHOWN = 16  # hexadecimal digits of a digest; --expect takes these, or all


class Announced(StepEvidence):
    """What a step changes on one target, or as a whole where it has none (switch, verify).

    digest: SHA-256 of all but phase and lists. components: paths and ids. added, removed: as
    cutover.yaml has them. cut: live entries of which a part stays. policies: values that change.
    made_with: the API version, and the templates by SHA-256. command: of the switch. phase: as
    planned from the lists, which are those that were live.
    """

    digest: str = ""
    organization_id: str | None = None
    components: tuple[str, ...] = ()
    added: tuple[RangeDocument, ...] = ()
    removed: tuple[RangeDocument, ...] = ()
    cut: tuple[RangeDocument, ...] = ()
    policies: tuple[FieldDocument, ...] = ()
    made_with: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    phase: PhaseDocument | None = None
    lists: tuple[AllowlistDocument, ...] = ()

    def sealed(self) -> Announced:
        """The same with its digest."""
        covered = self.model_dump(mode="json", exclude={"digest", "phase", "lists"})
        return self.model_copy(update={"digest": _sha256(covered)})


class Announcement(Document):
    """What a step is going to change, for the operator to approve.

    parts: by target; of a step of the whole run there is one, without a name. doubts: what nothing
    has shown, a sentence each.
    """

    step: str
    parts: dict[str, Announced]
    doubts: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256, 64 hexadecimal digits. The names of the targets are no part of it."""
        return _sha256(sorted(each.digest for each in self.parts.values()))

    @property
    def changes_nothing(self) -> bool:
        """True where every list is as the step makes it."""
        phases = [each.phase for each in self.parts.values()]
        return all(phase is not None and not phase.changed for phase in phases)

    @property
    def sentence(self) -> str:
        """What the step does, in words that follow its name, and what is in doubt."""
        part = next(iter(self.parts.values()))
        does = _words(self.step, part, tuple(self.parts))
        return "; ".join((does, *self._policies(), *self.doubts))

    def _policies(self) -> list[str]:
        """Each change of a policy with its targets."""
        found: dict[str, list[str]] = {}
        for name, part in self.parts.items():
            for each in part.policies:
                change = f"{each.name} from {_value(each.before)} to {_value(each.after)}"
                found.setdefault(change, []).append(name)
        return [f"it sets {change} on {', '.join(names)}" for change, names in found.items()]


def shown_digest(digest: str) -> str:
    """The digest as it is shown."""
    return digest[:_SHOWN]


def is_digest(given: str, digest: str) -> bool:
    """True for the digest as it is shown, and for the whole of it."""
    return bool(digest) and given.lower() in (digest, shown_digest(digest))


def outline(step: str, cutover: Cutover) -> Announced:
    """What a step of a run does according to cutover.yaml; the live lists are not read."""
    change = cutover.change
    match step:
        case "add-new":
            return Announced(added=_documents(change.added))
        case "remove-old":
            return Announced(removed=_documents(change.removed))
        case "switch":
            command = cutover.switch.apply if cutover.switch else ()
            return Announced(added=_documents(change.new), command=command).sealed()
        case "verify":
            return Announced(added=_documents(change.new)).sealed()
    raise ValueError(step)


def announce(context: TargetContext, phase: Phase) -> Announced:
    """What a phase changes on a target, as its lists are live. Raises what planning raises."""
    with context.connection() as connection:
        planned = context.planner.plan(phase, connection.read())
        return announced_phase(
            context.cutover, context.planner, connection.organization_id, planned
        )


def announced_phase(
    cutover: Cutover,
    planner: Planner,
    organization_id: str | None,
    planned: PlannedPhase,
    ids: Mapping[str, str] | None = None,
) -> Announced:
    """The same of a phase that is planned already. ids: of its components, by path, where these do
    not know their own."""
    known = planned.start.ids if ids is None else ids
    found = {
        "organization_id": organization_id,
        "components": tuple(_identity(each, known) for each in planned.start.components),
        "cut": _documents(_cut(planned, cutover)),
        "policies": tuple(field for diff in planned.diffs for field in diff.fields),
        "made_with": (planner.api_version, *planner.templates.fingerprints),
        "phase": PhaseDocument.of(planned),
        "lists": tuple(AllowlistDocument.all_of(planned.start)),
    }
    return outline(planned.phase.value, cutover).model_copy(update=found).sealed()


@dataclass(frozen=True)
class AsAnnounced:
    """Plans a phase from what is live, and only as it was announced."""

    announced: Announced

    def plan(
        self, context: TargetContext, connection: Connection, phase: Phase, live: Snapshot
    ) -> PlannedPhase:
        """Raises AnnouncementChangedError where it would change something else. What was sent is
        seen through to its end."""
        planned = context.planner.plan(phase, live)
        sent = phase.removes and SentDeployments(context.memory, context.target.name, phase).ids
        if planned.changed and not sent:
            organization_id = connection.organization_id
            now = announced_phase(context.cutover, context.planner, organization_id, planned)
            require_same(phase.value, self.announced, now)
            _note_others(context, self.announced.lists, now.lists)
            before = {each.path: each.allowlist for each in self.announced.lists}
            if how := who_changed(connection, before, live):
                _note_once(context, how)
        return planned


def require_same(step: str, announced: Announced, now: Announced) -> None:
    """Raise AnnouncementChangedError where a step would not do what it was announced with."""
    if now.digest != announced.digest:
        raise AnnouncementChangedError(
            f"{step} would change something other than what was announced (digest "
            f"{shown_digest(announced.digest)}, "
            f"now {shown_digest(now.digest)}): {'; '.join(_differences(announced, now))}",
            hint=Advice("review what it changes now: ", Command("plan")),
            impact="nothing was changed by this step",
        )


def _differences(announced: Announced, now: Announced) -> list[str]:
    """What of it a digest covers and is another now, in words."""
    ranges = (
        ("adds", announced.added, now.added),
        ("removes", announced.removed, now.removed),
        ("cuts", announced.cut, now.cut),
    )
    values = (
        ("is in the organization", announced.organization_id, now.organization_id),
        ("changes the components", _texts(announced.components), _texts(now.components)),
        ("sets", _policy_texts(announced), _policy_texts(now)),
        ("executes", shlex.join(announced.command), shlex.join(now.command)),
    )
    found = [(word, _described(before), _described(after)) for word, before, after in ranges]
    found += [(word, before or "nothing", after or "nothing") for word, before, after in values]
    parts = [f"it {word} {new}, not {old}" for word, old, new in found if old != new]
    if announced.made_with != now.made_with:
        parts.append("the API version or a template has changed")
    return parts or ["an empty description differs"]


def _described(ranges: Sequence[RangeDocument]) -> str:
    entries = (
        f"{each.range} ({each.description})" if each.description else each.range for each in ranges
    )
    return ", ".join(entries) or "nothing"


def _texts(values: Sequence[str]) -> str:
    return ", ".join(values)


def _policy_texts(announced: Announced) -> str:
    return ", ".join(
        f"{each.name} from {_value(each.before)} to {_value(each.after)}"
        for each in announced.policies
    )


def _note_others(
    context: TargetContext,
    before: Sequence[AllowlistDocument],
    now: Sequence[AllowlistDocument],
) -> None:
    """Say once which entries others have added or removed since the announcement."""
    parts = [*_missing(now, before, "added"), *_missing(before, now, "removed")]
    if not parts:
        return
    _note_once(
        context,
        f"since the announcement, other users have {' and '.join(parts)}; these changes stay",
    )


def _note_once(context: TargetContext, text: str) -> None:
    told = context.memory.all("note", context.step, context.target.name)
    if text not in [each.text("text") for each in told]:
        context.note(text)


def _missing(
    here: Sequence[AllowlistDocument], there: Sequence[AllowlistDocument], word: str
) -> list[str]:
    """The entries of these lists that the others lack."""
    known = {each.path: each.ranges for each in there}
    found = [
        f"{entry.range} ({entry.description})" if entry.description else entry.range
        for each in here
        for entry in each.ranges
        if entry not in known.get(each.path, [])
    ]
    return [f"{word} {', '.join(found)}"] if found else []


def _cut(planned: PlannedPhase, cutover: Cutover) -> list[IpRange]:
    """Live entries that a removal cuts, as they are wider than the addresses of the cutover."""
    own = Allowlist(cutover.change.old)
    return [entry for diff in planned.diffs for entry in diff.removed if not own.covers([entry])]


def _identity(component: Component, ids: Mapping[str, str]) -> str:
    return f"{component.path} ({ids.get(component.path, 'not listed')})"


def _documents(ranges: Sequence[IpRange]) -> tuple[RangeDocument, ...]:
    return tuple(RangeDocument.model_validate(each) for each in ranges)


def _words(step: str, part: Announced, targets: Sequence[str]) -> str:
    added, removed = _listed(part.added), _listed(part.removed)
    lists = f"the allowlist{'s' if len(targets) > 1 else ''} of {', '.join(targets)}"
    match step:
        case "add-new":
            return f"adds {added} to {lists}"
        case "switch":
            runs = f"runs the command `{shlex.join(part.command)}`"
            moves = runs if part.command else "asks the operator to move the traffic"
            return f"{moves}; traffic then leaves from {added}"
        case "verify":
            return f"redeems through each of {added}"
        case "remove-old":
            return f"removes {removed} from {lists}"
    raise ValueError(step)


def _listed(ranges: Sequence[RangeDocument]) -> str:
    return ", ".join(each.range for each in ranges) or "nothing"


def _value(text: str | None) -> str:
    return "unset" if text is None else text


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
