"""Circumstances of a chaos run besides its trouble: the org's clock, and a colleague's edit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.emulator import Edit, Emulator
from tests.chaos.world import NEW, OLD
from tests.integration.safety.scene import entries

COLLEAGUE = "Casey Colleague"  # the emulator's name for who makes an edit
OFFICE = "192.0.2.64-192.0.2.71"  # an entry of every allowlist
ADDED = "192.0.2.200"
LARGEST_OFFSET = 300.0  # seconds
_INTERACTIONS = ("listMetadata", "retrieve", "checkDeployStatus", "deploy", "deployment", "redeem")
_LATEST = {"deployment": 2, "deploy": 2, "redeem": 60}  # customers redeem, too
_OWN = frozenset((*OLD, *NEW))


@dataclass(frozen=True)
class Circumstances:
    """clock_offset: how far the org's clock is ahead, in seconds. edit: a colleague's."""

    clock_offset: float = 0.0
    edit: Edit | None = None

    @property
    def words(self) -> str:
        """The circumstances for the line of the trial."""
        clock = f", the org's clock {self.clock_offset:+.0f} s" if self.clock_offset else ""
        return clock if self.edit is None else f", {self._edit_words}"

    @property
    def _edit_words(self) -> str:
        edit = self.edit
        if edit is None:
            return ""
        changes = [f"adds {one.range}" for one in edit.add]
        changes += [f"removes {each}" for each in edit.remove]
        changes += [f"describes {one.range}" for one in edit.describe]
        return f"a colleague {' and '.join(changes)} by {edit.by} {edit.when} {edit.nth} {edit.of}"

    def takes_addresses(self, emulator: Emulator) -> bool:
        """True if the colleague has removed addresses of the cutover."""
        edit = self._made(emulator)
        return edit is not None and not _OWN.isdisjoint(edit.remove)

    def lost_entries(self, emulator: Emulator) -> Iterator[str]:
        """Others' entries that were saved and that the allowlist does not hold as they should
        be."""
        history = emulator.allowlist_history
        wanted = {_key(one): one for one in history[0].allowlist if str(one) not in _OWN}
        if (edit := self._made(emulator)) is not None:
            for text in edit.remove:
                wanted.pop(_key(IpRange.parse(text)), None)
            for saved in (*edit.describe, *edit.add):
                wanted[_key(saved.parsed())] = saved.parsed()
        live = set(entries(emulator))
        ranges = {_key(one) for one in history[-1].allowlist}
        for key, entry in wanted.items():
            is_as_saved = entry.description is None or f"{key} {entry.description}" in live
            if key not in ranges or not is_as_saved:
                yield str(entry)

    def _made(self, emulator: Emulator) -> Edit | None:
        return None if self.edit is None or self.edit in emulator.edits else self.edit


def circumstances(number: int, kinds: int, chance: random.Random) -> Circumstances:
    """A clock that is off in a third of the trials, a colleague's edit in another third.

    kinds: how many troubles there are, so that each trouble occurs with all three.
    """
    lap, kind = divmod(number, kinds)
    match (lap + kind) % 3:
        case 1:
            return Circumstances(clock_offset=chance.uniform(-LARGEST_OFFSET, LARGEST_OFFSET))
        case 2:
            return Circumstances(edit=_edit(chance))
    return Circumstances()


def _edit(chance: random.Random) -> Edit:
    interaction = chance.choice(_INTERACTIONS)
    by = chance.choice(("setup", "setup", "deploy"))
    change = chance.choice(
        (
            {"add": [{"range": ADDED, "description": "billing system"}]},
            {"add": [{"range": ADDED, "description": "billing system"}]},
            {"describe": [{"range": OFFICE, "description": "office, second floor"}]},
            {"remove": [OFFICE]},
            {"remove": [chance.choice((*OLD, *NEW))]},
        )
    )
    return Edit.model_validate(
        change
        | {
            "of": interaction,
            "when": chance.choice(("before", "after")),
            "nth": chance.randint(1, _LATEST.get(interaction, 8)),
            "by": by,
            "seconds": chance.choice((0, 0.5, 1.5)) if by == "deploy" else 0,
        }
    )


def _key(entry: IpRange) -> str:
    return f"{entry.start} {entry.end}"


def holds_all(allowlist: Allowlist, addresses: tuple[str, ...]) -> bool:
    """True if every address is on the allowlist."""
    return allowlist.covers([IpRange.parse(each) for each in addresses])
