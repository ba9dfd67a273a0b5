"""Texts of others stay texts, anywhere in Markdown."""

from __future__ import annotations

import pytest

from sfcutover.output.markdown.gfm import block, code, marker, shortened, table
from tests.unit.output.markdown.rendering import rendered, texts_outside_code

HOSTILE = [
    "@octocat see #1, GH-1, acme/repo#2 and 0123456789abcdef0123456789abcdef01234567",
    "https://evil.example/?q=1 www.evil.example someone@evil.example",
    "<img src=x onerror=alert(1)> <script>alert(1)</script> <!-- --> </details>",
    "[a](https://evil.example) ![b](https://evil.example/b.png) **c** _d_ ~~e~~",
    "one | two || three \\| four",
    "`one` ``two`` ```three```",
    "`",
    "\\`",
    "``` # heading",
    "~~~\n# heading\n\n- item",
    "one\r\n\r\n| a | b |\n| - | - |\n",
    "> [!WARNING]\n> x",
    ":warning: &lt;b&gt; &#64;octocat",
    "\x1b[31m\u202ered\u2066 \u200b@octocat",
    "    indented",
    "",
    "   ",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_inline_code_shows_the_text_without_markup(text: str) -> None:
    body = rendered(f"before {code(text)} after")
    assert [each.tag for each in body.iter()] == ["div", "p", "code"]
    assert texts_outside_code(body).strip() == "before  after"


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_can_leave_its_table_cell(text: str) -> None:
    body = rendered("\n".join(table(("one", "two#"), [(code(text), "2"), ("3", code(text))])))
    assert [len(row) for row in body.iter("tr")] == [2, 2, 2]
    assert {each.tag for each in body.iter("td", "code", "a", "img")} == {"td", "code"}
    assert [each.text_content() for each in body.iter("td")][1:3] == ["2", "3"]


@pytest.mark.parametrize("text", [each for each in HOSTILE if "\n" not in each])
def test_a_block_shows_the_text_and_ends_after_it(text: str) -> None:
    body = rendered("\n".join([*block([f"- {text}"], "diff"), "after"]))
    assert [each.tag for each in body] == ["pre", "p"]
    assert texts_outside_code(body).strip() == "after"


def test_a_pipe_character_is_shown_in_a_cell_and_outside() -> None:
    body = rendered("\n".join([*table(("one",), [(code("a|b"),)]), "", code("a|b")]))
    assert [each.text for each in body.iter("code")] == ["a|b", "a|b"]


def test_a_marker_is_invisible_and_cannot_be_closed() -> None:
    text = marker("plan", "a--> <b>@octocat")
    assert text == "<!-- sfcutover:plan:a-----b--octocat -->"
    assert rendered(text).text_content().strip() == ""


def test_a_long_text_is_truncated() -> None:
    assert (shortened("abcdef", 6), shortened("abcdefg", 6)) == ("abcdef", "abcde…")
