"""How the live view is drawn: sizes, truncation, what remains, colors."""

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
from tests.unit.output.live.viewedrun import (
    ViewedRun,
    line_with,
    paused_before_removal,
    recorded,
    viewed_run,
)
from tests.unit.output.terminal import Terminal

COLORS = "standard"


@pytest.mark.parametrize("name", ["done", "rolled-back"])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (132, 50), (40, 12), (20, 6), (10, 3)])
def test_a_frame_never_exceeds_its_screen(name: str, width: int, height: int) -> None:
    """The terminal fails if a row is too wide."""
    viewed = viewed_run(recorded(name), width, height)
    for event, progress in viewed.story.stages():
        viewed.now = event.time
        viewed.view.show(event, progress)
        viewed.view.tick(progress)
        assert len(viewed.terminal.screen) <= height
        assert viewed.terminal.lost == 0
    viewed.close()


def test_a_small_screen_keeps_what_matters() -> None:
    story = Story("eu")
    story.do("probe", "snapshot", "add-new", "verify-new")
    story.traffic("eu", ("198.51.100.20", "blocked", 7))
    for number in range(9):
        story.tell("note", "verify", "eu", text=f"note {number}")
    story.pause("switch")
    text = viewed_run(story, 80, 12).screen()
    assert RUN in text
    assert "!! 7 BLOCKED !!" in text
    assert f"sfcutover approve {RUN}" in text
    assert "note" not in text


@pytest.mark.parametrize("height", range(9, 30))
def test_the_title_stays_on_top(height: int) -> None:
    story = Story("eu")
    story.do("probe", "snapshot", "add-new", "verify-new")
    story.pause("switch")
    assert viewed_run(story, 80, height).screen().startswith(RUN)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("width", range(20, 132, 3))
def test_an_id_is_shown_completely_or_not_at_all(
    width: int, locale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    story = recorded("done")
    story.progress = RunProgress.of(story.events)
    known = {each.id for each in story.progress.deployments.values()}
    viewed = viewed_run(story, width, 60)
    text = viewed.screen() + "\n" + viewed.close()
    shown = set(re.findall(r"0Af\w*", text))
    assert shown == (known if width >= 62 else shown & known)


@pytest.mark.parametrize("width", range(24, 132, 3))
def test_a_deployment_in_progress_has_a_complete_id_or_none(width: int) -> None:
    story = Story("a-sandbox-of-europe")
    story.start("add-new", "a-sandbox-of-europe")
    sent = {"phase": "add-new", "id": "0Af000000000001AAA"}
    story.tell("deployment-sent", "add-new", "a-sandbox-of-europe", **sent)
    text = viewed_run(story, width).screen()
    assert set(re.findall(r"0A\w*", text)) <= {"0Af000000000001AAA"}
    assert len(text.splitlines()[1]) < width


def test_the_default_size_truncates_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    text = viewed_run(paused_before_removal()).screen()
    assert re.search(r"2 deploy add-new, read back .* 0Af\w{15}$", text, re.MULTILINE)
    assert line_with(text, "5 deploy remove-old, read back").endswith("  paused")
    assert "4 verify: a redemption through each new ...  " in text


@pytest.mark.parametrize("width", range(40, 132, 3))
def test_prose_is_wrapped_at_words(width: int) -> None:
    story = paused_before_removal()
    assert story.progress.pause is not None
    words = set(story.progress.pause.message.split())
    lines = viewed_run(story, width, 60).screen().splitlines()
    start = next(n for n, line in enumerate(lines) if "AWAITING APPROVAL: " in line)
    shown = " ".join(lines[start + 1 :]).split()
    assert words <= set(shown)


def test_omitted_lines_are_counted() -> None:
    text = viewed_run(paused_before_removal(), 50, 14).screen()
    lines = text.splitlines()
    assert lines[0].startswith(RUN)
    found = re.fullmatch(r" … 7 steps done, (\d) addresses", lines[1])
    assert found
    assert text.count("127.0.0.2") + int(found.group(1)) == 4
    assert f"      sfcutover approve {RUN}" in lines


def test_a_complete_view_counts_nothing() -> None:
    assert "steps done" not in viewed_run(paused_before_removal()).screen()


@pytest.mark.parametrize("width", range(len(f"sfcutover approve {RUN}") + 1, 50))
def test_a_command_has_its_own_row_if_it_fits(width: int) -> None:
    lines = [
        line.strip()
        for line in viewed_run(paused_before_removal(), width, 10).screen().splitlines()
    ]
    assert f"sfcutover approve {RUN}" in lines
    assert f"sfcutover cancel {RUN}" in lines


def test_a_command_that_fits_nowhere_can_be_copied_as_one() -> None:
    text = viewed_run(paused_before_removal(), 30, 12).screen()
    pasted = " ".join(re.sub(r"\\\n", " ", text).split())
    assert f"sfcutover approve {RUN} sfcutover cancel {RUN}" in pasted
    assert "approve \\\n" in text


def test_commands_stay_if_there_is_no_room() -> None:
    story = Story("eu")
    story.pause("switch")
    assert f"sfcutover cancel {RUN}" in viewed_run(story, 80, 4).screen()


def test_the_view_is_redrawn_at_a_limited_rate() -> None:
    story = Story("eu")
    viewed = viewed_run(story)
    viewed.screen()
    before = viewed.terminal.pictures
    for _ in range(10):
        viewed.screen(0.05)
    assert viewed.terminal.pictures - before <= 3


def test_the_view_recovers_from_foreign_output() -> None:
    story = Story("eu")
    story.do("probe")
    viewed = viewed_run(story)
    good = viewed.screen().splitlines()
    viewed.terminal.press_return()
    viewed.terminal.write("a message of somebody else")
    healed = viewed.screen(1).splitlines()
    assert healed[-len(good) + 1 :] == good[1:]
    assert "somebody else" not in "\n".join(healed)


@pytest.mark.parametrize("width", [60, 40, 30])
def test_a_narrower_terminal_keeps_no_remains(width: int) -> None:
    viewed = viewed_run(recorded("done"))
    for event in viewed.story.events:
        viewed.view.show(event, viewed.story.progress)
    viewed.story.progress = RunProgress.of(viewed.story.events)
    viewed.view.show(viewed.story.events[-1], viewed.story.progress)
    viewed.screen()
    viewed.resize(width, 50)
    viewed.screen(1)
    viewed.resize(100, 30)
    text = viewed.screen(1)
    assert text.count(RUN) == 1
    assert "done" in text.splitlines()[0]


SIZES = [(50, 15), (120, 40), (200, 50), (40, 10), (80, 24), (80, 40), (40, 40), (80, 24)]


def test_a_resize_leaves_nothing_of_the_old_frame_in_sight() -> None:
    viewed = viewed_run(paused_before_removal())
    viewed.screen()
    for size in SIZES:
        viewed.resize(*size)
        text = viewed.screen(1)
        assert text.startswith(RUN), size
        assert text.count("AWAITING APPROVAL: ") == text.count(RUN) - 2 == 1, size
        assert viewed.screen(1).count(RUN) == 3, size


def test_scrolled_lines_stay_after_a_resize() -> None:
    viewed = viewed_run(paused_before_removal())
    viewed.terminal.write("$ sfcutover run\n" + "a line\n" * 30)
    viewed.screen()
    viewed.resize(50, 15)
    viewed.screen(1)
    assert viewed.terminal.text.startswith("$ sfcutover run\na line\n")


def test_earlier_output_stays() -> None:
    story = Story("eu")
    viewed = viewed_run(story)
    viewed.terminal.write("$ sfcutover run\n")
    viewed.screen()
    viewed.screen(1)
    text = viewed.close()
    assert text.splitlines()[:2] == ["$ sfcutover run", text.splitlines()[1]]
    assert RUN in text.splitlines()[1]
    viewed.terminal.write("error: below\n")
    assert viewed.terminal.text.splitlines()[-1] == "error: below"


def test_a_view_that_is_closed_early_says_so_and_stops_spinning() -> None:
    story = Story("eu")
    story.start("add-new", "eu")
    story.tell("deployment-sent", "add-new", "eu", phase="add-new", id="0Af000000000001AAA")
    viewed = viewed_run(story)
    viewed.screen()
    assert not viewed.terminal.cursor_shown
    text = viewed.close()
    assert "interrupted" in text.splitlines()[0]
    assert line_with(text, "2 deploy add-new").startswith(" …")
    assert "0Af000000000001AAA" in text
    assert viewed.terminal.cursor_shown


def test_a_view_that_only_follows_does_not_call_the_run_interrupted() -> None:
    story = Story("eu")
    terminal = Terminal()
    console = Console(file=terminal, force_terminal=True, width=80, height=24)
    with LiveView(Settings(), console=console, executes=False) as view:
        view.show(story.events[0], story.progress)
    assert f"{RUN}  no longer followed" in terminal.text


def test_a_view_closed_before_any_event_writes_nothing() -> None:
    terminal = Terminal()
    console = Console(file=terminal, force_terminal=True, width=80, height=24)
    with LiveView(Settings(), console=console) as view:
        view.tick(Story("eu").progress)
    assert terminal.text == ""


def test_a_closed_terminal_stops_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    story = Story("eu")
    with (tmp_path / "stderr").open("w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        viewed = ViewedRun(story, Gone())
        viewed.screen()
        viewed.view.__exit__(None, None, None)


# Content and colors.


def test_text_from_an_org_is_neither_markup_nor_a_terminal_sequence() -> None:
    story = Story("eu")
    text = "[bold]not bold[/bold] [link=x]y[/link] :smile: \x1b[31mred\x1b[2J\x07 up\x1b[9A"
    story.tell("note", "verify", "eu", text=text)
    story.pause("verify", message="[red]no[/red]\x1b]0;title\x07")
    shown = viewed_run(story, width=120).screen()
    assert "[bold]not bold[/bold] [link=x]y[/link] :smile: ·[31mred·[2J· up·[9A" in shown
    assert "[red]no[/red]·]0;title·" in shown


def test_secrets_are_masked() -> None:
    secret = Secret("a-secret-nobody-may-see")
    story = Story("eu")
    story.tell("note", "verify", "eu", text=f"token {secret.reveal()} refused")
    story.pause("verify", message=secret.reveal())
    viewed = viewed_run(story)
    text = viewed.screen() + viewed.close()
    assert "nobody-may-see" not in text
    assert "token" in text


def test_without_colors_there_is_no_style_sequence() -> None:
    viewed = viewed_run(recorded("rolled-back"))
    viewed.story.progress = RunProgress.of(viewed.story.events)
    viewed.screen()
    viewed.close()
    assert not viewed.terminal.styles


def test_colors_do_not_change_the_words() -> None:
    texts = []
    for color in (None, COLORS):
        viewed = viewed_run(recorded("rolled-back"), color=color)
        viewed.story.progress = RunProgress.of(viewed.story.events)
        viewed.screen()
        texts.append(viewed.close())
        assert bool(viewed.terminal.styles) is (color is not None)
    assert texts[0] == texts[1]


@pytest.mark.parametrize("no_color", [True, False])
def test_the_settings_decide_about_colors(monkeypatch: pytest.MonkeyPatch, no_color: bool) -> None:
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
