"""A whole cutover and its rollback under live traffic: no address in use leaves the allowlist."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sfcutover.emulator.emulator import Emulator
from sfcutover.errors import ExitCode
from tests.integration.cli.conftest import OpenDesk
from tests.integration.cli.harness import Desk, HeldClock
from tests.integration.cli.traffic import RunningClock, keep_token
from tests.integration.emulator.traffic import redeem

CUTOVER = (
    ("probe", "--via", "old"),
    ("probe",),
    ("deploy", "add-new", "--yes"),
    ("switch",),
    ("verify", "--out", "evidence.json"),
    ("deploy", "remove-old", "--evidence", "evidence.json", "--yes"),
    ("watch",),
)
WAY_BACK = (
    ("rollback", "--yes"),
    ("switch", "--revert"),
    ("rollback", "--to", "baseline", "--yes", "--traffic-moved"),
)


@pytest.fixture
def clock() -> HeldClock:
    return RunningClock()


@pytest.fixture
def ready(open_desk: OpenDesk) -> Desk:
    """Traffic leaves by the egress that a file names; the switch command writes that file."""
    desk = open_desk(deploy_seconds=0.5)
    keep_token(desk)
    desk.configure(
        switch={
            "apply": ["sh", "-c", "echo new > egress"],
            "revert": ["sh", "-c", "echo old > egress"],
        },
        watch={"duration": "2s", "interval": "1s", "failures": 2},
    )
    desk.write("egress", "old")
    return desk


@contextmanager
def application(org: Emulator) -> Iterator[None]:
    """Three customers who redeem tokens continuously, through the current egress."""
    ends = threading.Event()

    def serve(number: int) -> None:
        while not ends.wait(0.05):
            via = Path("egress").read_text().strip().upper()
            _, token = org.customer_tokens[number]
            redeem(org, token, org.environment[f"SFCUTOVER_{via or 'OLD'}_PROXY_URL"])

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ends.set()
        for thread in threads:
            thread.join()


def run(desk: Desk, words: tuple[str, ...]) -> None:
    """Run the command, and once more if the gate refuses: LoginTime has whole seconds, so that a

    redemption just before a switch may look like one just after it."""
    for _ in range(3):
        result = desk.run(*words)
        if result.code != ExitCode.GATE:
            break
        assert "redemptions still come from" in result.error
    assert result.code == 0, (words, result.out, result.err)


def test_no_address_in_use_ever_leaves_the_allowlist(ready: Desk) -> None:
    org = ready.emulator
    with application(org):
        for words in (*CUTOVER, *WAY_BACK):
            run(ready, words)
    history = org.allowlist_history
    sources = set()
    for each in org.redemptions:
        assert each.result == "redeemed", each
        on_the_list = [version for version in history if version.time <= each.time][-1]
        assert on_the_list.holds(each.source), each
        sources.add(each.source)
    assert sources == {"127.0.0.11", "127.0.0.12", "127.0.0.21", "127.0.0.22"}
    lists = [{a for a in sources if version.holds(a)} for version in history]
    assert {"127.0.0.21", "127.0.0.22"} in lists  # the old ones were really removed for a while
    assert lists[-1] == {"127.0.0.11", "127.0.0.12"}
