"""The dry run of a phase as Markdown, for a comment or a change record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sfcutover.allowlist.plan import DiffDocument
from sfcutover.output.markdown.detail import LONGEST, Detail, fitted
from sfcutover.output.markdown.gfm import block, code, codes, marker
from sfcutover.output.markdown.phases import (
    Change,
    capacity_table,
    change_lines,
    changes_of,
    targets_words,
)


def diff_markdown(document: DiffDocument, longest: int = LONGEST) -> str:
    """The diff under its marker, in at most so many characters. Raises LimitError where the
    removals do not fit."""
    return fitted(lambda detail: "\n".join(_Comment(document, detail).lines()), longest)


@dataclass(frozen=True)
class _Comment:
    document: DiffDocument
    detail: Detail

    def lines(self) -> Iterator[str]:
        targets = self.document.targets
        yield marker("diff", self.document.cutover, self._phase)
        yield f"### {self._phase}: {code(self.document.cutover)}"
        yield ""
        yield from self._starts()
        yield from self._changes()
        yield from capacity_table(self._every, len(targets))
        yield from self._notes()
        if self.detail.left_out:
            yield ""
            yield f"To fit one comment, {self.detail.left_out}."

    @property
    def _phase(self) -> str:
        return ", ".join(dict.fromkeys(each.phase.phase for each in self.document.targets))

    @property
    def _every(self) -> list[Change]:
        return changes_of((each.target, each.phase) for each in self.document.targets)

    def _starts(self) -> Iterator[str]:
        orgs = [each.instance_url for each in self.document.targets if each.instance_url]
        yield f"Against {codes(orgs)}." if orgs else "Against committed files; no org was read."
        targets: dict[str, list[str]] = {}
        for each in self.document.targets:
            if each.on_top_of:
                targets.setdefault(each.on_top_of, []).append(each.target)
        for phase, names in targets.items():
            where = targets_words(names, len(self.document.targets))
            yield f"Computed on top of {phase}, which is not live yet on {where}."
        yield ""

    def _changes(self) -> Iterator[str]:
        changed = [each for each in self._every if each.changed]
        yield from change_lines(changed, self.detail, len(self.document.targets))
        if not changed:
            yield "No change."
            yield ""

    def _notes(self) -> Iterator[str]:
        notes = [
            f"{each.target}: {note}" for each in self.document.targets for note in each.phase.notes
        ]
        if notes and self.detail.additions:
            yield ""
            yield from block(notes)
