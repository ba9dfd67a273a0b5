"""notify: of a run: who receives what; no receiver changes the result of a run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from sfcutover.cutover.notifiers import TRY_SECONDS
from sfcutover.emulator.faults import Fault
from tests.chaos.world import NEW, OLD, World, world
from tests.support import Request, answer, serving

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

HOOK = {"url": {"env": "HOOK"}}


class Receiver:
    """A webhook that gives no answer while it is held."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.bodies: list[str] = []
        self.released = threading.Event()
        self.released.set()
        self.status = 200

    def handle(self, request: Request) -> None:
        body = request.body.decode()
        self.bodies.append(body)
        self.events.append(json.loads(body).get("event", "slack"))
        self.released.wait(60)
        answer(request, b"", self.status)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def hook(receiver: Receiver) -> Iterator[str]:
    with serving(receiver.handle) as url:
        yield f"{url}/services/T0/B0/not-for-others"


@pytest.fixture
def here(hook: str, tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world", notify=[{"webhook": HOOK}]) as one:
        one.environment["HOOK"] = hook
        yield one


def seconds_of(event: dict[str, object]) -> float:
    return datetime.fromisoformat(str(event["time"])).timestamp()


def test_a_webhook_receives_the_pause_and_the_end_of_a_run(here: World, receiver: Receiver) -> None:
    assert here.call("run", "--yes", "--pause-before", "switch")[0] == 75
    assert receiver.events == ["waiting"]
    assert json.loads(receiver.bodies[0])["next"] == "sfcutover approve emulated-cutover.1"
    assert here.call("approve")[0] == 0
    assert receiver.events == ["waiting", "done"]


def test_each_receiver_gets_its_own_events(tmp_path: Path, hook: str, receiver: Receiver) -> None:
    """Two to one receiver: Slack gets the ends of runs, the webhook the pauses."""
    notify = [
        {"webhook": HOOK, "events": ["waiting"]},
        {"slack": HOOK, "events": ["done", "failed"]},
    ]
    with world(tmp_path / "world", notify=notify) as here:
        here.environment["HOOK"] = hook
        here.call("run", "--yes", "--pause-before", "switch")
        assert receiver.events == ["waiting"]
        here.call("approve")
    assert receiver.events == ["waiting", "slack"]


def test_a_failed_or_rolled_back_run_notifies(here: World, receiver: Receiver) -> None:
    here.emulator.set_fault(Fault(kind="failed", operation="deploy"))
    code, out = here.call("run", "--yes")
    assert code == 1, out
    assert receiver.events == ["rolled-back"]


def test_a_hanging_receiver_does_not_prevent_restoring_addresses(
    here: World, receiver: Receiver
) -> None:
    """It hangs from the first alert on, and the restore is retried nevertheless."""
    process = here.start("run", "--yes")
    here.wait_for("watch-started")
    receiver.released.clear()
    here.emulator.set_fault(Fault(kind="org_locked", operation="deploy", count=2))
    here.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=4))
    try:
        here.wait_for("page")
        here.wait_for("run-ended")
        assert here.live == {*OLD, *NEW}
        assert "page" in receiver.events
    finally:
        receiver.released.set()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 5, out
    events = [event for event in here.events() if "kind" in event]
    (page,) = [at for at, event in enumerate(events) if event["kind"] == "page"]
    again = next(
        event
        for event in events[page:]
        if (event["kind"], event["step"]) == ("step-started", "restore-old")
    )
    assert seconds_of(again) - seconds_of(events[page]) < TRY_SECONDS


def test_a_failing_receiver_is_a_note_and_changes_no_result(
    here: World, receiver: Receiver, hook: str
) -> None:
    receiver.status = 400
    code, out = here.call("run", "--yes", "-vv")
    assert code == 0, out
    notes = [str(event["data"]) for event in here.events() if event["kind"] == "note"]
    (note,) = [text for text in notes if "notify" in text]
    assert "cutover.yaml:" in note
    assert "the notify webhook failed: HTTP 400" in note
    assert "not-for-others" not in out
    assert hook not in json.dumps(here.events())


def test_the_end_of_a_run_waits_for_its_notification(here: World, receiver: Receiver) -> None:
    receiver.released.clear()
    process = here.start("run", "--yes")
    here.wait_for("run-ended")
    threading.Timer(0.5, receiver.released.set).start()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert "notify" not in out
    assert receiver.events == ["done"]


def test_doctor_checks_the_url_and_sends_nothing(here: World, receiver: Receiver) -> None:
    code, out = here.call("doctor", "--only", "traffic")
    assert code == 0, out
    assert "notify[0].webhook" in out
    here.environment["HOOK"] = "http://hooks.example.com/services/not-for-others"
    code, out = here.call("doctor", "--only", "traffic")
    assert code == 2, out
    assert "the URL of this receiver is not an https URL" in out
    assert "not-for-others" not in out
    assert receiver.events == []
