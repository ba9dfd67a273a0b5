"""What others have changed on the lists, as the text of one issue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sfcutover.allowlist.diff import RangeDocument
from sfcutover.allowlist.drift import (
    DescriptionDocument,
    DriftDocument,
    ListDriftDocument,
    TargetDriftDocument,
)
from sfcutover.output.markdown.detail import LONGEST, Detail, fitted
from sfcutover.output.markdown.gfm import block, code, marker
from sfcutover.output.markdown.phases import entry_text


def drift_markdown(document: DriftDocument, longest: int = LONGEST) -> str:
    """The drift under its marker, in at most so many characters. Raises LimitError where the
    removals do not fit."""
    return fitted(lambda detail: "\n".join(_Issue(document, detail).lines()), longest)


@dataclass(frozen=True)
class _Issue:
    document: DriftDocument
    detail: Detail

    def lines(self) -> Iterator[str]:
        checked = self.document.checked.replace("T", " ").replace("Z", " UTC")
        yield marker("drift", self.document.cutover)
        yield f"### Drift: {code(self.document.cutover)}"
        yield ""
        yield f"App {code(self.document.app)}, compared {checked}."
        yield ""
        if not self.document.changed:
            yield "Every list is as it was expected, order and descriptions included."
            yield ""
        for target in self.document.targets:
            yield from self._target(target)

    def _target(self, target: TargetDriftDocument) -> Iterator[str]:
        is_as = "not as" if target.changed else "as"
        org, origin = code(target.instance_url), code(target.expected_from)
        yield f"**{is_as.capitalize()} expected**: {code(target.target)} ({org}), by {origin}"
        yield ""
        for each in target.lists:
            yield f"{each.carrier}, {code(each.path)}: {each.counts}"
            yield ""
            if each.changed:
                yield from block(self._differences(each), "diff")
                yield ""

    def _differences(self, drift: ListDriftDocument) -> Iterator[str]:
        yield from (f"- {entry_text(each, self.detail)}" for each in drift.removed)
        if not self.detail.additions:
            yield f"! {drift.counts}"
            return
        yield from (f"+ {entry_text(each, self.detail)}" for each in drift.added)
        for each in drift.described:
            yield from self._described(each)
        yield from (
            f"! {each.range}: moved from {each.before} to {each.after}" for each in drift.moved
        )

    def _described(self, change: DescriptionDocument) -> Iterator[str]:
        for sign, text in (("-", change.before), ("+", change.after)):
            entry = RangeDocument(range=change.range, description=text)
            yield f"! {sign} {entry_text(entry, self.detail)}"
