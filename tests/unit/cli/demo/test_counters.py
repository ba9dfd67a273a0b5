"""Traffic counted by phase and address, and how long a customer could not redeem."""

from __future__ import annotations

import pytest

from sfcutover.cli.demo.counters import (
    Arrival,
    Attempt,
    DemoAddressDocument,
    DemoPhaseDocument,
    Mark,
    count,
    count_by_phase,
    outage_seconds,
    phase_at,
)

MARKS = (Mark("switch", 20.0), Mark("add-new", 10.0))
ARRIVALS = [
    Arrival("192.0.2.1", 5.0, True),
    Arrival("192.0.2.1", 11.0, True),
    Arrival("192.0.2.1", 12.0, False),
    Arrival("192.0.2.2", 13.0, True),
]
ATTEMPTS = [Attempt("one", 12.1, False), Attempt("one", 13.1, True)]


def counters(phase: str, failed: int = 0, **addresses: tuple[int, int]) -> DemoPhaseDocument:
    """The addresses by their last digit: how many were redeemed, and how many refused."""
    return DemoPhaseDocument(
        phase=phase,
        failed=failed,
        addresses=[
            DemoAddressDocument(address=f"192.0.2.{name[-1]}", redeemed=redeemed, refused=refused)
            for name, (redeemed, refused) in addresses.items()
        ],
    )


@pytest.mark.parametrize(
    ("time", "phase"),
    [(9.9, "before"), (10.0, "add-new"), (19.9, "add-new"), (20.0, "switch"), (99.0, "switch")],
)
def test_a_phase_lasts_until_the_next_one_begins(time: float, phase: str) -> None:
    assert phase_at(MARKS, time) == phase


def test_redemptions_are_counted_where_and_when_they_came() -> None:
    assert count_by_phase(MARKS, ARRIVALS, ATTEMPTS) == [
        counters("before", _1=(1, 0)),
        counters("add-new", 1, _1=(1, 1), _2=(1, 0)),
        counters("switch"),
    ]


def test_a_failure_that_never_reached_the_org_counts() -> None:
    (before,) = count_by_phase((), (), [Attempt("one", 1.0, False)])
    assert before == counters("before", 1)


def test_the_sum_of_all_phases() -> None:
    assert count("all", ARRIVALS, ATTEMPTS) == counters("all", 1, _1=(2, 1), _2=(1, 0))


@pytest.mark.parametrize(
    ("answers", "seconds"),
    [
        ("", 0.0),
        ("+++", 0.0),
        ("+--+", 2.0),
        ("-+-+", 1.0),
        ("+-+---+", 3.0),
        ("+---", 2.0),
        ("+-", 0.0),
    ],
)
def test_an_outage_lasts_from_the_first_failure_to_the_next_success(
    answers: str, seconds: float
) -> None:
    attempts = [
        Attempt("one", float(time), answer == "+") for time, answer in enumerate(answers, 100)
    ]
    assert outage_seconds(reversed(attempts)) == seconds


def test_the_outage_is_that_of_the_customer_who_waited_longest() -> None:
    attempts = [
        Attempt("one", 1.0, False),
        Attempt("two", 1.0, False),
        Attempt("one", 2.0, True),
        Attempt("two", 4.5, True),
    ]
    assert outage_seconds(attempts) == 3.5
