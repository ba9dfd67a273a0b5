"""Whether redemptions show that customers' traffic has moved, and that a way back works. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sfcutover.allowlist.ranges import IpRange
from sfcutover.documents.reports import ReportPhaseDocument, ReportProofDocument
from sfcutover.report.addresstraffic import AddressTraffic, seconds, total
from sfcutover.report.durations import clock, moment
from sfcutover.report.facts import Facts, names_of
from sfcutover.report.own import named_by_history, through_new
from sfcutover.report.people import switched_by_hand
from sfcutover.report.traffic import speakers, texts_of


@dataclass(frozen=True)
class MovedTraffic:
    """What the sentences are worked out from."""

    facts: Facts
    phases: list[ReportPhaseDocument]
    proofs: list[ReportProofDocument]
    rows: tuple[AddressTraffic, ...]

    def not_shown(self) -> Iterator[str]:
        """Of each org: nobody but this run's own canary was seen on a new address."""
        if not _has_gone_over(self.facts):
            return
        counted = speakers(self.facts)
        for speaker in dict.fromkeys(counted.values()):
            yield from self._of_org(
                speaker, [name for name, first in counted.items() if first == speaker]
            )

    def not_back(self) -> Iterator[str]:
        """Old addresses that were taken off and put back, and through which none came since."""
        for phase in self.phases:
            if phase.phase != "restore-old" or phase.live is None:
                continue
            if silent := ", ".join(self._silent(phase, int(moment(phase.live).timestamp()))):
                yield (
                    f"{silent}: put back on the list of {phase.target} at {clock(phase.live)}, "
                    "and no redemption was seen from there since: nothing shows that customers "
                    "are let in again."
                )

    def _of_org(self, speaker: str, targets: list[str]) -> Iterator[str]:
        new = sum(
            total(row.by_target[speaker], "redeemed")
            for row in self.rows
            if row.side == "new" and speaker in row.by_target
        )
        own = sum(through_new(self.facts, name) for name in targets)
        known = named_by_history([each for each in self.proofs if each.target in targets])
        where = f"LoginHistory of {names_of(targets)} shows"
        end = "it is not shown that customers' traffic has moved."
        if not new:
            yield f"{where} no redemption through a new address: {end}"
        elif known and new <= own:
            many = f"{new:,} redemption{'s' if new != 1 else ''}"
            yield (
                f"{where} {many} through the new addresses, no more than this run's own canary "
                f"made ({own:,}): {end}"
            )

    def _silent(self, phase: ReportPhaseDocument, since: float) -> Iterator[str]:
        speaker = speakers(self.facts).get(phase.target, "")
        added = (entry.range for each in phase.components for entry in each.added)
        for text in dict.fromkeys(text for each in added for text in texts_of(IpRange.parse(each))):
            late = (
                second
                for row in self.rows
                if speaker in row.by_target and _lies_in(row.address, text)
                for second in seconds(row.by_target[speaker], "redeemed")
                if second >= since
            )
            if next(late, None) is None:
                yield text


def _has_gone_over(facts: Facts) -> bool:
    """True if traffic was moved, and nothing has gone back since."""
    moved = [*facts.succeeded("switch"), *switched_by_hand(facts, "switch")]
    return bool(moved) and not facts.all("rolling-back", "rollback-started")


def _lies_in(address: str, text: str) -> bool:
    """False for a row of several addresses: none of them is of the cutover."""
    try:
        return IpRange.parse(text).contains(IpRange.parse(address))
    except ValueError:
        return False
