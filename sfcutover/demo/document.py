"""The demo as one JSON document."""

from __future__ import annotations

from sfcutover.demo.performance import Performance
from sfcutover.demo.show import Shown
from sfcutover.demo.tally import PhaseTally
from sfcutover.documents.commands import (
    DemoAddressDocument,
    DemoCommandDocument,
    DemoDocument,
    DemoFault,
    DemoPerformanceDocument,
    DemoPhaseDocument,
)


def demo_document(shown: Shown, fault: DemoFault | None) -> DemoDocument:
    return DemoDocument(
        ok=shown.ok,
        fault=fault,
        caught=shown.caught or None,
        problems=list(shown.problems),
        report=str(shown.report) if shown.report else None,
        performances=[_performance(each) for each in shown.performances],
    )


def _performance(done: Performance) -> DemoPerformanceDocument:
    return DemoPerformanceDocument(
        order=done.order,
        commands=[
            DemoCommandDocument(
                command=each.line, exit_code=each.exit_code, expected_exit_code=each.expected
            )
            for each in done.commands
        ],
        redemptions=done.redemptions,
        failed=done.failed,
        outage_seconds=round(done.outage, 3),
        customers=done.customers,
        logged_in=done.logged_in,
        deployments=done.deployments,
        phases=[_phase(each) for each in done.phases],
    )


def _phase(tally: PhaseTally) -> DemoPhaseDocument:
    return DemoPhaseDocument(
        phase=tally.phase,
        failed=tally.failed,
        addresses=[
            DemoAddressDocument(address=address, redeemed=count.redeemed, refused=count.refused)
            for address, count in sorted(tally.addresses.items())
        ],
    )
