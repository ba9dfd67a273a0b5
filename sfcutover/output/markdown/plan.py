"""A plan as one comment of a pull request: what it removes first, and never folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sfcutover.allowlist.baseline import snapshot_of
from sfcutover.allowlist.diff import RangeDocument
from sfcutover.allowlist.phases import PhaseName
from sfcutover.allowlist.plan import PhaseDocument
from sfcutover.allowlist.planfile import PlanDocument
from sfcutover.cutover.announcement import PHASES, shown_digest
from sfcutover.errors import Command
from sfcutover.output.console import shown
from sfcutover.output.markdown.detail import LONGEST, Detail, fitted
from sfcutover.output.markdown.gfm import (
    block,
    code,
    counted,
    folded,
    marker,
    table_or_folded,
)
from sfcutover.output.markdown.phases import (
    Change,
    capacity_table,
    change_lines,
    changes_of,
    entry_text,
    targets_words,
)


def plan_markdown(
    document: PlanDocument, options: Sequence[str] = (), longest: int = LONGEST
) -> str:
    """The plan under its marker.

    options: of the deploy command that it suggests, such as ``--plan plan.json``. longest: the most
    characters. Raises LimitError where the removals do not fit.
    """
    return fitted(lambda detail: "\n".join(_Comment(document, options, detail).lines()), longest)


@dataclass(frozen=True)
class _Comment:
    document: PlanDocument
    options: Sequence[str]
    detail: Detail

    def lines(self) -> Iterator[str]:
        yield marker("plan", self.document.cutover)
        yield f"### Plan: {code(self.document.cutover)}"
        yield ""
        yield from self._facts()
        yield from self._removals()
        yield from self._additions()
        yield from self._policies()
        yield from self._notes()
        yield from self._next()
        yield from self._tables()
        yield from self._lists()
        if self.detail.left_out:
            yield ""
            yield f"To fit one comment, {self.detail.left_out}. The plan file has all."

    @property
    def _is_read(self) -> bool:
        return all(each.organization_id is not None for each in self.document.targets)

    @property
    def _count(self) -> int:
        return len(self.document.targets)

    @property
    def _phases(self) -> list[tuple[str, PhaseDocument]]:
        """Targets and phases, phase by phase."""
        every = [(each.name, phase) for each in self.document.targets for phase in each.phases]
        order = list(dict.fromkeys(phase.phase for _, phase in every))
        return sorted(every, key=lambda each: order.index(each[1].phase))

    @property
    def _changes(self) -> list[Change]:
        return changes_of(self._phases)

    def _facts(self) -> Iterator[str]:
        plan = self.document
        made = plan.created.replace("T", " ").replace("Z", " UTC")
        yield f"- App {code(plan.app)}, {counted(self._count, 'target')}, planned {made}"
        for phase, digest in plan.digests.items():
            yield f"- Digest of {phase}: {code(shown_digest(digest))}"
        yield ""
        if not self._is_read:
            yield (
                "> **Not read: the org.** This plan is of committed files. Whether the live lists "
                "still are as these files say is unknown; no session, no component id and no "
                "traffic was looked at, and there is no digest to approve yet."
            )
            yield ""

    def _removals(self) -> Iterator[str]:
        """Phases that remove an entry, with what they add: the rest of an entry that is cut."""
        yield "#### Removals"
        yield ""
        found = [each for each in self._changes if each.component.removed]
        yield from change_lines(found, self.detail, self._count)
        if not found:
            yield "No phase removes an entry."
            yield ""

    def _additions(self) -> Iterator[str]:
        yield "#### Additions"
        yield ""
        lists = [each for each in self._changes if each.component.carrier]
        found = [each for each in lists if each.component.added and not each.component.removed]
        yield from change_lines(found, self.detail, self._count)
        if not found:
            yield "No phase only adds entries."
            yield ""

    def _policies(self) -> Iterator[str]:
        changes = [each for each in self._changes if each.component.fields]
        if changes:
            yield "#### OAuth policies"
            yield ""
            yield from change_lines(changes, self.detail, self._count)

    def _notes(self) -> Iterator[str]:
        targets: dict[str, list[str]] = {}
        for name, phase in self._phases:
            for note in phase.notes:
                targets.setdefault(f"{phase.phase}: {note}", []).append(name)
        if not targets:
            return
        yield "#### Notes"
        yield ""
        if self.detail.additions:
            yield from block(
                note if len(names) == self._count else f"{note} ({', '.join(names)})"
                for note, names in targets.items()
            )
        else:
            yield f"{counted(len(targets), 'note')}; the plan file has them."
        yield ""

    def _next(self) -> Iterator[str]:
        """The step that the lists are at, with what approves it, or deploys it by hand."""
        step = self._next_step
        if step is None:
            yield "#### Next: nothing"
            yield ""
            yield "Every list is as add-new and remove-old make it."
            yield ""
            return
        yield f"#### Next: {step}"
        yield ""
        digest = self.document.digests.get(step)
        if digest:
            yield "In a run that waits before it, this approves exactly what this plan shows:"
            yield ""
            expect = Command("approve", "--step", step, "--expect", shown_digest(digest))
            yield from block([shown(expect)], "sh")
            yield ""
            yield "By hand:"
            yield ""
        yield from block([shown(Command("deploy", step, *self.options))], "sh")
        yield ""

    @property
    def _next_step(self) -> PhaseName | None:
        changing = {phase.phase for _, phase in self._phases if phase.changed}
        return next((step for step in PHASES if step in changing), None)

    def _tables(self) -> Iterator[str]:
        yield "#### Targets and capacity"
        yield ""
        rows = [
            (code(each.name), _org(each.instance_url, each.organization_id), each.live)
            for each in self.document.targets
        ]
        head = ("target", "org", "live now" if self._is_read else "in the file")
        yield from table_or_folded(counted(len(rows), "target"), head, rows)
        yield ""
        yield from capacity_table(self._changes, self._count)

    def _lists(self) -> Iterator[str]:
        lists = self._live_lists()
        entries = sum(len(ranges) * len(names) for (_, ranges), names in lists.items())
        words = f"The lists as they were read: {counted(entries, 'entry', 'entries')}"
        yield ""
        if not self.detail.lists:
            yield f"{words}."
            return
        body: list[str] = []
        for (carrier, ranges), names in lists.items():
            body += [f"{carrier} of {targets_words(names, self._count)}:", ""]
            body += [*block(entry_text(each, self.detail) for each in ranges), ""]
        yield from folded(words, body[:-1])

    def _live_lists(self) -> dict[tuple[str, tuple[RangeDocument, ...]], list[str]]:
        """The names of the targets by carrier and entries."""
        found: dict[tuple[str, tuple[RangeDocument, ...]], list[str]] = {}
        for target in self.document.targets:
            baseline = snapshot_of(target.baseline, target.name, hint="make a new plan")
            for each in baseline.carriers:
                ranges = tuple(RangeDocument.model_validate(one) for one in each.allowlist)
                carrier = each.carrier.name if each.carrier else ""
                found.setdefault((carrier, ranges), []).append(target.name)
        return found


def _org(url: str | None, organization_id: str | None) -> str:
    return " ".join(code(each) for each in (url, organization_id) if each) or "not read"
