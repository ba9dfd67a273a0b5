"""The limitations of a report: what a run leaves unproven, and the limits of every run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from sfcutover.allowlist.ranges import IpRange
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.dispatch import ProbeEvidence
from sfcutover.cutover.externalchanges import EXTERNAL_CHANGE
from sfcutover.cutover.verify import RedeemEvidence
from sfcutover.errors import Command
from sfcutover.output.console import shown
from sfcutover.output.report.lists import (
    ExternalChange,
    ReportPhaseDocument,
    ReportTargetDocument,
    external_changes,
)
from sfcutover.output.report.proofs import (
    ReportDeploymentDocument,
    ReportProofDocument,
    ReportWatchDocument,
    canary_share,
    named_by_history,
)
from sfcutover.output.report.rundata import RunData
from sfcutover.output.report.timeline import has_rolled_back, traffic_moves
from sfcutover.output.report.timescale import clock, duration, timestamp
from sfcutover.output.report.traffic import (
    AddressTraffic,
    Counts,
    counted_through,
    counting_targets,
    seconds,
    texts_of,
    total,
    unseen_targets,
)

LIMITS = (
    "An allowlist that reads back with or without an address shows what the org has stored. Only "
    "redemptions show that every login server enforces it, and only for the time of each one.",
    "The chart counts rows of LoginHistory: in whole seconds by the org's clock, of every app that "
    "redeems refresh tokens there, 2,000 rows a query at most. All other times are by the clock of "
    "the machine that executed the run.",
    "LoginHistory belongs to one org (Salesforce Help): the chart shows no customer who logs in to "
    "another org. Of those, this report states only what the checks measured.",
    "A proof shows that its own refresh token was redeemed through an address. It proves nothing "
    "for a customer whose token was revoked, or whose org has login rules of its own.",
    "Names of approvers come from their machine or CI system; they are not verified.",
)
LIMITS_OF_DOCUMENTS = (
    LIMITS[0],
    "Each time is by the clock of the machine that executed the step, or of the org that reported "
    "it: the order of steps within seconds of each other is not shown.",
    "The documents are not signed: nothing shows that they are unedited.",
    LIMITS[3],
)
_LATE = 60.0  # seconds at the end of a run in which a count may be missing
_GAP = 3.0  # intervals between two rounds of a watch that are too many
_NAMED = 5  # of many targets, so many are named


@dataclass(frozen=True)
class Limitations:
    """What a run leaves unproven, from the parts of its report. title: of its verdict."""

    data: RunData
    title: str
    targets: list[ReportTargetDocument]
    phases: list[ReportPhaseDocument]
    deployments: list[ReportDeploymentDocument]
    proofs: list[ReportProofDocument]
    watches: list[ReportWatchDocument]
    traffic: tuple[AddressTraffic, ...]

    def sentences(self) -> list[str]:
        """The most urgent first; each once."""
        found = (
            *self._of_the_run(),
            *(each.text("text") + "." for each in self.data.all(EXTERNAL_CHANGE)),
            *self._of_external_changes(),
            *self._of_the_way_back(),
            *self._of_addresses(),
            *self._of_restored_addresses(),
            *self._of_traffic_moved(),
            *self._of_lists(),
            *self._of_deployments(),
            *self._of_watches(),
            *self._of_proofs(),
            *self._of_the_chart(),
        )
        return list(dict.fromkeys(found))

    def _of_the_run(self) -> Iterator[str]:
        yield from self.data.missing
        if self.data.run.ended is None and not self.data.sources:
            yield (
                f"The run has not ended: this report shows it as it was at {clock(self.data.now)}."
            )
        elif self.data.state != "done":
            yield (
                f"The run is not done ({self.title.lower()}): it does not show that customers can "
                "do without the old addresses."
            )

    def _of_external_changes(self) -> Iterator[str]:
        for ranges, changes in external_changes(self.data).items():
            words = "these old addresses were" if len(ranges) > 1 else "this old address was"
            what = f"{', '.join(map(str, ranges))}: {words}"
            yield from _removed_before(what, [each for each in changes if each.seen is None])
            yield from _removed_meanwhile(what, [each for each in changes if each.seen is not None])

    def _of_the_way_back(self) -> Iterator[str]:
        """By the last probe before traffic moved, and by redemptions after it was moved back."""
        probes = [each.content for each in self.data.found(ProbeEvidence, "probe")]
        if probes and (doubt := probes[-1].no_way_back):
            yield f"{doubt[0].upper()}{doubt[1:]}, when the run started."
        for each in self.data.found(RedeemEvidence, "prove-old"):
            if each.content.unproven:
                yield (
                    "That redemptions through the old addresses succeed again is "
                    f"{each.content.sentence}."
                )

    def _of_addresses(self) -> Iterator[str]:
        """On each target separately: an address that one org allows, another one may block."""
        for row in self.traffic:
            for target, counts in row.by_target.items():
                where = f"from {row.address} on {target}"
                if row.side in ("new", "kept"):
                    yield from _still_blocked(where, counts)
                elif row.side == "old":
                    yield from _still_used(where, counts)
                    yield from _still_allowed(where, counts, *self._time_off_list(target))

    def _time_off_list(self, target: str) -> tuple[float, float]:
        """From when until when the old addresses were not on the list, as far as it was read."""
        removals = self.data.found(DeployEvidence, "remove-old")
        start = next((each.time for each in removals if each.target == target), inf)
        back = (
            each.time
            for each in self.data.all("rolling-back", "planned")
            if each.target == target and each.time > start
        )
        return start, next(back, inf)

    def _of_restored_addresses(self) -> Iterator[str]:
        """Old addresses that were removed and restored, and through which none came since."""
        for phase in self.phases:
            if phase.phase != "restore-old" or phase.live is None:
                continue
            if silent := ", ".join(self._silent(phase, int(timestamp(phase.live)))):
                yield (
                    f"{silent}: restored on the allowlist of {phase.target} at "
                    f"{clock(phase.live)}, and LoginHistory shows no redemption from there since: "
                    "nothing shows that customers can redeem again."
                )

    def _silent(self, phase: ReportPhaseDocument, since: int) -> Iterator[str]:
        """The addresses that a phase added, and from which no redemption came afterwards."""
        counting = counting_targets(self.data).get(phase.target, "")
        rows = [row for row in self.traffic if row.side != "other" and counting in row.by_target]
        added = (IpRange.parse(entry.range) for each in phase.components for entry in each.added)
        for text in dict.fromkeys(text for each in added for text in texts_of(each)):
            late = (
                second
                for row in rows
                if IpRange.parse(text).contains(IpRange.parse(row.address))
                for second in seconds(row.by_target[counting], "redeemed")
                if second >= since
            )
            if next(late, None) is None:
                yield text

    def _of_traffic_moved(self) -> Iterator[str]:
        """For each org where only this run's own canary was seen on a new address."""
        if not traffic_moves(self.data, "switch") or has_rolled_back(self.data):
            return
        counting = counting_targets(self.data)
        for first in dict.fromkeys(counting.values()):
            of_org = [name for name, each in counting.items() if each == first]
            yield from self._of_traffic_on(first, of_org)

    def _of_traffic_on(self, first: str, targets: list[str]) -> Iterator[str]:
        """first: the target of an org under which its redemptions are counted."""
        new = sum(
            total(row.by_target[first], "redeemed")
            for row in self.traffic
            if row.side == "new" and first in row.by_target
        )
        share = canary_share(self.data, targets)
        known = named_by_history([each for each in self.proofs if each.target in targets])
        where = f"LoginHistory of {names_of(targets)} shows"
        end = self._of_customers(targets)
        if not new:
            yield f"{where} no redemption through a new address: {end}"
        elif known and new <= share:
            many = f"{new:,} redemption{'s' if new != 1 else ''}"
            yield (
                f"{where} {many} through the new addresses, no more than this run's own canary "
                f"made ({share:,}): {end}"
            )

    def _of_customers(self, targets: list[str]) -> str:
        """What else shows that customers have left the old addresses of these targets."""
        removals = self.data.found(DeployEvidence, "remove-old")
        quiet = {each.target: each.content.quiet for each in removals}
        shown = [quiet.get(name) for name in targets]
        if not all(shown):
            return "nothing shows that customers' traffic has moved."
        words = "; ".join(dict.fromkeys(filter(None, shown)))
        return f"that customers have left the old addresses rests on the quiet checks: {words}."

    def _of_lists(self) -> Iterator[str]:
        never = [each.name for each in self.targets if not each.lists]
        if never:
            yield f"This run never read the allowlist of {names_of(never)}."
        if part := [each.name for each in self.targets if each.new == "some"]:
            yield (
                f"The allowlist of {names_of(part)} held only part of the new addresses when "
                "last read."
            )

    def _of_deployments(self) -> Iterator[str]:
        for each in self.deployments:
            if not each.done:
                ask = shown(Command("deployment", "report", each.id))
                yield (
                    f"The run did not see how the deployment {each.id} ({each.phase} on "
                    f"{each.target}) ended; ask the org: {ask}"
                )

    def _of_watches(self) -> Iterator[str]:
        watched = {each.target for each in self.watches}
        removed = {each.target for each in self.data.found(DeployEvidence, "remove-old")}
        if left := [name for name in self.data.targets if name in removed - watched]:
            yield f"After remove-old, {names_of(left)} was not watched."
        for each in self.watches:
            yield from _of_watch(each)

    def _of_proofs(self) -> Iterator[str]:
        """The same uncertainty about several targets is one sentence."""
        by_words: dict[str, list[str]] = {}
        for proof in self.proofs:
            by_canaries = (words for one in proof.evidence.canaries for words in one.uncertain)
            for words in (*by_canaries, *proof.evidence.uncertain):
                by_words.setdefault(words, []).append(proof.target)
        for words, targets in by_words.items():
            yield f"{names_of(targets)}: {words.rstrip('.')}."
        if not self.proofs:
            yield "No redemption of this run proved an address."

    def _of_the_chart(self) -> Iterator[str]:
        if self.data.sources:
            return
        if unseen := unseen_targets(self.data):
            yield (
                f"LoginHistory of {names_of(unseen)} showed no redemption during the run: it can't "
                "be read there, its rows come late, or there was none. Nothing shows whether "
                "customers there redeemed."
            )
        through = counted_through(self.data)
        if through is not None and through < self.data.end - _LATE:
            yield f"LoginHistory was counted only until {clock(through)}."


def names_of(targets: Iterable[str]) -> str:
    """``a, b and c``; of many the first, and how many more."""
    names = list(dict.fromkeys(targets))
    if len(names) > _NAMED + 1:
        names = [*names[:_NAMED], f"{len(names) - _NAMED} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _removed_before(what: str, changes: Sequence[ExternalChange]) -> Iterator[str]:
    if changes:
        yield (
            f"{what} not on the allowlist of {names_of(each.target for each in changes)} when this "
            f"run first read it, at {clock(min(each.found for each in changes))}: removed before, "
            "not by this run."
        )


def _removed_meanwhile(what: str, changes: Sequence[ExternalChange]) -> Iterator[str]:
    if changes:
        seen = min(each.seen or 0.0 for each in changes)
        yield (
            f"{what} removed from the allowlist of {names_of(each.target for each in changes)} by "
            f"another user, between {clock(seen)}, when this run last read it with them, and "
            f"{clock(max(each.found for each in changes))}, when it read it without them: not by "
            "this run, and not under its approval."
        )


def _of_watch(watch: ReportWatchDocument) -> Iterator[str]:
    where = f"The watch of {watch.target}"
    planned = timestamp(watch.until) - timestamp(watch.started)
    if watch.outcome is None:
        yield f"{where} has not ended; it is to last until {clock(watch.until)}."
    elif watch.outcome not in ("passed", "rolled-back"):
        yield f"{where} did not finish: {watch.outcome.rstrip('.')}."
    if watch.longest_gap > _GAP * watch.interval:
        yield (
            f"{where} plans a round every {duration(watch.interval)}, but had none for "
            f"{duration(watch.longest_gap)} of its {duration(planned)}."
        )


def _still_blocked(where: str, counts: Counts) -> Iterator[str]:
    redeemed, blocked = seconds(counts, "redeemed"), seconds(counts, "blocked")
    if blocked and (not redeemed or redeemed[-1] <= blocked[-1]):
        yield (
            f"{_blocked(where, counts)}, the last at {clock(blocked[-1])}, and none succeeded "
            "after that: nothing shows that customers can redeem from there."
        )


def _still_used(where: str, counts: Counts) -> Iterator[str]:
    if blocked := seconds(counts, "blocked"):
        yield (
            f"{_blocked(where, counts)}, the last at {clock(blocked[-1])}: some traffic still "
            "used that address while it was off the allowlist."
        )


def _still_allowed(where: str, counts: Counts, start: float, end: float) -> Iterator[str]:
    """LoginTime has whole seconds, so a redemption within a second of start or end may be from
    before or after."""
    late = [second for second in seconds(counts, "redeemed") if start + 1 < second < end - 1]
    if late:
        yield (
            f"Redemptions {where} succeeded until {clock(late[-1])}, although the allowlist "
            "was read back without it: something else allows it, or the change had not reached "
            "every login server."
        )


def _blocked(where: str, counts: Counts) -> str:
    count = total(counts, "blocked")
    many = "redemptions" if count != 1 else "redemption"
    return f"{count:,} {many} {where} {'were' if count != 1 else 'was'} blocked"
