"""The generated parts of pages are up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.generated import PARTS, ROOT, names_in, pages, renewed


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_generated_parts_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == renewed(text), "make docs writes it again"


def test_every_part_is_on_one_page() -> None:
    named = [name for page in pages() for name in names_in(page.read_text(encoding="utf-8"))]
    assert sorted(named) == sorted(PARTS)


def test_a_changed_part_is_replaced() -> None:
    page = "a\n<!-- generated: exit codes -->\nold\n<!-- end of exit codes -->\nb\n"
    assert "old" not in renewed(page)
    assert "| 75 | " in renewed(page)
    assert renewed(page).startswith("a\n")
    assert renewed(page).endswith("\nb\n")
