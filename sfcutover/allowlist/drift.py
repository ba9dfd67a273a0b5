"""What differs between a list as it should be and as it is, entry by entry. Pure.

Unlike a phase's diff, a change of order is a difference here, and a description that changed is
one, not a removed and an added entry.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from pydantic import Field

from sfcutover.allowlist.component import Component
from sfcutover.allowlist.diff import AllowlistDocument, RangeDocument, compare
from sfcutover.allowlist.ranges import IpRange
from sfcutover.errors import ConfigError
from sfcutover.util.document import ComponentPath, Document, InstanceUrl, RangeText, UtcTime


class DescriptionDocument(Document):
    """An entry whose description changed."""

    range: RangeText
    """Its addresses: ``first`` or ``first-last``."""
    before: str | None
    """The description that was expected; null where the entry had none."""
    after: str | None
    """The description that is live; null where the entry has none."""


class MovedDocument(Document):
    """An entry that stands elsewhere among the entries that both lists have."""

    range: RangeText
    """Its addresses: ``first`` or ``first-last``."""
    before: int
    """Its place in the expected list; 1 is the first."""
    after: int
    """Its place in the live list; 1 is the first."""


class EntriesDriftDocument(Document):
    """How the entries of a list differ from those that were expected."""

    added: list[RangeDocument]
    """Entries that are live and were not expected, in the order of the live list."""
    removed: list[RangeDocument]
    """Entries that were expected and are not live, in the expected order."""
    described: list[DescriptionDocument]
    """Entries whose description changed."""
    moved: list[MovedDocument]
    """Entries that both lists have, elsewhere among the others."""

    @property
    def changed(self) -> bool:
        """True if anything differs."""
        return bool(self.added or self.removed or self.described or self.moved)

    @property
    def words(self) -> list[str]:
        """Each difference in words."""
        return [
            *(f"added {_named(each)}" for each in self.added),
            *(f"removed {_named(each)}" for each in self.removed),
            *(
                f"{each.range} is described as {_quoted(each.after)}, not {_quoted(each.before)}"
                for each in self.described
            ),
            *(f"{each.range} moved from {each.before} to {each.after}" for each in self.moved),
        ]


class ListDriftDocument(EntriesDriftDocument):
    """How a list differs from the one that was expected."""

    path: ComponentPath
    """Path of the component whose list it is."""
    carrier: str
    """Kind of list, as cutover.yaml names it."""
    unchanged: int
    """Number of entries that are live as they were expected, but for their place."""

    @property
    def counts(self) -> str:
        """``1 added, 3 unchanged``."""
        found = {
            "added": len(self.added),
            "removed": len(self.removed),
            "with a new description": len(self.described),
            "moved": len(self.moved),
        }
        parts = [f"{count} {word}" for word, count in found.items() if count]
        return ", ".join([*parts, f"{self.unchanged} unchanged"])


class TargetDriftDocument(Document):
    """How the lists of one target differ from those that were expected."""

    target: str
    """Name of the target."""
    instance_url: InstanceUrl
    """Instance URL of the org."""
    expected_from: str
    """Where the expected list comes from: the run and when it read it, or the files."""
    lists: list[ListDriftDocument]
    """Every list, also those that do not differ."""

    @property
    def changed(self) -> bool:
        """True if anything differs."""
        return any(each.changed for each in self.lists)


class DriftDocument(Document):
    """The live lists compared with those that were expected, order and descriptions included."""

    schema_: Literal["sfcutover/drift/1"] = Field("sfcutover/drift/1", alias="schema")
    """Name and version of this document's format."""
    cutover: str
    """Name of the cutover."""
    app: str
    """Full name of the app."""
    checked: UtcTime
    """When the live lists were read, UTC, ISO 8601."""
    changed: bool
    """True if anything differs."""
    targets: list[TargetDriftDocument]
    """What differs, by target."""


def list_drifts(
    expected: Sequence[AllowlistDocument], live: Sequence[AllowlistDocument], origin: str
) -> list[ListDriftDocument]:
    """Every live list against the expected one of its kind: a component that was created again may
    have another name. Raises ConfigError where there is none. origin: of the expected ones."""
    known = {each.carrier: each.ranges for each in expected}
    for each in live:
        if each.carrier not in known:
            raise ConfigError(
                f"{origin} has no {each.carrier} list to compare with",
                where=each.path,
                hint="name the file of every list with --expect, or correct carriers: in "
                "cutover.yaml",
            )
    return [_list_drift(known[each.carrier], each) for each in live]


def _list_drift(expected: Sequence[RangeDocument], live: AllowlistDocument) -> ListDriftDocument:
    entries = compare_entries(expected, live.ranges)
    return ListDriftDocument(
        **dict(entries),
        path=live.path,
        carrier=live.carrier,
        unchanged=len(live.ranges) - len(entries.added) - len(entries.described),
    )


def compare_entries(
    expected: Sequence[RangeDocument], live: Sequence[RangeDocument]
) -> EntriesDriftDocument:
    """Every difference between two lists, order and descriptions included."""
    gone = _without(expected, Counter(live))
    come = _without(live, Counter(expected))
    described = list(_described(gone, come))
    texts = Counter(each.range for each in described)
    return EntriesDriftDocument(
        added=list(_others(come, texts)),
        removed=list(_others(gone, texts)),
        described=described,
        moved=list(_moved([each.range for each in expected], [each.range for each in live])),
    )


def _without(
    entries: Iterable[RangeDocument], there: Counter[RangeDocument]
) -> list[RangeDocument]:
    """The entries that are not there, each as often as it is not."""
    left = Counter(there)
    found = []
    for each in entries:
        if left[each]:
            left[each] -= 1
        else:
            found.append(each)
    return found


def _described(
    gone: Iterable[RangeDocument], come: Iterable[RangeDocument]
) -> Iterator[DescriptionDocument]:
    """What is gone and has come with the same addresses."""
    left = list(come)
    for before in gone:
        after = next((each for each in left if each.range == before.range), None)
        if after is not None:
            left.remove(after)
            yield DescriptionDocument(
                range=before.range, before=before.description, after=after.description
            )


def _others(entries: Iterable[RangeDocument], described: Counter[str]) -> Iterator[RangeDocument]:
    left = Counter(described)
    for each in entries:
        if left[each.range]:
            left[each.range] -= 1
        else:
            yield each


def _moved(expected: Sequence[str], live: Sequence[str]) -> Iterator[MovedDocument]:
    """The common entries outside the runs that both lists have in one order."""
    both = Counter(expected) & Counter(live)
    before, after = _places(expected, both), _places(live, both)
    names = [name for name, _ in before], [name for name, _ in after]
    blocks = difflib.SequenceMatcher(None, names[0], names[1], autojunk=False).get_matching_blocks()
    for start, there, size in reversed(blocks):
        del before[start : start + size]
        del after[there : there + size]
    for name, place in before:
        found = next(each for each in after if each[0] == name)
        after.remove(found)
        yield MovedDocument(range=name, before=place, after=found[1])


def _places(entries: Sequence[str], wanted: Counter[str]) -> list[tuple[str, int]]:
    """Name and place of each, as often as it is wanted."""
    left = Counter(wanted)
    found = []
    for place, name in enumerate(entries, 1):
        if left[name]:
            left[name] -= 1
            found.append((name, place))
    return found


def component_drift(expected: Component, live: Component) -> list[str]:
    """What of a component differs in its meaning, in words; order has none (see fingerprint)."""
    entries = compare_entries(*(_documents(each.allowlist) for each in (expected, live)))
    fields = compare(expected, live).fields
    return [
        *entries.model_copy(update={"moved": []}).words,
        *(f"<{each.name}> is {_quoted(each.after)}, not {_quoted(each.before)}" for each in fields),
    ]


def _documents(entries: Iterable[IpRange]) -> list[RangeDocument]:
    return [RangeDocument.model_validate(each) for each in entries]


def _named(entry: RangeDocument) -> str:
    return f"{entry.range} ({entry.description})" if entry.description else entry.range


def _quoted(text: str | None) -> str:
    return "unset" if text is None else repr(text)
