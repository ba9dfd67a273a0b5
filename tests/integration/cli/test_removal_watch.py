"""deploy remove-old --watch: the removal and its watch in one process."""

from __future__ import annotations

import json
import signal

import pytest

from sfcutover.emulator.faults import Fault
from tests.integration.cli.conftest import OpenDesk, StartOrg
from tests.integration.cli.harness import Desk, HeldClock, Json
from tests.integration.cli.traffic import OLD, RunningClock, keep_token, verify_with

FAILURES = 2
REMOVE = ("deploy", "remove-old", "--yes", "--traffic-moved", "--watch")


@pytest.fixture
def clock() -> HeldClock:
    return RunningClock()


def ready(desk: Desk, **settings: object) -> Desk:
    """Proven and settled: the next step is the removal."""
    keep_token(desk)
    verify_with(desk, settle="0s")
    # A redemption that a busy machine answers within the interval: four that it does not, in a
    # row, end the watch.
    quick = {"duration": "3s", "interval": "1s", "failures": FAILURES}
    desk.configure(watch=quick | settings)
    assert desk.run("deploy", "add-new", "--yes").code == 0
    assert desk.run("verify", "--out", "evidence.json").code == 0
    return desk


def remove(*words: str) -> tuple[str, ...]:
    return (*REMOVE, "--evidence", "evidence.json", *words)


def holds_old(desk: Desk) -> bool:
    return all(desk.emulator.allowlist_history[-1].holds(address) for address in OLD)


def saved(desk: Desk) -> Json:
    document: Json = json.loads((desk.folder / "deploy.json").read_text())
    return document


def refuse_after_removal(desk: Desk, count: int | None = FAILURES) -> None:
    """The redemption that the gate repeats succeeds; those after it are refused."""
    desk.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=count, skip=1))


def test_a_removal_and_its_watch_are_one_document(desk: Desk) -> None:
    ready(desk)
    result = desk.run(*remove("--json", "--out", "deploy.json"))
    assert result.code == 0, result.err
    document = result.json("deploy")
    (target,) = document["targets"]
    watch = document["watch"]
    assert (target["outcome"], watch["outcome"], watch["restored"]) == ("deployed", "passed", [])
    assert [each["target"] for each in watch["targets"]] == ["packaging"]
    assert watch["targets"][0]["organization_id"] == target["organization_id"]
    assert target["started"] < target["ended"] <= watch["started"] < watch["ended"]
    assert "watch your redemptions" not in result.err
    assert saved(desk) == document
    assert not holds_old(desk)


def test_a_failed_watch_restores_the_addresses_and_decides_the_exit_code(desk: Desk) -> None:
    ready(desk)
    refuse_after_removal(desk)
    result = desk.run(*remove("--out", "deploy.json"))
    result.refused(5, "the watch rolled back")
    assert "the old addresses are on the allowlist again" in result.impact
    watch = saved(desk)["watch"]
    assert watch["outcome"] == "rolled-back"
    assert [each["phase"]["phase"] for each in watch["restored"]] == ["restore-old"]
    assert "succeeded" in watch["old_proof"]
    assert holds_old(desk)


def test_a_removal_with_rollback_is_one_document(desk: Desk) -> None:
    ready(desk)
    refuse_after_removal(desk)
    result = desk.run(*remove("--json"))
    assert result.code == 5
    assert result.json("deploy")["watch"]["outcome"] == "rolled-back"


def test_a_second_start_watches_what_the_first_removed(desk: Desk) -> None:
    ready(desk)
    assert desk.run(*remove()[:-2]).code == 0
    result = desk.run(*REMOVE, "--json")
    assert result.code == 0
    document = result.json("deploy")
    assert document["targets"][0]["outcome"] == "no-change"
    assert document["watch"]["outcome"] == "passed"
    assert desk.asked("deploy") == 2


@pytest.mark.parametrize(
    "words",
    [
        ("deploy", "add-new", "--watch"),
        ("deploy", "restore-old", "--watch"),
        (*REMOVE, "--async"),
        (*REMOVE, "--dry-run"),
    ],
)
def test_watch_requires_waiting_for_the_removal(words: tuple[str, ...], desk: Desk) -> None:
    desk.run(*words).refused(2, "--watch requires remove-old")
    assert desk.asked("deploy") == 0


def test_missing_watch_settings_are_reported_before_the_removal(desk: Desk) -> None:
    ready(desk)
    (desk.folder / "canary.token").unlink()
    desk.run(*remove()).refused(2, "cannot be read")
    assert holds_old(desk)


@pytest.mark.slow
def test_a_removed_list_is_watched_although_the_next_removal_fails(
    desk: Desk, start_org: StartOrg
) -> None:
    second = start_org()
    desk.add_target("second", second)
    verify_with(desk, refresh_token=None, canaries=_canaries(desk))
    ready(desk)
    second.set_fault(Fault(kind="failed", operation="deploy", count=None))
    result = desk.run(*remove("--out", "deploy.json"))
    result.refused(1, "second: ")
    assert "the watch of packaging passed" in result.impact
    document = saved(desk)
    assert [each["target"] for each in document["targets"]] == ["packaging"]
    assert [each["target"] for each in document["watch"]["targets"]] == ["packaging"]


def _canaries(desk: Desk) -> list[Json]:
    path = desk.folder / "own.token"
    path.touch(mode=0o600)
    path.write_text(desk.emulator.issue_grant("own"), encoding="utf-8")
    return [
        {"name": "first", "refresh_token": {"file": "canary.token"}, "targets": ["packaging"]},
        {"name": "own", "refresh_token": {"file": "own.token"}, "targets": ["second"]},
    ]


def test_an_interrupt_before_the_watch_reports_the_removed_addresses(open_desk: OpenDesk) -> None:
    """The first redemption of the watch does not end, so that nothing has been monitored."""
    desk = ready(open_desk(), duration="60s")
    desk.emulator.set_fault(Fault(kind="slow", operation="redeem", skip=1, seconds=60))
    process = desk.start(*remove("--out", "deploy.json"))
    process.wait_for("watching for")
    process.send(signal.SIGTERM)
    result = process.result()
    result.refused(9, "interrupted by SIGTERM")
    assert (
        "the old addresses are removed from the allowlist of packaging; no process watches"
        in result.impact
    )
    assert "sfcutover watch" in result.hint
    assert saved(desk)["watch"] is None


def test_an_unwritable_document_does_not_prevent_the_watch(desk: Desk) -> None:
    ready(desk)
    result = desk.run(*remove("--out", "missing/deploy.json"))
    result.refused(1, "the document was not written")
    assert "watching for" in result.err
    assert not holds_old(desk)
