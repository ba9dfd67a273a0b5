"""What the live view shows of a run, on an emulated terminal."""

from __future__ import annotations

import re

import pytest
from rich.console import Console

from sfcutover.errors import DEFAULT_CONFIG, Command
from sfcutover.output.console import Settings, use_config
from sfcutover.output.live.view import LiveView
from tests.unit.cutover.journaled import RUN, TARGETS, Story
from tests.unit.output.live.viewedrun import line_with, recorded, viewed_run
from tests.unit.output.terminal import Terminal


def test_a_successful_run_remains_on_the_screen() -> None:
    viewed = viewed_run(recorded("done"))
    for event, progress in viewed.story.stages():
        viewed.now = event.time
        viewed.view.show(event, progress)
        viewed.view.tick(progress)
    text = viewed.close()
    assert text.splitlines()[0].startswith(f"{RUN}  done  0:10  Acme_Connector on packaging")
    steps = [line for line in text.splitlines() if line.startswith(" ✓")]
    assert len(steps) == 9
    assert re.search(r"2 deploy add-new, read back +0\.4 s  0Af\w{15}$", text, re.MULTILINE)
    assert re.search(r"127\.0\.0\.21  new +\d+ +0$", text, re.MULTILINE)
    assert "    may include 10 canary redemptions" in text.splitlines()
    assert "watch: canary redemption: 4 passed" in text
    assert text.count(RUN) == 1
    assert viewed.terminal.cursor_shown


def test_steps_are_shown_as_waiting_running_and_done() -> None:
    story = Story("eu")
    story.do("probe", "snapshot")
    story.start("add-new", "eu")
    text = viewed_run(story).screen(42)
    assert " ✓ 1 probe" in text
    assert re.search(r" [⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] 2 deploy add-new, read back +0:42", text)
    assert " · 3 switch" in text
    assert text.splitlines()[0].startswith(f"{RUN}  running  0:47  Acme_Connector on eu")


def test_a_deployment_has_a_bar() -> None:
    story = Story("eu")
    story.start("add-new", "eu")
    story.tell("deployment-sent", "add-new", "eu", phase="add-new", id="0Af000000000001AAA")
    viewed = viewed_run(story)
    assert "eu  ░░░░░░░░░░░░  Pending  0Af000000000001AAA" in viewed.screen()
    seen = {"id": "0Af000000000001AAA", "status": "InProgress", "done": False, "total": 4}
    story.tell("deployment-progress", "add-new", "eu", **seen, deployed=1)
    assert "eu  ███░░░░░░░░░ 1/4  InProgress  0Af000000000001AAA" in viewed.screen()
    seen |= {"status": "Succeeded", "done": True}
    story.tell("deployment-progress", "add-new", "eu", **seen, deployed=4)
    story.tell("stage", "add-new", "eu", name="Reading back")
    assert "████████████ 4/4  Succeeded  0Af000000000001AAA  Reading back" in viewed.screen()


@pytest.mark.parametrize(
    ("step", "kind", "target"), [("settle", "settling", None), ("watch", "watch-started", "eu")]
)
def test_waits_count_down(step: str, kind: str, target: str | None) -> None:
    story = Story("eu")
    story.start(step, target)
    event = story.tell(kind, step, target, interval=15.0, until=story.now + 90)
    viewed = viewed_run(story)
    assert "1:30 left" in viewed.screen()
    viewed.now = event.time + 80.5
    assert "0:10 left" in viewed.screen(0.0)
    assert "0:00 left" in viewed.screen(100)


def test_targets_are_counted_and_those_that_lag_named() -> None:
    story = Story("eu", "us", "jp", "br", "in", "za")
    for target in story.progress.targets:
        story.start("snapshot", target)
    story.end("snapshot", "jp")
    text = viewed_run(story).screen(60)
    assert re.search(r"snapshot: read the allowlists +1/6 +1:0", text)
    lines = text.splitlines()
    lagging = [line for line in lines if re.match(r"    (eu|us|br)  1:0\d", line)]
    assert [line.split()[0] for line in lagging] == ["eu", "us", "br"]
    assert "    and 2 more running" in lines


def test_failed_targets_are_named_first() -> None:
    story = Story()
    for target in TARGETS:
        story.start("verify", target)
    story.end("verify", "eu")
    story.fail("verify", "us", kind="blocked", message="198.51.100.20 is refused")
    text = viewed_run(story).screen()
    assert "1/3" in line_with(text, "4 verify")
    assert "    ✗ us: FAILED: 198.51.100.20 is refused" in text
    story.end("verify", "jp")
    assert line_with(viewed_run(story).screen(), "4 verify").startswith(" ✗")


def test_temporary_problems_look_different() -> None:
    story = Story("eu")
    story.start("verify", "eu")
    story.fail("verify", "eu", kind="inconclusive", message="no answer")
    text = viewed_run(story).screen()
    assert line_with(text, "4 verify").startswith(" ?")
    assert "? eu: UNDECIDED: no answer" in text


def test_a_phase_that_was_already_live_has_another_mark() -> None:
    story = Story("eu")
    story.start("add-new", "eu")
    story.end("add-new", "eu", changed=False)
    line = line_with(viewed_run(story).screen(), "2 deploy add-new")
    assert line.startswith(" –")
    assert line.endswith("  already in place")


@pytest.mark.parametrize(
    ("status", "mark", "remark"),
    [("Succeeded", " ✓", "  0Af1"), ("Failed", " –", "  already in place")],
)
def test_a_deployment_of_an_earlier_attempt_is_shown_as_done(
    status: str, mark: str, remark: str
) -> None:
    story = Story("eu")
    story.start("restore-old", "eu")
    story.tell("deployment-sent", "restore-old", "eu", phase="restore-old", id="0Af1")
    story.tell("deployment-progress", "restore-old", "eu", id="0Af1", status=status, done=True)
    story.start("restore-old", "eu")
    story.end("restore-old", "eu", changed=False)
    line = line_with(viewed_run(story).screen(), "rollback: deploy restore-old")
    assert line.startswith(mark)
    assert line.removesuffix("  try 2").endswith(remark)


def test_the_redemptions_of_the_canary_are_not_shown_as_additional() -> None:
    story = Story("eu")
    story.start("verify", "eu")
    story.tell("redeemed", "verify", "eu", count=4)
    story.traffic("eu", ("198.51.100.20", "redeemed", 3))
    viewed = viewed_run(story)
    caption = "of the canary's 4 redemptions, at most 3 are in LoginHistory so far"
    assert f"    {caption}" in viewed.screen().splitlines()
    story.traffic("eu", ("198.51.100.21", "redeemed", 1))
    assert "    may include 4 canary redemptions" in viewed.screen().splitlines()


def test_addresses_are_in_the_order_of_their_sides_and_numbers() -> None:
    story = Story("eu")
    story.start("verify", "eu")
    seen = ("198.51.100.21", "192.0.2.100", "203.0.113.10", "192.0.2.9", "198.51.100.20")
    story.traffic("eu", *((each, "redeemed", 1) for each in seen))
    shown = re.findall(r"^ +(\d\S+\.\d+) ", viewed_run(story).screen(), re.MULTILINE)
    assert shown == [
        *("203.0.113.10", "198.51.100.20", "198.51.100.21"),
        *("192.0.2.9", "192.0.2.100"),
    ]


def test_a_watch_whose_addresses_were_restored_did_not_fail() -> None:
    story = Story("eu")
    story.do("remove-old")
    story.start("watch", "eu")
    story.do("restore-old")
    story.tell("run-ended", outcome="failed", message="m", impact="i", next="n", exit_code=4)
    text = viewed_run(story).screen()
    assert "eu: stopped: the old addresses are on the allowlist again" in text
    assert "canceled" not in text


def test_waves_are_named() -> None:
    story = Story()
    story.tell("wave", number=2, targets=["us"])
    story.start("remove-old", "us")
    assert line_with(viewed_run(story).screen(), "5 deploy").endswith("wave 2")


def test_every_address_has_a_line() -> None:
    story = Story("eu")
    story.start("verify", "eu")
    story.traffic("eu", ("198.51.100.21", "redeemed", 12), ("192.0.2.9", "other", 3))
    text = viewed_run(story).screen()
    assert re.search(r"203\.0\.113\.10 +old +0 +0$", text, re.MULTILINE)
    assert re.search(r"198\.51\.100\.20  new +0 +0$", text, re.MULTILINE)
    assert re.search(r"198\.51\.100\.21  new +12 +0$", text, re.MULTILINE)
    assert re.search(r"192\.0\.2\.9 +other +0 +0  3 refused otherwise$", text, re.MULTILINE)


def test_the_blocked_ones_of_many_addresses_are_shown() -> None:
    story = Story("eu")
    rows = [(f"192.0.2.{each}", "redeemed", 1) for each in range(1, 40)]
    story.traffic("eu", *rows, ("192.0.2.200", "blocked", 1))
    text = viewed_run(story).screen()
    assert "!! 1 BLOCKED !!  192.0.2.200" in text
    assert "and 31 more: 31 redeemed" in text


@pytest.mark.parametrize("width", [80, 40, 24])
def test_blocked_redemptions_are_recognizable_without_color(width: int) -> None:
    story = Story("eu")
    story.start("watch", "eu")
    story.traffic("eu", ("198.51.100.21", "blocked", 7))
    text = viewed_run(story, width=width).screen()
    assert "!! 7 BLOCKED !!" in text
    if width == 80:
        assert "!! 7 BLOCKED !!  198.51.100.21  new, 0 redeemed, on eu" in text


def test_a_failed_measurement_is_recognizable_without_color() -> None:
    story = Story("eu")
    story.start("watch", "eu")
    story.measure("eu", ("canary redemption", "passed"), ("health", "failed"))
    text = viewed_run(story).screen()
    assert "    watch: canary redemption: 1 passed" in text
    assert " !! watch: health: 0 passed, 1 FAILED" in text


def test_only_the_newest_notes_are_shown() -> None:
    story = Story("eu")
    for number in range(9):
        story.tell("note", "verify", "eu", text=f"note {number}")
    text = viewed_run(story).screen()
    assert [number for number in range(9) if f"note {number}" in text] == [5, 6, 7, 8]


# What needs the operator.


def test_a_pause_is_a_box_with_the_exact_commands() -> None:
    story = Story("eu")
    story.do("probe", "snapshot")
    story.pause("add-new", message="the next step is add-new")
    text = viewed_run(story).screen(65)
    lines = [line.strip() for line in text.splitlines()]
    assert "━━ AWAITING APPROVAL: add-new, 1:05 ━" in text
    assert "the next step is add-new" in lines
    assert f"sfcutover approve {RUN}" in lines
    assert f"sfcutover cancel {RUN}" in lines
    assert line_with(text, "2 deploy add-new").startswith(" ‖")
    assert "AWAITING APPROVAL" in lines[0]


def test_commands_repeat_the_options_of_the_invocation() -> None:
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


def test_an_approval_closes_the_box() -> None:
    story = Story("eu")
    story.pause("switch", reason="switch", message="move the traffic")
    viewed = viewed_run(story)
    assert "move the traffic" in viewed.screen()
    story.tell("approved", "switch", who="ada", note="it is done")
    text = viewed.screen()
    assert "WAITS" not in text
    assert line_with(text, "3 switch").startswith(" ✓")
    assert "approved by ada: it is done" in text


def test_a_rollback_is_shown_in_a_prominent_box() -> None:
    viewed = viewed_run(recorded("rolled-back"))
    seen = ""
    for event, progress in viewed.story.stages():
        viewed.now = event.time
        viewed.view.show(event, progress)
        viewed.view.tick(progress)
        if event.kind == "rollback-started":
            seen = "\n".join(viewed.terminal.screen)
    assert "ROLLING BACK" in seen.splitlines()[0]
    assert re.search(r"^━━ ROLLING BACK ━+$", seen, re.MULTILINE)
    assert re.search(r"^ +sfcutover run$", seen, re.MULTILINE)
    text = viewed.close()
    assert text.splitlines()[0].startswith(f"{RUN}  ROLLED BACK")
    assert line_with(text, "  watch: ").startswith(" ✗")
    assert "rollback: deploy restore-old" in text
    assert re.search(r"!! \d+ BLOCKED !!  127\.0\.0\.22  new", text)


def test_steps_that_a_rollback_makes_unreachable_are_one_line() -> None:
    story = Story("eu")
    story.do("probe", "snapshot")
    story.start("add-new", "eu")
    story.fail("add-new", "eu")
    story.tell("rollback-started", reason="eu: broken")
    text = viewed_run(story).screen()
    assert " – not reached: control, verify-new, switch, verify, settle, remove-old, watch" in text


def test_a_step_that_some_targets_skip_waits_for_no_target() -> None:
    story = Story()
    story.start("remove-old", "eu")
    story.end("remove-old", "eu")
    line = line_with(viewed_run(story).screen(), "5 deploy")
    assert line.startswith(" ·")
    assert "1/3" in line
    story.tell("rollback-started", reason="us: broken")
    assert line_with(viewed_run(story).screen(), "5 deploy").startswith(" –")


def test_an_alert_is_shown_in_a_prominent_box_until_it_is_resolved() -> None:
    story = Story("eu")
    story.start("restore-old", "eu")
    story.fail("restore-old", "eu")
    commands = [Command("rollback", "--yes"), Command("switch", "--revert")]
    story.tell("page", "page", message="the old addresses are not back", commands=commands)
    viewed = viewed_run(story)
    text = viewed.screen()
    lines = [line.strip() for line in text.splitlines()]
    assert "━━ ACTION REQUIRED ━" in text
    assert all(command.line() in lines for command in commands)
    story.tell("page", "page", message="still not", commands=commands)
    assert "ACTION REQUIRED, alert 2" in viewed.screen()
    story.start("restore-old", "eu")
    story.end("restore-old", "eu")
    assert "ACTION REQUIRED" not in viewed.screen()


@pytest.mark.parametrize(
    ("outcome", "mark", "word"),
    [
        ("shown", " ✓", ""),
        ("skipped", " –", "skipped"),
        ("off", " –", "skipped"),
        ("not-shown", " ?", "unproven"),
        ("inconclusive", " ?", "unproven"),
    ],
)
def test_only_a_control_that_was_refused_is_shown_as_done(
    outcome: str, mark: str, word: str
) -> None:
    story = Story("eu", "us")
    for target in ("eu", "us"):
        story.start("control", target)
    for target, found in (("us", "shown"), ("eu", outcome)):
        evidence = {"outcome": found, "reason": "it is on the list", "body": None}
        story.tell("step-ended", "control", target, seconds=1.0, evidence=evidence, problem=None)
    text = viewed_run(story).screen()
    line = line_with(text, "control: ")
    assert line.startswith(mark)
    assert "2/2" in line
    if word:
        assert word in line
        assert f"eu: {word}: it is on the list" in text
    assert "us: " not in text
