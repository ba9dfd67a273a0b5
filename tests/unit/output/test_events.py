"""Events as lines for people, and which of them a log shows."""

from __future__ import annotations

import re

import pytest

from sfcutover.errors import Command
from sfcutover.output.console import Console, Settings, is_redrawn
from sfcutover.output.events import (
    LineView,
    blocked_line,
    detail_text,
    event_line,
    event_text,
    is_alarming,
)
from sfcutover.runs.event import Event
from tests.unit.cutover.journaled import RUN, Story, events_of, problem_document

TIMESTAMPED = re.compile(r"(warning: )?\d\d:\d\d:\d\dZ \S.*")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def story() -> Story:
    return Story("eu", "us")


def _shown(story: Story, capsys: Capture, *, quiet: bool = False) -> list[str]:
    view = LineView(Console(Settings(quiet=quiet)))
    capsys.readouterr()
    for event, progress in story.stages():
        view.show(event, progress)
        view.tick(progress)
    out, err = capsys.readouterr()
    assert not out
    return err.splitlines()


def _after_start(lines: list[str]) -> list[str]:
    return lines[1:]


@pytest.mark.parametrize("name", ["done", "rolled-back"])
def test_a_real_run_is_one_timestamped_line_an_event(name: str, capsys: Capture) -> None:
    story = Story()
    story.events = events_of(name)
    lines = _shown(story, capsys)
    assert lines
    assert all(TIMESTAMPED.fullmatch(line) for line in lines)


def test_the_log_of_a_successful_run(capsys: Capture) -> None:
    story = Story()
    story.events = events_of("done")
    lines = [re.sub(r"^\S+Z |\d+\.\d s|\S+Z,|0Af\w+", "", line) for line in _shown(story, capsys)]
    assert lines[0] == (
        "run emulated-cutover.1 started: Acme_Connector on packaging; "
        "old 127.0.0.11, 127.0.0.12; new 127.0.0.21, 127.0.0.22; started by ada"
    )
    assert "packaging add-new: to deploy: + 127.0.0.21, 127.0.0.22" in lines
    assert "packaging add-new: done in : read back: 5 entries" in lines
    assert "packaging remove-old: to deploy: - 127.0.0.11, 127.0.0.12" in lines
    assert "packaging watch: canary redemption passed" in lines
    assert lines[-1].startswith("done: every target")
    assert not any("warning" in line for line in lines)


def test_the_log_of_a_rollback(capsys: Capture) -> None:
    story = Story()
    story.events = events_of("rolled-back")
    text = "\n".join(_shown(story, capsys))
    assert re.search(
        r"warning: \S+Z BLOCKED redemptions so far.*from 127.0.0.22 on packaging", text
    )
    assert re.search(
        r"warning: \S+Z packaging watch: ROLLING BACK, restoring the old addresses first", text
    )
    assert re.search(
        r"warning: \S+Z packaging watch: FAILED: canary redemption failed, .* are restored next",
        text,
    )
    assert "packaging watch: done" not in text


def test_a_failure_names_its_kind_and_place(story: Story) -> None:
    problem = problem_document("blocked", "refused", "198.51.100.20")
    event = story.tell("step-ended", "verify", "eu", seconds=1, evidence=None, problem=problem)
    assert event_text(event) == "FAILED (blocked): 198.51.100.20: refused"
    assert is_alarming(event)


def test_an_unknown_result_is_no_alarm(story: Story) -> None:
    assert not is_alarming(story.fail("verify", "eu", kind="inconclusive"))


def test_a_canceled_step_is_not_done(story: Story) -> None:
    assert event_text(story.cancel("settle")) == "stopped: canceled"


@pytest.mark.parametrize(
    ("step", "detail"),
    [
        ("verify", "127.0.0.21, 127.0.0.22 proven by the org's LoginHistory; 4 redemptions"),
        ("add-new", "read back: 5 entries"),
        (
            "snapshot",
            "the old addresses are on the allowlist, but not all new ones "
            "(phase add-new is not live)",
        ),
        ("watch", "passed after 4 rounds"),
        ("switch", ""),
    ],
)
def test_the_detail_of_a_step_is_its_finding(story: Story, step: str, detail: str) -> None:
    assert detail_text(story.end(step)) == detail
    assert detail_text(story.end("probe")).endswith("probes, answered from 127.0.0.21, 127.0.0.22")


def test_a_deploy_reports_its_permission_or_that_it_was_not_needed(story: Story) -> None:
    allowed = detail_text(story.end("remove-old", "eu", clearance="a proof"))
    assert allowed == "read back: 3 entries; allowed by: a proof"
    assert detail_text(story.end("add-new", "eu", changed=False)) == "nothing to change, read back"


def test_a_pause_names_the_exact_commands(story: Story) -> None:
    event = story.pause("switch", message="the next step is switch")
    text = event_text(event)
    assert text is not None
    assert "AWAITING APPROVAL: the next step is switch" in text
    assert f"approve: sfcutover approve {RUN}; cancel: sfcutover cancel {RUN}" in text
    assert is_alarming(event)


def test_an_alert_names_the_exact_commands(story: Story) -> None:
    commands = [Command("rollback", "--yes"), Command("switch", "--revert")]
    story.start("page")
    event = story.tell("page", "page", message="not back", commands=commands)
    text = event_text(event)
    listed = "sfcutover rollback --yes; sfcutover switch --revert"
    assert text == f"ACTION REQUIRED: not back; run: {listed}"
    assert event_line(story.end("page", message="not back")) is None  # it would be repeated


def test_a_text_with_several_lines_stays_on_one_line(story: Story) -> None:
    event = story.tell("note", "switch", text="first\nsecond\r\nthird")
    line = event_line(event)
    assert line is not None
    assert line.endswith("switch: first second third")


def test_a_failed_measurement_reports_the_reason(story: Story) -> None:
    event = story.measure("eu", ("canary redemption", "passed"), ("health", "failed"))
    assert event_text(event) == "canary redemption passed, health failed (d)"


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        ("approved", {"who": "ada", "note": "looks good"}, "approved by ada: looks good"),
        ("approved", {"who": "ada", "note": None}, "approved by ada"),
        ("wave", {"number": 2, "targets": ["eu", "us"]}, "wave 2: eu, us"),
        ("run-resumed", {"place": "ci, process 7"}, "the run resumes on host ci, process 7"),
        (
            "run-resumed",
            {"place": "ci, process 7", "cancels": True},
            "the run is canceled on host ci, process 7",
        ),
        ("deployment-sent", {"id": "0Af1", "phase": "add-new"}, "sent deployment 0Af1 (add-new)"),
        ("deployment-progress", {"id": "0Af1", "status": "Pending", "total": 0}, "0Af1: Pending"),
        ("settling", {"until": 1_800_000_060.0}, "waiting until 08:01:00Z"),
        ("of-tomorrow", {}, "of tomorrow"),
        ("of-tomorrow", {"message": "told"}, "told"),
    ],
)
def test_the_line_of_every_other_event(
    story: Story, kind: str, data: dict[str, object], text: str
) -> None:
    assert text in str(event_text(Event(1, RUN, story.now, kind, data=data)))


@pytest.mark.parametrize("kind", ["stage", "probed", "redeemed", "deployment-sending", "traffic"])
def test_events_for_programs_have_no_line(story: Story, kind: str) -> None:
    assert event_line(story.tell(kind, "verify", "eu", name="n", count=1, buckets=[])) is None


def test_an_unchanged_watch_is_reported_once_a_minute(story: Story, capsys: Capture) -> None:
    for _ in range(150):
        story.measure("eu", ("canary redemption", "passed"))
    assert len(_after_start(_shown(story, capsys))) == 3


def test_a_changed_watch_is_reported_immediately(story: Story, capsys: Capture) -> None:
    for verdict in ("passed", "passed", "failed", "failed", "passed"):
        story.measure("eu", ("canary redemption", verdict))
    story.measure("us", ("canary redemption", "passed"))
    told = [line.split("canary redemption ")[1] for line in _after_start(_shown(story, capsys))]
    assert told == ["passed", "failed (d)", "passed", "passed"]


def test_blocked_redemptions_are_reported_immediately_and_in_total(
    story: Story, capsys: Capture
) -> None:
    story.traffic("eu", ("198.51.100.20", "redeemed", 9))
    for _ in range(5):
        story.traffic("eu", ("198.51.100.20", "blocked", 2))
    story.traffic("us", ("198.51.100.21", "blocked", 1))
    story.traffic("us", ("198.51.100.21", "blocked", 1))
    story.tell("run-ended", outcome="failed", exit_code=1, message="m", impact="t", next="n")
    lines = _after_start(_shown(story, capsys))
    told = [line.split(": ", 2)[-1] for line in lines if "BLOCKED" in line]
    assert told == [
        "2 from 198.51.100.20 on eu",
        "10 from 198.51.100.20 on eu, 1 from 198.51.100.21 on us",
        "10 from 198.51.100.20 on eu, 2 from 198.51.100.21 on us",
    ]
    assert lines[-1].endswith("failed: m")


def test_the_line_of_blocked_redemptions_adds_up(story: Story) -> None:
    story.traffic("us", ("198.51.100.20", "blocked", 1))
    event = story.traffic("eu", ("198.51.100.20", "blocked", 2))
    assert blocked_line(event, story.progress).endswith("3 from 198.51.100.20 on eu, us")


def test_quiet_reports_alarms_only(story: Story, capsys: Capture) -> None:
    story.do("probe", "snapshot")
    story.pause("add-new")
    story.fail("add-new", "eu")
    story.tell("rollback-started", reason="broken")
    lines = _shown(story, capsys, quiet=True)
    assert [line.split(" ")[0] for line in lines] == ["warning:"] * 3


def _looks_like_a_terminal(monkeypatch: pytest.MonkeyPatch, answer: bool = True) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: answer, raising=False)


@pytest.mark.parametrize(
    ("settings", "environment", "terminal", "redrawn"),
    [
        (Settings(), {"TERM": "xterm"}, True, True),
        (Settings(no_color=True), {"TERM": "xterm"}, True, True),
        (Settings(), {"TERM": "xterm"}, False, False),
        (Settings(), {"TERM": "dumb"}, True, False),
        (Settings(), {}, True, False),
        (Settings(), {"TERM": "xterm", "CI": "true"}, True, False),
        (Settings(quiet=True), {"TERM": "xterm"}, True, False),
        (Settings(verbose=1), {"TERM": "xterm"}, True, False),
    ],
)
def test_when_a_screen_is_redrawn(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    environment: dict[str, str],
    terminal: bool,
    redrawn: bool,
) -> None:
    _looks_like_a_terminal(monkeypatch, terminal)
    assert is_redrawn(settings, environment) is redrawn


def test_no_screen_is_redrawn_without_a_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    assert not is_redrawn(Settings(), {"TERM": "xterm"})


def test_every_kind_of_event_has_words() -> None:
    """An event that is printed with its bare name was forgotten."""
    events: list[Event] = [*events_of("done"), *events_of("rolled-back")]
    bare = {event.kind for event in events if event_text(event) == event.kind.replace("-", " ")}
    assert not bare
