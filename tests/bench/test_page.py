from __future__ import annotations

from datetime import date

from tests.bench.page import PAGE, Occasion, Row, page_text

ROWS = [
    Row("help / click", "1.43x", "<= 1.5x", "It is fast."),
    Row("redemptions", "0.9x", ">= 0.7x", "It costs little."),
]


def test_the_page_states_figures_goals_meanings_machine_and_date() -> None:
    text = page_text(ROWS, Occasion("2 cores, Linux x86_64", date(2026, 11, 27)))
    assert "| help / click | 1.43x | at most 1.5x |" in text
    assert "| redemptions | 0.9x | at least 0.7x |" in text
    assert "- **help / click**: It is fast." in text
    assert "2026-11-27 on 2 cores, Linux x86_64" in text


def test_a_cell_cannot_end_its_row() -> None:
    text = page_text([Row("a | b", "1", "2", "c")], Occasion("m", date(2026, 11, 27)))
    assert r"| a \| b | 1 | 2 |" in text


def test_the_page_that_is_kept_names_every_goal() -> None:
    """Written by make bench, and not by hand."""
    text = PAGE.read_text(encoding="utf-8")
    figures = ("sfcutover --help", "sf project deploy start", "return after", "render and zip")
    assert [
        each for each in (*figures, "a whole run", "targets against 1") if each not in text
    ] == []
