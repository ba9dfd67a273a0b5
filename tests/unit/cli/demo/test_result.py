"""The demo's counts and conclusions: problems, detected faults, and tables."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import click
import pytest

from sfcutover.cli.demo import _COUNTS, _FOLDER, result_text
from sfcutover.cli.demo.commands import DemoCommandDocument
from sfcutover.cli.demo.faults import FAULTS, NO_FAULT
from sfcutover.cli.demo.result import (
    Arrival,
    Attempt,
    DemoAddressDocument,
    DemoDocument,
    DemoFault,
    DemoPhaseDocument,
    DemoResult,
    Mark,
    ScenarioResult,
    count,
    count_by_phase,
    marks_of,
    outage_seconds,
    phase_at,
)
from sfcutover.cli.demo.scenario import _INTRODUCTION
from sfcutover.runs.event import Event


def ended(exit_code: int) -> DemoCommandDocument:
    return DemoCommandDocument(
        command="sfcutover run --yes", exit_code=exit_code, expected_exit_code=0
    )


def phase(name: str, failed: int = 0, old: int = 0, new: int = 0) -> dict[str, object]:
    """A phase of the document; a negative count means refused redemptions."""
    return {
        "phase": name,
        "failed": failed,
        "addresses": [
            {"address": address, "redeemed": max(0, seen), "refused": max(0, -seen)}
            for address, seen in ((OLD, old), (NEW, new))
            if seen
        ],
    }


OLD, NEW = "192.0.2.1", "198.51.100.20"
RIGHT = ScenarioResult(
    order="right",
    commands=[ended(0)],
    marks=[Mark("add-new", 10.0), Mark("remove-old", 20.0)],
    attempts=[Attempt("one", 5.0, True), Attempt("one", 25.0, True)],
    arrivals=[Arrival(OLD, 5.0, True), Arrival(NEW, 25.0, True)],
    deployments_sent=[11.0, 21.0],
    customers=1,
    logged_in=1,
    report="<html>",
)
WRONG = replace(
    RIGHT,
    order="wrong",
    attempts=[Attempt("one", 21.0, False), Attempt("one", 24.5, True)],
    arrivals=[Arrival(OLD, 21.0, False), Arrival(NEW, 24.5, True)],
    deployments_sent=[],
    report="",
)


def test_no_problem_if_nothing_failed() -> None:
    assert list(RIGHT.problems(NO_FAULT.deployments)) == []
    assert list(WRONG.problems({})) == []


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (
            replace(RIGHT, commands=[ended(5)]),
            "sfcutover run --yes ended with exit code 5, not 0",
        ),
        (replace(RIGHT, attempts=[], arrivals=[]), "the application redeemed no token"),
        (
            replace(RIGHT, deployments_sent=[11.0, 12.0, 21.0]),
            "the org was sent {'add-new': 2, 'remove-old': 1}, not {'add-new': 1, 'remove-old': 1}",
        ),
        (replace(RIGHT, logged_in=0), "only 0 of 1 customers are still logged in"),
        (replace(RIGHT, arrivals=[]), "the application counts 2 successes, and the org 0"),
        (
            replace(RIGHT, attempts=[*RIGHT.attempts, Attempt("one", 26.0, False)]),
            "1 redemptions failed",
        ),
        (replace(RIGHT, report=""), "there is no report"),
        (
            replace(RIGHT, order="wrong", deployments_sent=[]),
            "the wrong order showed no outage",
        ),
        (
            replace(WRONG, deployments_sent=[21.0]),
            "the org was sent {'remove-old': 1}, not nothing",
        ),
    ],
)
def test_each_problem_is_named(result: ScenarioResult, words: str) -> None:
    deployments = NO_FAULT.deployments if result.order == "right" else {}
    assert list(result.problems(deployments)) == [words]


def test_only_a_customer_who_may_be_refused_may_fail() -> None:
    failed = replace(RIGHT, attempts=[*RIGHT.attempts, Attempt("one", 26.0, False)])
    assert list(failed.problems(NO_FAULT.deployments, "one")) == []
    assert list(failed.problems(NO_FAULT.deployments, "two")) == ["1 redemptions failed"]


def test_a_refused_canary_counts_after_it_should_be_accepted() -> None:
    arrivals = [Arrival(NEW, 9.0, False), Arrival(NEW, 12.0, False), Arrival(NEW, 13.0, True)]
    assert replace(RIGHT, canary_arrivals=arrivals).canary_refused == 1
    assert replace(RIGHT, canary_arrivals=arrivals[:1]).canary_refused == 0  # the control


def test_a_customer_is_served_if_the_last_redemption_succeeded() -> None:
    attempts = [Attempt("one", 1.0, False), Attempt("two", 2.0, True), Attempt("one", 3.0, True)]
    assert replace(RIGHT, attempts=attempts).all_served
    assert not replace(RIGHT, attempts=[*attempts, Attempt("two", 4.0, False)]).all_served


def test_the_wait_of_a_run_is_that_of_its_step() -> None:
    waits = replace(RIGHT, events=[Event(1, "r", 1.0, "paused", "control", None, {"message": "x"})])
    assert (waits.paused("control"), waits.paused("remove-old")) == ("x", "")


def test_every_fault_of_the_command_is_known() -> None:
    assert list(FAULTS) == list(get_args(DemoFault))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_not_reported_as_caught_by_a_run_without_it(name: DemoFault) -> None:
    assert FAULTS[name].caught_in(RIGHT) is None


def test_a_phase_starts_with_the_first_start_of_its_step() -> None:
    events = [
        Event(1, "r", 1.0, "run-started"),
        Event(2, "r", 2.0, "step-started", "snapshot", "packaging"),
        Event(3, "r", 3.0, "step-started", "add-new", "packaging"),
        Event(4, "r", 4.0, "step-started", "add-new", "packaging"),
        Event(5, "r", 5.0, "step-ended", "switch"),
    ]
    assert marks_of(events) == [Mark("add-new", 3.0)]


def test_the_table_of_the_right_order() -> None:
    text = click.unstyle(result_text(DemoResult([RIGHT], [], "/tmp/report.html")))
    assert text.splitlines() == [
        "phase       192.0.2.1  198.51.100.20  failed",
        "before              1              0       0",
        "add-new             0              0       0",
        "remove-old          0              1       0",
        "all                 1              1       0",
        "2 redemptions, 0 failed; 1 of 1 customers still logged in",
        "deployments: add-new 1, remove-old 1",
        "",
        *_COUNTS.splitlines(),
        "",
        *_FOLDER.splitlines(),
        "",
        "done: 0 of 2 redemptions failed",
        "report: /tmp/report.html",
    ]


def test_both_orders_are_shown_side_by_side() -> None:
    text = click.unstyle(result_text(DemoResult([RIGHT, WRONG], [], "/tmp/report.html")))
    assert "remove-old  1 refused              1       1" in text
    assert "                   right order  wrong order\n" in text
    assert "failed                       0            1\n" in text
    assert "seconds of outage          0.0          3.5\n" in text
    assert text.endswith(
        "done: 0 of 2 redemptions failed; wrong order: 1 of 2, an outage of 3.5 s\n"
        "report: /tmp/report.html"
    )


def test_the_note_about_the_report_follows_the_table_of_its_run() -> None:
    text = click.unstyle(result_text(DemoResult([RIGHT, WRONG], [], "/tmp/report.html")))
    assert f"remove-old 1\n\n{_COUNTS}\n\nwrong order\n" in text


def test_no_line_is_wider_than_a_terminal() -> None:
    text = click.unstyle(result_text(DemoResult([RIGHT, WRONG], [], "/tmp/report.html")))
    assert max(map(len, f"{_INTRODUCTION}\n{text}".splitlines())) <= 80


def test_redeemed_and_refused_are_told_apart() -> None:
    arrivals = [*RIGHT.arrivals, Arrival(NEW, 26.0, False)]
    text = click.unstyle(result_text(DemoResult([replace(RIGHT, arrivals=arrivals)])))
    assert "1 ok, 1 refused" in text


def test_the_last_line_reports_the_caught_fault_or_the_problem() -> None:
    seen = replace(DemoResult([RIGHT]), fault="one-address", caught="the probe saw it")
    assert click.unstyle(result_text(seen)).endswith("\n\ndetected: the probe saw it")
    not_right = click.unstyle(result_text(replace(seen, problems=["this", "that"])))
    assert not_right.endswith("\n\nUNEXPECTED: this\nUNEXPECTED: that")


def test_the_document_holds_both_orders() -> None:
    document = DemoDocument.model_validate(DemoResult([RIGHT, WRONG], ["this"], "/tmp/report.html"))
    assert document.model_dump(by_alias=True) == {
        "schema": "sfcutover/demo/1",
        "ok": False,
        "fault": None,
        "caught": None,
        "problems": ["this"],
        "report": "/tmp/report.html",
        "performances": [
            {
                "order": "right",
                "commands": [
                    {"command": "sfcutover run --yes", "exit_code": 0, "expected_exit_code": 0}
                ],
                "redemptions": 2,
                "failed": 0,
                "outage_seconds": 0.0,
                "customers": 1,
                "logged_in": 1,
                "deployments": {"add-new": 1, "remove-old": 1},
                "phases": [phase("before", old=1), phase("add-new"), phase("remove-old", new=1)],
            },
            {
                "order": "wrong",
                "commands": [
                    {"command": "sfcutover run --yes", "exit_code": 0, "expected_exit_code": 0}
                ],
                "redemptions": 2,
                "failed": 1,
                "outage_seconds": 3.5,
                "customers": 1,
                "logged_in": 1,
                "deployments": {},
                "phases": [
                    phase("before"),
                    phase("add-new"),
                    phase("remove-old", failed=1, old=-1, new=1),
                ],
            },
        ],
    }


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
def test_a_phase_lasts_until_the_next_one_starts(time: float, phase: str) -> None:
    assert phase_at(MARKS, time) == phase


def test_redemptions_are_counted_by_address_and_phase() -> None:
    assert count_by_phase(MARKS, ARRIVALS, ATTEMPTS) == [
        counters("before", _1=(1, 0)),
        counters("add-new", 1, _1=(1, 1), _2=(1, 0)),
        counters("switch"),
    ]


def test_a_redemption_that_never_reached_the_org_counts_as_failed() -> None:
    (before,) = count_by_phase((), (), [Attempt("one", 1.0, False)])
    assert before == counters("before", 1)


def test_the_total_is_the_sum_of_all_phases() -> None:
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
