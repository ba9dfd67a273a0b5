"""The whole report of a run, put together from its facts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

from sfcutover.allowlist.documents import RangeDocument
from sfcutover.documents.reports import ReportDocument, ReportPhaseDocument
from sfcutover.report.addresstraffic import AddressTraffic, seconds
from sfcutover.report.boundaries import Boundary, boundaries
from sfcutover.report.deployments import deployments
from sfcutover.report.doubts import LIMITS, Doubts
from sfcutover.report.facts import Facts
from sfcutover.report.lists import phases, targets
from sfcutover.report.own import canary
from sfcutover.report.people import decisions
from sfcutover.report.proofs import proofs, watches
from sfcutover.report.timeline import Quiet, events, quiet_times, steps
from sfcutover.report.timescale import TimeScale
from sfcutover.report.traffic import traffic
from sfcutover.report.verdict import verdict
from sfcutover.runs.documents import RunDocument, moment_text

BINS = 200  # of the document; a chart has its own


@dataclass(frozen=True)
class Report:
    """The document, and what a chart is drawn from."""

    document: ReportDocument
    traffic: tuple[AddressTraffic, ...]
    boundaries: tuple[Boundary, ...]
    quiet: tuple[Quiet, ...]
    scale: TimeScale

    @classmethod
    def of(cls, facts: Facts) -> Report:
        rows, changed, quiet = traffic(facts), phases(facts), quiet_times(facts)
        cuts = boundaries(facts, changed)
        counted = [second for row in rows for second in seconds(row.counts)]
        start = min([facts.run.started, *counted])
        scale = TimeScale.of(start, max([facts.end, *(each + 1 for each in counted)]), quiet)
        document = _document(facts, rows, changed, cuts, scale)
        return cls(document, rows, tuple(cuts), tuple(quiet), scale)


def _document(
    facts: Facts,
    rows: tuple[AddressTraffic, ...],
    changed: list[ReportPhaseDocument],
    cuts: list[Boundary],
    scale: TimeScale,
) -> ReportDocument:
    lists, made, seen, sent = targets(facts), proofs(facts), watches(facts), deployments(facts)
    rules, bins = facts.rules, scale.bins(BINS)
    return ReportDocument(
        made=moment_text(facts.now),
        version=version("sfcutover"),
        verdict=verdict(facts),
        run=RunDocument.of(facts.run, facts.progress, facts.place),
        seconds=round(facts.end - facts.run.started, 3),
        app=rules.app,
        api_version=rules.api_version,
        carriers=list(rules.carriers),
        old=[RangeDocument.of(each) for each in rules.change.old],
        new=[RangeDocument.of(each) for each in rules.change.new],
        rules=rules.gates,
        targets=lists,
        steps=steps(facts),
        decisions=decisions(facts),
        phases=changed,
        deployments=sent,
        proofs=made,
        watches=seen,
        boundaries=[each.document() for each in cuts],
        traffic=[each.document(bins) for each in rows],
        canary=canary(facts, made),
        events=events(facts),
        unproven=Doubts(facts, lists, changed, made, seen, sent, rows).sentences(),
        limits=list(LIMITS),
    )
