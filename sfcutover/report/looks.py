"""What each list held whenever the run looked, and what somebody else took off in between. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from sfcutover.allowlist.documents import PhaseDocument
from sfcutover.allowlist.ranges import Allowlist, IpRange, subtract
from sfcutover.cutover.evidence import Evidence as Proof
from sfcutover.report.durations import clock
from sfcutover.report.facts import Facts
from sfcutover.report.lists import READERS, live_lists
from sfcutover.report.sent import may_be_sent
from sfcutover.runs.journal import Event
from sfcutover.runs.progress import evidence_of

_PHASE = "remove-old"
Lists = Mapping[str, Allowlist]  # by the path of each carrier's component


@dataclass(frozen=True)
class Look:
    """A target's lists at a time, in seconds since 1970. seq: of the event that tells of it."""

    seq: int
    time: float
    lists: Lists


@dataclass(frozen=True)
class Removal:
    """Old addresses that came off a list, but not by this run.

    seen: when the run last saw them there, None if never; found: when it saw them gone.
    """

    target: str
    ranges: tuple[IpRange, ...]
    seen: float | None
    found: float

    @property
    def sentence(self) -> str:
        """For what remains unproven."""
        words = "these old addresses were" if len(self.ranges) > 1 else "this old address was"
        what = f"{', '.join(map(str, self.ranges))}: {words}"
        if self.seen is None:
            return (
                f"{what} not on the list of {self.target} when this run first looked, at "
                f"{clock(self.found)}: taken off before, not by this run."
            )
        return (
            f"{what} taken off the list of {self.target} by somebody else, between "
            f"{clock(self.seen)}, the last time this run saw the list with it, and "
            f"{clock(self.found)}, when it found the list without it: not by this run, and not "
            "under its approval."
        )


def removals_by_others(facts: Facts) -> list[Removal]:
    """In the order of the targets."""
    return [each for name in facts.targets for each in _removals(facts, name)]


def looks(facts: Facts, target: str) -> list[Look]:
    """Every look at a target's lists; also those of a proof, which says only that they are as
    they were at the look before."""
    found: list[Look] = []
    for event in facts.all("step-ended", "proven"):
        if event.target == target and event.data.get("problem") is None:
            found += _look(event, found[-1:])
    return found


def hashes(lists: Lists) -> dict[str, str]:
    """What a proof says of lists, as list_hashes in sfcutover.cutover.evidence makes it."""
    texts = {path: "\n".join(sorted(map(str, entries))) for path, entries in lists.items()}
    return {path: hashlib.sha256(text.encode()).hexdigest() for path, text in texts.items()}


def _look(event: Event, last: Iterable[Look]) -> Iterator[Look]:
    evidence = evidence_of(event)
    proof = evidence.get("proof") or event.data.get("evidence")
    if event.step in READERS and (read := live_lists(evidence)) is not None:
        lists = {
            each.path: Allowlist(tuple(IpRange.parse(entry.range) for entry in each.ranges))
            for each in read
        }
        yield Look(event.seq, event.time, lists)
    elif isinstance(proof, dict) and "lists" in proof:
        made = Proof.model_validate(proof)
        for before in last:
            if made.lists == hashes(before.lists):
                yield Look(event.seq, made.started.timestamp(), before.lists)


def _removals(facts: Facts, target: str) -> Iterator[Removal]:
    seen = looks(facts, target)
    ends = any(event.target == target for event, _ in facts.succeeded(_PHASE))
    if seen and ends and (never := _on_no_list(seen[0], facts.rules.change.removed)):
        yield Removal(target, never, None, seen[0].time)
    for before, after in pairwise(seen):
        gone = _gone(before, after, facts.rules.change.removed)
        if others := subtract(gone, _by_this_run(facts, target, before, after)):
            yield Removal(target, others, before.time, after.time)


def _on_no_list(look: Look, ranges: tuple[IpRange, ...]) -> tuple[IpRange, ...]:
    for entries in look.lists.values():
        ranges = entries.uncovered(ranges)
    return ranges


def _gone(before: Look, after: Look, ranges: tuple[IpRange, ...]) -> tuple[IpRange, ...]:
    """What was on a carrier's list, and is there no more."""
    gone = (
        each
        for path in before.lists.keys() & after.lists.keys()
        for held in [subtract(ranges, before.lists[path].uncovered(ranges))]
        for each in after.lists[path].uncovered(held)
    )
    return tuple(dict.fromkeys(gone))


def _by_this_run(facts: Facts, target: str, before: Look, after: Look) -> list[IpRange]:
    """What it may have taken off between two looks."""
    if not may_be_sent(facts, target, _PHASE, before.seq, after.seq):
        return []
    plans = (
        PhaseDocument.model_validate(each.data.get("phase"))
        for each in facts.all("planned")
        if each.target == target and before.seq < each.seq < after.seq
    )
    return [
        IpRange.parse(entry.range)
        for plan in plans
        for component in plan.components
        for entry in component.removed
    ]
