"""What a command reports about allowlists and traffic, compared with the emulator's history.

A sentence is false if it was true at no moment shortly before it was printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sfcutover.allowlist.ranges import Allowlist
from sfcutover.emulator.enforcement import ListVersion
from tests.chaos.circumstances import holds_all
from tests.chaos.world import NEW, OLD, World

_RECENT = timedelta(seconds=5)  # a printed reading may be that old
_TIME = re.compile(r"^(\d\d):(\d\d):(\d\d)Z ")


@dataclass(frozen=True)
class Moment:
    """The state at some time shortly before a sentence. side: where traffic leaves."""

    lists: Sequence[Allowlist]
    first: Allowlist
    switches: Sequence[str]
    side: str

    def some(self, *, on: tuple[str, ...] = (), off: tuple[str, ...] = ()) -> bool:
        """True if one of the allowlists holds all of the first, and none of the second."""
        return any(
            holds_all(one, on) and not any(holds_all(one, (each,)) for each in off)
            for one in self.lists
        )

    @property
    def is_as_before(self) -> bool:
        """True if the cutover's addresses are as they were at the start."""
        wanted = [each for each in (*OLD, *NEW) if holds_all(self.first, (each,))]
        others = [each for each in (*OLD, *NEW) if each not in wanted]
        return self.some(on=tuple(wanted), off=tuple(others))


def _entries_read(moment: Moment, found: re.Match[str]) -> bool:
    return any(len(one.ranges) == int(found[1]) for one in moment.lists)


Holds = Callable[[Moment, re.Match[str]], bool]
_CLAIMS: tuple[tuple[str, Holds], ...] = (
    (
        r"every target's allowlist has the new addresses and not the old ones",
        lambda moment, _: moment.some(on=NEW, off=OLD),
    ),
    (r"the allowlists are as they were before the cutover", lambda moment, _: moment.is_as_before),
    (r"the old addresses are on the allowlist (again|of)", lambda moment, _: moment.some(on=OLD)),
    (
        r"old and new addresses are on the allowlists",
        lambda moment, _: moment.some(on=(*OLD, *NEW)),
    ),
    (r"no traffic was moved", lambda moment, _: not moment.switches),
    (r"traffic is back on the old addresses", lambda moment, _: moment.side == "old"),
    (r"nothing was changed in the org", lambda moment, _: moment.is_as_before),
    (r"read back: (\d+) entries", _entries_read),
)


def false_claims(here: World, out: str) -> Iterator[str]:
    """The lines of a command's output that contradict the history; called after it has ended."""
    history = here.emulator.allowlist_history
    now = datetime.now(UTC)
    said_at = now
    for line in out.splitlines():
        if stamp := _TIME.match(line):
            said_at = _moment_of(stamp, now) + timedelta(seconds=1)
        else:
            said_at = now
        moment = Moment(
            _lists_between(history, said_at - _RECENT, said_at),
            history[0].allowlist,
            here.switches,
            here.side,
        )
        for pattern, holds in _CLAIMS:
            found = re.search(pattern, line)
            if found is not None and not holds(moment, found):
                yield line


def _moment_of(stamp: re.Match[str], now: datetime) -> datetime:
    hour, minute, second = (int(each) for each in stamp.groups())
    moment = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return moment if moment <= now + timedelta(seconds=1) else moment - timedelta(days=1)


def _lists_between(
    history: Sequence[ListVersion], start: datetime, end: datetime
) -> list[Allowlist]:
    """Every allowlist that was live at some time between the two."""
    before = [one for one in history if one.time <= start]
    during = [one for one in history if start < one.time <= end]
    return [one.allowlist for one in (*(before or history[:1])[-1:], *during)]
