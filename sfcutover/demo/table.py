"""What came of the traffic, as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click

from sfcutover.demo.orders import STEP_SECONDS
from sfcutover.demo.performance import Performance
from sfcutover.demo.show import Shown
from sfcutover.demo.tally import Count, PhaseTally, all_phases

_FAILED = "failed"
_GAP = "  "
_OUTAGE = (
    "The outage is that of the customer who waited longest, with "
    f"{STEP_SECONDS:.0f} s for each step; else it lasts\n"
    "as long as it takes somebody to move the traffic. A token that was refused for its address\n"
    "is not used up: those customers stay logged in whose application tries it again."
)


def shown_text(shown: Shown) -> str:
    """The tables, the report's path, and in the last line what it all comes to."""
    parts = [traffic_table(each, len(shown.performances) > 1) for each in shown.performances]
    if len(shown.performances) > 1:
        parts.append(orders_table(shown.performances))
    last = [f"report: {shown.report}"] if shown.report else []
    return "\n\n".join([*parts, "\n".join([*last, *_verdict(shown)])])


def traffic_table(done: Performance, named: bool) -> str:
    """Redemptions by phase and address as the org saw them, and how many failed for the
    application. named: with a line that says which order it was."""
    head = ["phase", *done.addresses, _FAILED]
    rows = [_row(phase, done.addresses) for phase in (*done.phases, all_phases(done.phases))]
    lines = _aligned([head, *rows])
    title = [click.style(f"{done.order} order", bold=True)] if named else []
    return "\n".join([*title, click.style(lines[0], bold=True), *lines[1:], _summary(done)])


def orders_table(performances: Sequence[Performance]) -> str:
    """Both orders side by side."""
    head = ["", *(f"{each.order} order" for each in performances)]
    rows = [
        ["redemptions", *(str(each.redemptions) for each in performances)],
        [_FAILED, *(str(each.failed) for each in performances)],
        ["seconds of outage", *(f"{each.outage:.1f}" for each in performances)],
    ]
    lines = _aligned([head, *rows])
    return "\n".join([click.style(lines[0], bold=True), *lines[1:], _OUTAGE])


def _summary(done: Performance) -> str:
    sent = ", ".join(f"{name} {count}" for name, count in done.deployments.items())
    return (
        f"{done.redemptions} redemptions, {done.failed} failed; {done.logged_in} of "
        f"{done.customers} customers still logged in; deployments: {sent or 'none'}"
    )


def _verdict(shown: Shown) -> list[str]:
    wrong = [click.style(f"NOT AS IT SHOULD BE: {each}", fg="red") for each in shown.problems]
    if wrong:
        return wrong
    if shown.caught:
        return [f"{click.style('caught:', fg='green', bold=True)} {shown.caught}"]
    return [f"{click.style('done:', fg='green', bold=True)} {_in_words(shown.performances)}"]


def _in_words(performances: Sequence[Performance]) -> str:
    first, *others = performances
    return "; ".join(
        [
            f"{first.failed} of {first.redemptions} redemptions failed",
            *(
                f"in the {each.order} order {each.failed} of {each.redemptions}, an outage of "
                f"{each.outage:.1f} s"
                for each in others
            ),
        ]
    )


def _row(tally: PhaseTally, addresses: Sequence[str]) -> list[str]:
    cells = [_cell(tally.addresses.get(address, Count())) for address in addresses]
    return [tally.phase, *cells, str(tally.failed)]


def _cell(count: Count) -> str:
    refused = f"{count.refused} refused"
    if count.redeemed and count.refused:
        return f"{count.redeemed}, {refused}"
    return refused if count.refused else str(count.redeemed)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, all others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        _GAP.join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
