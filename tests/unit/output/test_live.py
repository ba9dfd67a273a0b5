"""The live view, on a terminal that shows what a person would see."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

from sfcutover.errors import DEFAULT_CONFIG, Command
from sfcutover.output.console import Settings, use_config
from sfcutover.output.live.lines import ASCII, Marks, marks_for
from sfcutover.output.live.view import LiveView
from sfcutover.runs.journal import Event
from sfcutover.runs.progress import RunProgress
from sfcutover.util.secrets import Secret
from tests.unit.runs.journaled import RUN, TARGETS, Story, events_of
from tests.unit.terminal import Terminal

COLORS = "standard"


@pytest.fixture(autouse=True)
def _locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


class Seat:
    """Somebody at a terminal, in front of a run."""

    def __init__(self, story: Story, terminal: Terminal, color: str | None = None) -> None:
        self.story, self.terminal = story, terminal
        self.console = Console(
            file=terminal,
            force_terminal=True,
            width=terminal.width,
            height=terminal.height,
            color_system="standard" if color else None,
        )
        self.now = story.events[0].time
        self.view = LiveView(Settings(), console=self.console, clock=lambda: self.now)
        self._shown = 0

    def look(self, seconds: float = 0.0) -> str:
        """What is on the screen so long after the newest event."""
        for event in self.story.events[self._shown :]:
            self.view.show(event, self.story.progress)
            self.now = event.time
        self._shown = len(self.story.events)
        self.now += seconds
        self.view.tick(self.story.progress)
        return "\n".join(self.terminal.screen)

    def leave(self) -> str:
        """Everything that stays."""
        self.view.__exit__(None, None, None)
        return self.terminal.text

    def resize(self, width: int, height: int) -> None:
        self.terminal.resize(width, height)
        self.console.size = (width, height)


def seat(story: Story, width: int = 80, height: int = 24, color: str | None = None) -> Seat:
    return Seat(story, Terminal(width, height), color)


def recorded(name: str) -> Story:
    """A real run, to be told event by event."""
    story = Story()
    story.events = events_of(name)
    return story


def line_with(text: str, words: str) -> str:
    found = [line for line in text.splitlines() if words in line]
    assert found, f"no {words!r} in\n{text}"
    return found[0]


# What it shows.


def test_a_run_that_went_well_stays_on_the_screen() -> None:
    at = seat(recorded("done"))
    for event, progress in at.story.stages():
        at.now = event.time
        at.view.show(event, progress)
        at.view.tick(progress)
    text = at.leave()
    assert text.splitlines()[0].startswith(f"{RUN}  done  0:11  Acme_Connector on packaging")
    steps = [line for line in text.splitlines() if line.startswith(" ✓")]
    assert len(steps) == 9
    assert re.search(r"2 deploy add-new, read back +1\.1 s  0Af\w{15}$", text, re.MULTILINE)
    assert re.search(r"127\.0\.0\.21  new +\d+ +0$", text, re.MULTILINE)
    assert line_with(text, "in LoginHistory").endswith("  the canary's 10 may be among them")
    assert "watch: canary redemption: 4 passed" in text
    assert "redemptions still come from 127.0.0.11" in text
    assert text.count(RUN) == 1
    assert at.terminal.cursor_shown


def test_steps_wait_run_and_are_done() -> None:
    story = Story("eu")
    story.do("probe", "snapshot")
    story.begin("add-new", "eu")
    text = seat(story).look(42)
    assert " ✓ 1 probe" in text
    assert re.search(r" [⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] 2 deploy add-new, read back +0:42", text)
    assert " · 3 switch" in text
    assert text.splitlines()[0].startswith(f"{RUN}  running  0:47  Acme_Connector on eu")


def test_a_deployment_has_a_bar() -> None:
    story = Story("eu")
    story.begin("add-new", "eu")
    story.tell("deployment-sent", "add-new", "eu", phase="add-new", id="0Af000000000001AAA")
    at = seat(story)
    assert "eu  ░░░░░░░░░░░░  Pending  0Af000000000001AAA" in at.look()
    seen = {"id": "0Af000000000001AAA", "status": "InProgress", "done": False, "total": 4}
    story.tell("deployment-progress", "add-new", "eu", **seen, deployed=1)
    assert "eu  ███░░░░░░░░░ 1/4  InProgress  0Af000000000001AAA" in at.look()
    seen |= {"status": "Succeeded", "done": True}
    story.tell("deployment-progress", "add-new", "eu", **seen, deployed=4)
    story.tell("stage", "add-new", "eu", name="Reading back")
    assert "████████████ 4/4  Succeeded  0Af000000000001AAA  Reading back" in at.look()


def test_a_rollback_s_deployment_is_named() -> None:
    story = Story("eu")
    story.begin("watch", "eu")
    story.tell("rolling-back", "watch", "eu", reason="blocked")
    story.tell("deployment-sent", "watch", "eu", phase="restore-old", id="0Af1")
    assert "eu  restore-old ░░░░░░░░░░░░  Pending  0Af1" in seat(story).look()


@pytest.mark.parametrize(
    ("step", "kind", "target"), [("settle", "settling", None), ("watch", "watch-begun", "eu")]
)
def test_waits_count_down(step: str, kind: str, target: str | None) -> None:
    story = Story("eu")
    story.begin(step, target)
    event = story.tell(kind, step, target, interval=15.0, until=story.now + 90)
    at = seat(story)
    assert "1:30 left" in at.look()
    at.now = event.time + 80.5
    assert "0:10 left" in at.look(0.0)
    assert "0:00 left" in at.look(100)


def test_several_targets_are_counted_and_those_that_lag_named() -> None:
    story = Story("eu", "us", "jp", "br", "in", "za")
    for target in story.progress.targets:
        story.begin("snapshot", target)
    story.end("snapshot", "jp")
    text = seat(story).look(60)
    assert re.search(r"snapshot: the lists as they are +1/6 +1:0", text)
    lines = text.splitlines()
    lagging = [line for line in lines if re.match(r"    (eu|us|br)  1:0\d", line)]
    assert [line.split()[0] for line in lagging] == ["eu", "us", "br"]
    assert "    and 2 more under way" in lines


def test_those_that_fail_are_named_first() -> None:
    story = Story()
    for target in TARGETS:
        story.begin("verify", target)
    story.end("verify", "eu")
    story.fail("verify", "us", kind="blocked", message="198.51.100.20 is refused")
    text = seat(story).look()
    assert "1/3" in line_with(text, "4 verify")
    assert "    ✗ us: NOT DONE: 198.51.100.20 is refused" in text
    story.end("verify", "jp")
    assert line_with(seat(story).look(), "4 verify").startswith(" ✗")


def test_what_may_still_go_away_looks_otherwise() -> None:
    story = Story("eu")
    story.begin("verify", "eu")
    story.fail("verify", "eu", kind="inconclusive", message="no answer")
    text = seat(story).look()
    assert line_with(text, "4 verify").startswith(" ?")
    assert "? eu: UNDECIDED: no answer" in text


def test_what_was_there_already_is_marked_otherwise() -> None:
    story = Story("eu")
    story.begin("add-new", "eu")
    story.end("add-new", "eu", phase="add-new", changed=False, live=[])
    line = line_with(seat(story).look(), "2 deploy add-new")
    assert line.startswith(" –")
    assert line.endswith("  so already")


@pytest.mark.parametrize(
    ("status", "mark", "remark"),
    [("Succeeded", " ✓", "  put back by the watch"), ("Failed", " –", "  so already")],
)
def test_what_the_watch_has_put_back_is_told_as_done(status: str, mark: str, remark: str) -> None:
    story = Story("eu")
    story.begin("watch", "eu")
    story.tell("deployment-sent", "watch", "eu", phase="restore-old", id="0Af1")
    story.tell("deployment-progress", "watch", "eu", id="0Af1", status=status, done=True)
    story.end("watch", "eu", outcome="rolled-back", reasons=["blocked"])
    story.begin("restore-old", "eu")
    story.end("restore-old", "eu", phase="restore-old", changed=False, live=[])
    line = line_with(seat(story).look(), "back: deploy restore-old")
    assert line.startswith(mark)
    assert line.endswith(remark)


def test_what_the_watch_has_put_back_on_one_target_only_is_no_such_thing() -> None:
    story = Story("eu", "us")
    sent = {"phase": "restore-old", "id": "0Af1", "status": "Succeeded", "done": True}
    story.tell("deployment-sent", "watch", "eu", **sent)
    for target in ("eu", "us"):
        story.begin("restore-old", target)
        story.end("restore-old", target, phase="restore-old", changed=False, live=[])
    assert line_with(seat(story).look(), "back: deploy").endswith("so already")


def test_the_canary_s_redemptions_are_not_to_be_added() -> None:
    story = Story("eu")
    story.begin("verify", "eu")
    story.tell("redeemed", "verify", "eu", count=4)
    story.traffic("eu", ("198.51.100.20", "redeemed", 3))
    at = seat(story)
    assert "without all of the canary's 4" in line_with(at.look(), "in LoginHistory")
    story.traffic("eu", ("198.51.100.21", "redeemed", 1))
    assert "the canary's 4 may be among them" in line_with(at.look(), "in LoginHistory")


def test_waves_are_named() -> None:
    story = Story()
    story.tell("wave", number=2, targets=["us"])
    story.begin("remove-old", "us")
    assert line_with(seat(story).look(), "5 deploy").endswith("wave 2")


def test_every_address_has_a_line() -> None:
    story = Story("eu")
    story.begin("verify", "eu")
    story.traffic("eu", ("198.51.100.21", "redeemed", 12), ("192.0.2.9", "other", 3))
    text = seat(story).look()
    assert re.search(r"203\.0\.113\.10 +old +0 +0$", text, re.MULTILINE)
    assert re.search(r"198\.51\.100\.20  new +0 +0$", text, re.MULTILINE)
    assert re.search(r"198\.51\.100\.21  new +12 +0$", text, re.MULTILINE)
    assert re.search(r"192\.0\.2\.9 +other +0 +0  3 refused otherwise$", text, re.MULTILINE)


def test_of_many_addresses_the_blocked_ones_are_shown() -> None:
    story = Story("eu")
    rows = [(f"192.0.2.{each}", "redeemed", 1) for each in range(1, 40)]
    story.traffic("eu", *rows, ("192.0.2.200", "blocked", 1))
    text = seat(story).look()
    assert "!! 1 BLOCKED !!  192.0.2.200" in text
    assert "and 31 more: 31 redeemed" in text


@pytest.mark.parametrize("width", [80, 40, 24])
def test_blocked_redemptions_are_seen_without_colour(width: int) -> None:
    story = Story("eu")
    story.begin("watch", "eu")
    story.traffic("eu", ("198.51.100.21", "blocked", 7))
    text = seat(story, width=width).look()
    assert "!! 7 BLOCKED !!" in text
    if width == 80:
        assert "!! 7 BLOCKED !!  198.51.100.21  new, 0 redeemed, on eu" in text


def test_a_look_that_failed_is_seen_without_colour() -> None:
    story = Story("eu")
    story.begin("watch", "eu")
    story.look("eu", ("canary redemption", "passed"), ("health", "failed"))
    text = seat(story).look()
    assert "    watch: canary redemption: 1 passed" in text
    assert " !! watch: health: 0 passed, 1 FAILED" in text


def test_notes_are_a_short_tail() -> None:
    story = Story("eu")
    for number in range(9):
        story.tell("note", "verify", "eu", text=f"note {number}")
    text = seat(story).look()
    assert [number for number in range(9) if f"note {number}" in text] == [5, 6, 7, 8]


# What needs a person.


def test_a_pause_is_a_box_with_the_exact_commands() -> None:
    story = Story("eu")
    story.do("probe", "snapshot")
    story.pause("add-new", message="the next step is add-new")
    text = seat(story).look(65)
    lines = [line.strip() for line in text.splitlines()]
    assert "━━ WAITS FOR A PERSON at add-new, 1:05 ━" in text
    assert "the next step is add-new" in lines
    assert f"sfcutover approve {RUN}" in lines
    assert f"sfcutover cancel {RUN}" in lines
    assert line_with(text, "2 deploy add-new").startswith(" ‖")
    assert "WAITS FOR A PERSON" in lines[0]


def test_commands_are_those_of_the_invocation() -> None:
    story = Story("eu")
    story.pause("add-new")
    terminal = Terminal()
    console = Console(file=terminal, force_terminal=True, width=80, height=24)

    view = LiveView(Settings(no_color=True), console=console, clock=lambda: story.now)
    view.show(story.events[-1], story.progress)
    use_config("other.yaml")
    view.tick(story.progress)
    use_config(DEFAULT_CONFIG)
    assert f"      sfcutover --config other.yaml approve {RUN}" in terminal.screen


def test_an_approval_takes_the_box_away() -> None:
    story = Story("eu")
    story.pause("switch", reason="switch", message="move the traffic")
    at = seat(story)
    assert "move the traffic" in at.look()
    story.tell("approved", "switch", who="ada", note="it is done")
    text = at.look()
    assert "WAITS" not in text
    assert line_with(text, "3 switch").startswith(" ✓")
    assert "approved by ada: it is done" in text


def test_a_rollback_is_a_loud_box() -> None:
    at = seat(recorded("rolled-back"))
    seen = ""
    for event, progress in at.story.stages():
        at.now = event.time
        at.view.show(event, progress)
        at.view.tick(progress)
        if event.kind == "rollback-started":
            seen = "\n".join(at.terminal.screen)
    assert "ROLLING BACK" in seen.splitlines()[0]
    assert re.search(r"^━━ ROLLING BACK ━+$", seen, re.MULTILINE)
    assert re.search(r"^ +sfcutover run$", seen, re.MULTILINE)
    text = at.leave()
    assert text.splitlines()[0].startswith(f"{RUN}  ROLLED BACK")
    assert line_with(text, "  watch ").startswith(" ✗")
    assert "back: deploy restore-old" in text
    assert re.search(r"!! \d+ BLOCKED !!  127\.0\.0\.22  new", text)


def test_after_a_rollback_the_steps_that_are_not_reached_are_one_line() -> None:
    story = Story("eu")
    story.do("probe", "snapshot")
    story.begin("add-new", "eu")
    story.fail("add-new", "eu")
    story.tell("rollback-started", reason="eu: broken")
    text = seat(story).look()
    assert " – not reached: verify-new, switch, verify, settle, remove-old, watch" in text


def test_a_step_that_not_all_targets_reach_waits_for_nothing() -> None:
    story = Story()
    story.begin("remove-old", "eu")
    story.end("remove-old", "eu")
    line = line_with(seat(story).look(), "5 deploy")
    assert line.startswith(" ·")
    assert "1/3" in line
    story.tell("rollback-started", reason="us: broken")
    assert line_with(seat(story).look(), "5 deploy").startswith(" –")


def test_a_call_for_a_person_is_a_loud_box_until_it_is_answered() -> None:
    story = Story("eu")
    story.begin("restore-old", "eu")
    story.fail("restore-old", "eu")
    commands = [Command("rollback", "--yes"), Command("switch", "--revert")]
    story.tell("page", "page", message="the old addresses are not back", commands=commands)
    at = seat(story)
    text = at.look()
    lines = [line.strip() for line in text.splitlines()]
    assert "━━ A PERSON IS NEEDED ━" in text
    assert all(command.line() in lines for command in commands)
    story.tell("page", "page", message="still not", commands=commands)
    assert "A PERSON IS NEEDED, called 2 times" in at.look()
    story.begin("restore-old", "eu")
    story.end("restore-old", "eu")
    assert "A PERSON IS NEEDED" not in at.look()


# How it is drawn.


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


def _paused_late() -> Story:
    """Before remove-old: ids of both lengths of title, a person, a long message."""
    story = recorded("done")
    story.events = story.events[: next(n for n, each in enumerate(story.events) if _removes(each))]
    story.now = story.events[-1].time
    story.progress = RunProgress.of(story.events)
    message = "it takes 127.0.0.11, 127.0.0.12 off the list of packaging, an org of some customers"
    story.pause("remove-old", message=message)
    return story


def _removes(event: Event) -> bool:
    return (event.kind, event.step) == ("step-started", "remove-old")


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
    text = seat(_paused_late()).look()
    assert re.search(r"2 deploy add-new, read back .* 0Af\w{15}$", text, re.MULTILINE)
    assert line_with(text, "5 deploy remove-old, read back").endswith("  waits for a person")
    assert "4 verify: a redemption through each new ...  " in text


@pytest.mark.parametrize("width", range(40, 132, 3))
def test_prose_is_broken_at_words(width: int) -> None:
    story = _paused_late()
    assert story.progress.pause is not None
    words = set(story.progress.pause.message.split())
    lines = seat(story, width, 60).look().splitlines()
    begin = next(n for n, line in enumerate(lines) if "WAITS FOR A PERSON at" in line)
    shown = " ".join(lines[begin + 1 :]).split()
    assert words <= set(shown)


def test_what_is_left_out_is_counted() -> None:
    text = seat(_paused_late(), 50, 14).look()
    lines = text.splitlines()
    assert lines[0].startswith(RUN)
    found = re.fullmatch(r" … 7 steps done, (\d) addresses", lines[1])
    assert found
    assert text.count("127.0.0.2") + int(found.group(1)) == 4
    assert f"      sfcutover approve {RUN}" in lines


def test_what_is_all_there_counts_nothing() -> None:
    assert "steps done" not in seat(_paused_late()).look()


@pytest.mark.parametrize("width", range(len(f"sfcutover approve {RUN}") + 1, 50))
def test_a_command_has_a_row_of_its_own_where_it_fits(width: int) -> None:
    lines = [line.strip() for line in seat(_paused_late(), width, 10).look().splitlines()]
    assert f"sfcutover approve {RUN}" in lines
    assert f"sfcutover cancel {RUN}" in lines


def test_a_command_that_fits_nowhere_is_one_to_the_shell() -> None:
    text = seat(_paused_late(), 30, 12).look()
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
    at = seat(_paused_late())
    at.look()
    for size in SIZES:
        at.resize(*size)
        text = at.look(1)
        assert text.startswith(RUN), size
        assert text.count("WAITS FOR A PERSON at") == text.count(RUN) - 2 == 1, size
        assert at.look(1).count(RUN) == 3, size


def test_what_had_scrolled_away_stays_when_the_size_changes() -> None:
    at = seat(_paused_late())
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
    assert "left under way" in text.splitlines()[0]
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
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    story = Story("eu")
    view = LiveView(Settings(no_color=no_color), clock=lambda: story.now)
    view.show(story.events[-1], story.progress)
    view.tick(story.progress)
    assert RUN in terminal.screen[0]
    assert bool(terminal.styles) is not no_color


# Marks.


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
def test_marks_are_those_of_the_locale(
    encoding: str | None, environment: dict[str, str], marks: Marks
) -> None:
    assert marks_for(encoding, environment) == marks


def test_where_the_locale_has_no_marks_all_is_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    story = Story("münchen")
    story.do("probe")
    story.begin("snapshot", "münchen")
    story.fail("snapshot", "münchen", message="an address " * 20)
    story.pause("add-new", message="größer")
    at = seat(story)
    text = at.look() + at.leave()
    assert text.isascii()
    assert "[ok] 1 probe" in text
    assert "[XX]   snapshot" in text
    assert "[||] 2 deploy add-new" in text
    assert "gr\\xf6\\xdfer" in text
    assert "== WAITS FOR A PERSON at add-new" in text


def test_no_two_marks_are_alike() -> None:
    for marks in (Marks(), ASCII):
        states = [marks.waiting, marks.left, marks.paused, marks.done, marks.skipped]
        states += [marks.failed, marks.undecided, *marks.spinner]
        assert len(set(states)) == len(states)
        assert len({len(each) for each in states}) == 1
