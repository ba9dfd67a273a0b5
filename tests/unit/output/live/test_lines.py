"""The marks of the live view."""

from __future__ import annotations

import pytest

from sfcutover.output.live.lines import ASCII, Marks, marks_for
from tests.unit.cutover.journaled import Story
from tests.unit.output.live.viewedrun import viewed_run


@pytest.mark.parametrize(
    ("encoding", "environment", "marks"),
    [
        ("utf-8", {"LANG": "en_US.UTF-8"}, Marks()),
        ("UTF-8", {"LC_ALL": "C.utf8", "LANG": "C"}, Marks()),
        ("utf-8", {"LC_CTYPE": "C.UTF-8", "LANG": "de_DE.utf8"}, Marks()),
        ("utf-8", {"LANG": "C"}, ASCII),
        ("utf-8", {"LC_ALL": "C", "LANG": "en_US.UTF-8"}, ASCII),
        ("utf-8", {"LC_CTYPE": "C.UTF-8", "LANG": "C"}, ASCII),  # Python has set LC_CTYPE
        ("utf-8", {}, ASCII),
        ("iso8859-15", {"LANG": "en_US.UTF-8"}, ASCII),
        (None, {"LANG": "en_US.UTF-8"}, ASCII),
    ],
)
def test_marks_depend_on_the_locale(
    encoding: str | None, environment: dict[str, str], marks: Marks
) -> None:
    assert marks_for(encoding, environment) == marks


def test_a_locale_without_the_marks_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    story = Story("münchen")
    story.do("probe")
    story.start("snapshot", "münchen")
    story.fail("snapshot", "münchen", message="an address " * 20)
    story.pause("add-new", message="größer")
    viewed = viewed_run(story)
    text = viewed.screen() + viewed.close()
    assert text.isascii()
    assert "[ok] 1 probe" in text
    assert "[XX]   snapshot" in text
    assert "[||] 2 deploy add-new" in text
    assert "gr\\xf6\\xdfer" in text
    assert "== AWAITING APPROVAL: add-new" in text


def test_all_marks_differ() -> None:
    for marks in (Marks(), ASCII):
        states = [marks.waiting, marks.left, marks.paused, marks.done, marks.skipped]
        states += [marks.failed, marks.undecided, *marks.spinner]
        assert len(set(states)) == len(states)
        assert len({len(each) for each in states}) == 1
