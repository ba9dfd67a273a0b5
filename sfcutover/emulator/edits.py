"""Changes that another user makes to a list, at a chosen interaction with the org."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal, Self

from lxml import etree
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sfcutover.allowlist.carriers import SECURITY_SETTINGS
from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator.faults import OPERATIONS
from sfcutover.emulator.formats import parse_xml, write_xml
from sfcutover.emulator.lists import Entry, RangeText, append, describe, entries, range_of
from sfcutover.emulator.schema import LISTS

Side = Literal["before", "after"]
DEPLOYMENT = "deployment"
RETRIEVE = "retrieve"


class Edit(BaseModel):
    """What a colleague changes, and when.

    of: the interaction that it happens ``when`` (before or after), the ``nth`` since the edit
    was set: ``retrieve`` (the content is read), ``deployment`` (the client's own one is
    committed; a validation is none), or another operation of the org as the log names it.
    Without ``of`` it happens at once.

    type and full_name: the component, by default the app's security settings. restore: the
    state of the list to return to first: 0 is the first one that it had, -2 the one before
    the last change. Then ``remove`` removes entries, ``describe`` sets the description of
    entries, and ``add`` appends entries or replaces those of the same range.

    by: setup saves at once; deploy leaves a deployment of the colleague behind, which waits
    and runs for ``seconds`` in the queue; with 0 it is done at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str | None = None
    when: Side = "after"
    nth: int = Field(default=1, ge=1)
    type: str = SECURITY_SETTINGS.metadata_type
    full_name: str | None = None
    restore: int | None = None
    remove: tuple[RangeText, ...] = ()
    describe: tuple[Entry, ...] = ()
    add: tuple[Entry, ...] = ()
    by: Literal["setup", "deploy"] = "setup"
    seconds: float = Field(default=0, ge=0, le=3600)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.of not in (None, DEPLOYMENT, *OPERATIONS):
            known = ", ".join(sorted({DEPLOYMENT, *OPERATIONS}))
            raise ValueError(f"unknown interaction {self.of!r}; the interactions are {known}")
        if self.type not in LISTS:
            raise ValueError(f"{self.type} contains no allowlist; the types are {', '.join(LISTS)}")
        if self.seconds and self.by == "setup":
            raise ValueError("a save in Setup must not have seconds")
        return self

    def applied_to(self, xml: bytes) -> bytes:
        """The component's file with the entries changed."""
        root = parse_xml(xml)
        added = [entry.parsed() for entry in self.add]
        for wanted in (*(IpRange.parse(text) for text in self.remove), *added):
            for element in self._matching(root, wanted):
                root.remove(element)
        for entry in self.describe:
            for element in self._matching(root, entry.parsed()):
                describe(element, entry.description)
        for entry in self.add:
            append(root, self.type, entry)
        return write_xml(root)

    def _matching(self, root: etree._Element, wanted: IpRange) -> list[etree._Element]:
        found = entries(root, self.type)
        return [one for one in found if range_of(one, self.type).span == wanted.span]


class Edits:
    """The pending edits. The caller holds the org's lock."""

    def __init__(self, apply: Callable[[Edit, datetime], None]) -> None:
        self._waiting: list[tuple[Edit, int]] = []
        self._apply = apply

    def set(self, edit: Edit, now: datetime) -> None:
        """Make an edit when its interaction occurs, or immediately if it names none."""
        if edit.of is None:
            self._apply(edit, now)
        else:
            self._waiting.append((edit, edit.nth))

    def reach(self, what: str, when: Side, moment: datetime) -> None:
        """Count an interaction and make the edits that it is the time for."""
        waiting, self._waiting = self._waiting, []
        due: list[Edit] = []
        for edit, left in waiting:
            if (edit.of, edit.when) != (what, when):
                self._waiting.append((edit, left))
            elif left > 1:
                self._waiting.append((edit, left - 1))
            else:
                due.append(edit)
        for edit in due:
            self._apply(edit, moment)

    def waiting(self) -> list[Edit]:
        """Those that are still to be made."""
        return [edit for edit, _ in self._waiting]
