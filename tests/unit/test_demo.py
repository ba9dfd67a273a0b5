"""What the demo makes of a performance: its verdict, what was caught, and the tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import click
import pytest

from sfcutover.demo.application import Application, TokenUrl
from sfcutover.demo.faults import FAULTS, ONCE_EACH, WELL
from sfcutover.demo.performance import Command, Performance, marks_of
from sfcutover.demo.setuppage import put_on, take_off
from sfcutover.demo.show import Shown
from sfcutover.demo.table import shown_text
from sfcutover.demo.tally import Arrival, Attempt, Mark
from sfcutover.demo.verdict import problems_of
from sfcutover.documents.commands import DemoFault
from sfcutover.emulator import Emulator
from sfcutover.runs.journal import Event
from tests.integration.cli.harness import eventually

OLD, NEW = "192.0.2.1", "198.51.100.20"
RIGHT = Performance(
    order="right",
    commands=[Command("sfcutover run --yes", 0, 0)],
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


def test_all_is_well_when_nothing_failed() -> None:
    assert list(problems_of(RIGHT, ONCE_EACH)) == []
    assert list(problems_of(WRONG, {})) == []


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (
            replace(RIGHT, commands=[Command("sfcutover run --yes", 5, 0)]),
            "sfcutover run --yes ended with exit code 5, not 0",
        ),
        (replace(RIGHT, attempts=[], arrivals=[]), "the application redeemed nothing"),
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
def test_what_is_not_as_it_should_be_is_named(done: Performance, words: str) -> None:
    assert list(problems_of(done, ONCE_EACH if done.order == "right" else {})) == [words]


def test_every_fault_of_the_command_is_there_and_no_other() -> None:
    assert list(FAULTS) == list(get_args(DemoFault))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_not_said_to_be_caught_by_a_run_that_did_not_see_it(name: DemoFault) -> None:
    assert FAULTS[name].caught(RIGHT) == ""
    assert WELL.caught(RIGHT)


def test_a_phase_begins_when_its_step_first_did() -> None:
    events = [
        Event(1, "r", 1.0, "run-started"),
        Event(2, "r", 2.0, "step-started", "snapshot", "packaging"),
        Event(3, "r", 3.0, "step-started", "add-new", "packaging"),
        Event(4, "r", 4.0, "step-started", "add-new", "packaging"),
        Event(5, "r", 5.0, "step-ended", "switch"),
    ]
    assert marks_of(events) == [Mark("add-new", 3.0)]


def test_the_table_of_the_right_order() -> None:
    text = click.unstyle(shown_text(Shown([RIGHT], [], Path("/tmp/report.html"))))
    assert text.splitlines() == [
        "phase       192.0.2.1  198.51.100.20  failed",
        "before              1              0       0",
        "add-new             0              0       0",
        "remove-old          0              1       0",
        "all                 1              1       0",
        "2 redemptions, 0 failed; 1 of 1 customers still logged in; deployments: add-new 1, "
        "remove-old 1",
        "",
        "report: /tmp/report.html",
        "done: 0 of 2 redemptions failed",
    ]


def test_both_orders_stand_side_by_side() -> None:
    text = click.unstyle(shown_text(Shown([RIGHT, WRONG], [], Path("/tmp/report.html"))))
    assert "remove-old  1 refused              1       1" in text
    assert "                   right order  wrong order\n" in text
    assert "failed                       0            1\n" in text
    assert "seconds of outage          0.0          3.5\n" in text
    assert text.endswith(
        "done: 0 of 2 redemptions failed; in the wrong order 1 of 2, an outage of 3.5 s"
    )


def test_the_last_line_says_what_was_caught_or_what_was_not_right() -> None:
    caught = click.unstyle(shown_text(Shown([RIGHT], [], None, "the probe saw it")))
    assert caught.endswith("\n\ncaught: the probe saw it")
    not_right = click.unstyle(shown_text(Shown([RIGHT], ["this", "that"], None, "it was seen")))
    assert not_right.endswith("\n\nNOT AS IT SHOULD BE: this\nNOT AS IT SHOULD BE: that")


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def test_somebody_in_setup_saves_what_he_likes(org: Emulator) -> None:
    take_off(org, org.scenario.old)
    put_on(org, org.scenario.new)
    before, between, after = org.allowlist_history
    old, new = org.scenario.old[1], org.scenario.new[1]
    assert (before.holds(old), between.holds(old), after.holds(old)) == (True, False, False)
    assert (before.holds(new), between.holds(new), after.holds(new)) == (False, False, True)
    assert after.holds("192.0.2.64")  # somebody else's


def test_the_application_follows_the_proxy_and_keeps_its_tokens(org: Emulator) -> None:
    values = org.environment
    token_url = TokenUrl.of(values)
    sides = iter(["OLD", "NEW", "OLD"])
    (name, first) = org.customer_tokens[0]

    def redeem(token: str) -> str | None:
        return token_url.redeem(token, values[f"SFCUTOVER_{next(sides)}_PROXY_URL"])

    second = redeem(first)
    assert second is not None
    assert redeem(second) is None  # the new address is not on the list
    third = redeem(second)  # a refusal has not used it up
    assert (name, third) in org.customer_tokens
    assert [each.result for each in org.redemptions] == ["redeemed", "blocked", "redeemed"]


def test_the_application_serves_every_customer_until_it_is_stopped(org: Emulator) -> None:
    proxy = org.environment["SFCUTOVER_OLD_PROXY_URL"]
    customers = org.customer_tokens
    application = Application(customers, TokenUrl.of(org.environment), lambda: proxy)
    with application:
        eventually(lambda: len({each.customer for each in application.attempts}) == len(customers))
    served = application.attempts
    assert all(each.redeemed for each in served)
    assert len(served) == len(org.redemptions)
    application.stop()
    assert application.attempts == served
