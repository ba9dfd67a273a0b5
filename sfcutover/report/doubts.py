"""What remains unproven: of this run, in sentences, and of any run. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import inf

from sfcutover.documents.reports import (
    ReportDeploymentDocument,
    ReportPhaseDocument,
    ReportProofDocument,
    ReportTargetDocument,
    ReportWatchDocument,
)
from sfcutover.report.addresstraffic import AddressTraffic
from sfcutover.report.durations import clock, duration
from sfcutover.report.facts import Facts, names_of
from sfcutover.report.looks import removals_by_others
from sfcutover.report.moved import MovedTraffic
from sfcutover.report.traffic import counted_through, unseen_targets
from sfcutover.report.trafficdoubts import left_behind, let_in, still_blocked
from sfcutover.report.verdict import TITLES

LIMITS = (
    "A list that reads back with an address, or without it, says what the org has stored. That "
    "every login server acts on it is shown by redemptions only, and only for the time in which "
    "they were made.",
    "The chart counts what LoginHistory showed: whole seconds, by the org's clock, of every app "
    "of the org that redeems refresh tokens, and at most 2,000 rows a look. All other times are "
    "by the clock of the machine that performed the run.",
    "A proof shows that its own refresh token was redeemed through an address. A customer whose "
    "token was revoked, or whose org has login rules of its own, is not proven by it.",
    "Names of people are those of their machine or CI system; nobody has checked them.",
)
_LATE = 60.0  # seconds at the end of a run of which nothing need be counted
_GAP = 3.0  # intervals between two rounds of a watch that are too many


@dataclass(frozen=True)
class Doubts:
    """What the sentences are worked out from."""

    facts: Facts
    targets: list[ReportTargetDocument]
    phases: list[ReportPhaseDocument]
    proofs: list[ReportProofDocument]
    watches: list[ReportWatchDocument]
    deployments: list[ReportDeploymentDocument]
    traffic: tuple[AddressTraffic, ...]

    def sentences(self) -> list[str]:
        """The most urgent first; each once."""
        moved = MovedTraffic(self.facts, self.phases, self.proofs, self.traffic)
        found = (
            *self._of_the_run(),
            *(each.sentence for each in removals_by_others(self.facts)),
            *self._of_addresses(),
            *moved.not_back(),
            *moved.not_shown(),
            *self._of_lists(),
            *self._of_deployments(),
            *self._of_watches(),
            *self._of_proofs(),
            *self._of_the_chart(),
        )
        return list(dict.fromkeys(found))

    def _of_the_run(self) -> Iterator[str]:
        if self.facts.run.ended is None:
            yield (
                "The run has not ended: this report is how it stood at "
                f"{clock(self.facts.now)}, and what is said here may change."
            )
        elif self.facts.state != "done":
            yield (
                f"The run is not done ({TITLES[self.facts.state].lower()}): that customers can do "
                "without the old addresses is not shown."
            )

    def _of_addresses(self) -> Iterator[str]:
        """On each target apart: what one org lets in, another one may not."""
        for row in self.traffic:
            for target, counts in row.by_target.items():
                where = f"from {row.address} on {target}"
                if row.side in ("new", "kept"):
                    yield from still_blocked(where, counts)
                elif row.side == "old":
                    yield from left_behind(where, counts)
                    yield from let_in(where, counts, self._time_off(target))

    def _time_off(self, target: str) -> tuple[float, float]:
        """From when to when the old addresses were off this target's list."""
        off = (each.time for each, _ in self.facts.succeeded("remove-old") if each.target == target)
        begin = next(off, inf)
        back = (
            each.time
            for each in self.facts.all("rolling-back", "planned")
            if each.target == target and each.time > begin
        )
        return begin, next(back, inf)

    def _of_lists(self) -> Iterator[str]:
        never = [each.name for each in self.targets if not each.lists]
        if never:
            yield f"The list of {names_of(never)} was never read in this run."
        if part := [each.name for each in self.targets if each.new == "some"]:
            yield f"The list of {names_of(part)}, read last, held a part of the new addresses only."

    def _of_deployments(self) -> Iterator[str]:
        for each in self.deployments:
            if not each.done:
                yield (
                    f"How the deployment {each.id} ({each.phase} on {each.target}) ended was not "
                    f"seen; ask the org: sfcutover deployment report {each.id}"
                )

    def _of_watches(self) -> Iterator[str]:
        watched = {each.target for each in self.watches}
        removed = {event.target for event, _ in self.facts.succeeded("remove-old")}
        if left := [name for name in self.facts.targets if name in removed - watched]:
            yield f"After remove-old, {names_of(left)} was not watched."
        for each in self.watches:
            yield from _of_watch(each)

    def _of_proofs(self) -> Iterator[str]:
        """The same doubt about several targets is one sentence."""
        by_words: dict[str, list[str]] = {}
        for proof in self.proofs:
            for words in proof.evidence.uncertain:
                by_words.setdefault(words, []).append(proof.target)
        for words, targets in by_words.items():
            yield f"{names_of(targets)}: {words.rstrip('.')}."
        if not self.proofs:
            yield "No address was proven by a redemption in this run."

    def _of_the_chart(self) -> Iterator[str]:
        if unseen := unseen_targets(self.facts):
            yield (
                f"LoginHistory of {names_of(unseen)} showed no redemption during the run: it "
                "can't be read there, comes late, or there was none. The chart leaves it out, so "
                "whether customers there redeemed is not shown."
            )
        through = counted_through(self.facts)
        if through is not None and through < self.facts.end - _LATE:
            yield f"Redemptions were counted until {clock(through)} only."


def _of_watch(watch: ReportWatchDocument) -> Iterator[str]:
    where = f"The watch of {watch.target}"
    planned = _seconds(watch.until) - _seconds(watch.begun)
    if watch.outcome is None:
        yield f"{where} has not ended; it is to last until {clock(watch.until)}."
    elif watch.outcome not in ("passed", "rolled-back"):
        yield f"{where} did not come to an end: {watch.outcome.rstrip('.')}."
    if watch.longest_gap > _GAP * watch.interval:
        yield (
            f"{where} looks every {duration(watch.interval)}, but once nobody looked for "
            f"{duration(watch.longest_gap)} of its {duration(planned)}."
        )


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
