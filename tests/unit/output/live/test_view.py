"""How the live view is drawn: sizes, what is cut, what stays, colours."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

from sfcutover.cutover.progress import RunProgress
from sfcutover.output.console import Settings
from sfcutover.output.live.view import LiveView
from sfcutover.util.secrets import Secret
from tests.unit.cutover.journaled import RUN, Story
from tests.unit.output.live.seat import Seat, line_with, paused_late, recorded, seat
from tests.unit.output.terminal import Terminal

COLORS = "standard"


@pytest.mark.parametrize("name", ["done", "rolled-back"])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (132, 50), (40, 12), (20, 6), (10, 3)])
def test_a_picture_never_leaves_its_screen(name: str, width: int, height: int) -> None:
    """The terminal fails at a row that is too wide."""
    at = seat(recorded(name), width, height)
    for event, progress in at.story.stages():
        at.now = event.time
        at.view.show(event, progress)
        at.view.tick(progress)
        assert len(at.terminal.screen) <= height
        assert at.terminal.lost == 0
    at.leave()


def test_where_there_is_no_room_what_matters_stays() -> None:
    story = Story("eu")
    story.do("probe", "snapshot", "add-new", "verify-new")
    story.traffic("eu", ("198.51.100.20", "blocked", 7))
    for number in range(9):
        story.tell("note", "verify", "eu", text=f"note {number}")
    story.pause("switch")
    text = seat(story, 80, 12).look()
    assert RUN in text
    assert "!! 7 BLOCKED !!" in text
    assert f"sfcutover approve {RUN}" in text
    assert "note" not in text


@pytest.mark.parametrize("height", range(9, 30))
def test_the_title_stays_on_top(height: int) -> None:
    story = Story("eu")
    story.do("probe", "snapshot", "add-new", "verify-new")
    story.pause("switch")
    assert seat(story, 80, height).look().startswith(RUN)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("width", range(20, 132, 3))
def test_an_id_is_whole_or_not_there(
    width: int, locale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    story = recorded("done")
    story.progress = RunProgress.of(story.events)
    known = {each.id for each in story.progress.deployments.values()}
    at = seat(story, width, 60)
    text = at.look() + "\n" + at.leave()
    shown = set(re.findall(r"0Af\w*", text))
    assert shown == (known if width >= 62 else shown & known)


@pytest.mark.parametrize("width", range(24, 132, 3))
def test_a_deployment_under_way_has_a_whole_id_or_none(width: int) -> None:
    story = Story("a-sandbox-of-europe")
    story.begin("add-new", "a-sandbox-of-europe")
    sent = {"phase": "add-new", "id": "0Af000000000001AAA"}
    story.tell("deployment-sent", "add-new", "a-sandbox-of-europe", **sent)
    text = seat(story, width).look()
    assert set(re.findall(r"0A\w*", text)) <= {"0Af000000000001AAA"}
    assert len(text.splitlines()[1]) < width


def test_in_the_default_size_nothing_of_a_step_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    text = seat(paused_late()).look()
    assert re.search(r"2 deploy add-new, read back .* 0Af\w{15}$", text, re.MULTILINE)
    assert line_with(text, "5 deploy remove-old, read back").endswith("  paused")
    assert "4 verify: a redemption through each new ...  " in text


@pytest.mark.parametrize("width", range(40, 132, 3))
def test_prose_is_broken_at_words(width: int) -> None:
    story = paused_late()
    assert story.progress.pause is not None
    words = set(story.progress.pause.message.split())
    lines = seat(story, width, 60).look().splitlines()
    begin = next(n for n, line in enumerate(lines) if "AWAITING APPROVAL: " in line)
    shown = " ".join(lines[begin + 1 :]).split()
    assert words <= set(shown)


def test_what_is_left_out_is_counted() -> None:
    text = seat(paused_late(), 50, 14).look()
    lines = text.splitlines()
    assert lines[0].startswith(RUN)
    found = re.fullmatch(r" … 7 steps done, (\d) addresses", lines[1])
    assert found
    assert text.count("127.0.0.2") + int(found.group(1)) == 4
    assert f"      sfcutover approve {RUN}" in lines


def test_what_is_all_there_counts_nothing() -> None:
    assert "steps done" not in seat(paused_late()).look()


@pytest.mark.parametrize("width", range(len(f"sfcutover approve {RUN}") + 1, 50))
def test_a_command_has_a_row_of_its_own_where_it_fits(width: int) -> None:
    lines = [line.strip() for line in seat(paused_late(), width, 10).look().splitlines()]
    assert f"sfcutover approve {RUN}" in lines
    assert f"sfcutover cancel {RUN}" in lines


def test_a_command_that_fits_nowhere_is_one_to_the_shell() -> None:
    text = seat(paused_late(), 30, 12).look()
    pasted = " ".join(re.sub(r"\\\n", " ", text).split())
    assert f"sfcutover approve {RUN} sfcutover cancel {RUN}" in pasted
    assert "approve \\\n" in text


def test_where_not_even_that_has_room_the_commands_stay() -> None:
    story = Story("eu")
    story.pause("switch")
    assert f"sfcutover cancel {RUN}" in seat(story, 80, 4).look()


def test_it_is_drawn_only_now_and_then() -> None:
    story = Story("eu")
    at = seat(story)
    at.look()
    before = at.terminal.pictures
    for _ in range(10):
        at.look(0.05)
    assert at.terminal.pictures - before <= 3


def test_it_heals_from_what_else_was_written() -> None:
    story = Story("eu")
    story.do("probe")
    at = seat(story)
    good = at.look().splitlines()
    at.terminal.press_return()
    at.terminal.write("a message of somebody else")
    healed = at.look(1).splitlines()
    assert healed[-len(good) + 1 :] == good[1:]
    assert "somebody else" not in "\n".join(healed)


@pytest.mark.parametrize("width", [60, 40, 30])
def test_a_narrower_terminal_leaves_nothing_behind(width: int) -> None:
    at = seat(recorded("done"))
    for event in at.story.events:
        at.view.show(event, at.story.progress)
    at.story.progress = RunProgress.of(at.story.events)
    at.view.show(at.story.events[-1], at.story.progress)
    at.look()
    at.resize(width, 50)
    at.look(1)
    at.resize(100, 30)
    text = at.look(1)
    assert text.count(RUN) == 1
    assert "done" in text.splitlines()[0]


SIZES = [(50, 15), (120, 40), (200, 50), (40, 10), (80, 24), (80, 40), (40, 40), (80, 24)]


def test_a_new_size_leaves_nothing_of_the_old_picture_in_sight() -> None:
    at = seat(paused_late())
    at.look()
    for size in SIZES:
        at.resize(*size)
        text = at.look(1)
        assert text.startswith(RUN), size
        assert text.count("AWAITING APPROVAL: ") == text.count(RUN) - 2 == 1, size
        assert at.look(1).count(RUN) == 3, size


def test_what_had_scrolled_away_stays_when_the_size_changes() -> None:
    at = seat(paused_late())
    at.terminal.write("$ sfcutover run\n" + "a line\n" * 30)
    at.look()
    at.resize(50, 15)
    at.look(1)
    assert at.terminal.text.startswith("$ sfcutover run\na line\n")


def test_what_was_there_before_stays() -> None:
    story = Story("eu")
    at = seat(story)
    at.terminal.write("$ sfcutover run\n")
    at.look()
    at.look(1)
    text = at.leave()
    assert text.splitlines()[:2] == ["$ sfcutover run", text.splitlines()[1]]
    assert RUN in text.splitlines()[1]
    at.terminal.write("error: below\n")
    assert at.terminal.text.splitlines()[-1] == "error: below"


def test_left_in_the_middle_it_says_so_and_turns_no_more() -> None:
    story = Story("eu")
    story.begin("add-new", "eu")
    story.tell("deployment-sent", "add-new", "eu", phase="add-new", id="0Af000000000001AAA")
    at = seat(story)
    at.look()
    assert not at.terminal.cursor_shown
    text = at.leave()
    assert "not finished" in text.splitlines()[0]
    assert line_with(text, "2 deploy add-new").startswith(" …")
    assert "0Af000000000001AAA" in text
    assert at.terminal.cursor_shown


def test_left_before_anything_happened_it_writes_nothing() -> None:
    terminal = Terminal()
    console = Console(file=terminal, force_terminal=True, width=80, height=24)
    with LiveView(Settings(), console=console) as view:
        view.tick(Story("eu").progress)
    assert terminal.text == ""


def test_a_terminal_that_is_gone_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    story = Story("eu")
    with (tmp_path / "stderr").open("w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        at = Seat(story, Gone())
        at.look()
        at.view.__exit__(None, None, None)


# What it may show.


def test_data_is_no_markup_and_nothing_to_obey() -> None:
    story = Story("eu")
    text = "[bold]not bold[/bold] [link=x]y[/link] :smile: \x1b[31mred\x1b[2J\x07 up\x1b[9A"
    story.tell("note", "verify", "eu", text=text)
    story.pause("verify", message="[red]no[/red]\x1b]0;title\x07")
    shown = seat(story, width=120).look()
    assert "[bold]not bold[/bold] [link=x]y[/link] :smile: ·[31mred·[2J· up·[9A" in shown
    assert "[red]no[/red]·]0;title·" in shown


def test_secrets_are_masked() -> None:
    secret = Secret("a-secret-nobody-may-see")
    story = Story("eu")
    story.tell("note", "verify", "eu", text=f"token {secret.reveal()} refused")
    story.pause("verify", message=secret.reveal())
    at = seat(story)
    text = at.look() + at.leave()
    assert "nobody-may-see" not in text
    assert "token" in text


def test_without_colours_there_is_not_one_sequence_of_style() -> None:
    at = seat(recorded("rolled-back"))
    at.story.progress = RunProgress.of(at.story.events)
    at.look()
    at.leave()
    assert not at.terminal.styles


def test_with_colours_the_words_are_the_same() -> None:
    texts = []
    for color in (None, COLORS):
        at = seat(recorded("rolled-back"), color=color)
        at.story.progress = RunProgress.of(at.story.events)
        at.look()
        texts.append(at.leave())
        assert bool(at.terminal.styles) is (color is not None)
    assert texts[0] == texts[1]


@pytest.mark.parametrize("no_color", [True, False])
def test_the_settings_decide_about_colours(monkeypatch: pytest.MonkeyPatch, no_color: bool) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    for name, size in (("COLUMNS", terminal.width), ("LINES", terminal.height)):
        monkeypatch.setenv(name, str(size))
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    story = Story("eu")
    view = LiveView(Settings(no_color=no_color), clock=lambda: story.now)
    view.show(story.events[-1], story.progress)
    view.tick(story.progress)
    assert RUN in terminal.screen[0]
    assert bool(terminal.styles) is not no_color
