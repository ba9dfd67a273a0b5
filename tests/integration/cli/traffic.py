"""Tokens, clocks and applications for the tests of commands about traffic."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import yaml

from tests.integration.cli.harness import PROCESS_SECONDS, Desk, HeldClock
from tests.integration.emulator.traffic import redeem

OLD = ("127.0.0.11", "127.0.0.12")
NEW = ("127.0.0.21", "127.0.0.22")


class RunningClock(HeldClock):
    """The org's time is the present, because LoginHistory is queried for new rows."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


def keep_token(desk: Desk) -> None:
    """Write the canary's token to the file that cutover.yaml names."""
    path = desk.folder / "canary.token"
    path.touch(mode=0o600)
    path.write_text(desk.emulator.environment["SF_REFRESH_TOKEN"] + "\n", encoding="utf-8")


def verify_with(desk: Desk, **keys: object) -> None:
    """Change keys of verify: in cutover.yaml."""
    verify = yaml.safe_load(desk.config.read_text(encoding="utf-8"))["verify"]
    desk.configure(verify=verify | keys)


@contextmanager
def application(desk: Desk, via: str) -> Iterator[None]:
    """An application that redeems a customer's token continuously through the old or new egress."""
    proxy = desk.emulator.environment[f"SFCUTOVER_{via.upper()}_PROXY_URL"]
    ends, first = threading.Event(), threading.Event()

    def redeem_continuously() -> None:
        while not ends.is_set():
            _, token = desk.emulator.customer_tokens[0]
            redeem(desk.emulator, token, proxy)
            first.set()
            ends.wait(0.05)

    thread = threading.Thread(target=redeem_continuously)
    thread.start()
    try:
        assert first.wait(PROCESS_SECONDS)
        yield
    finally:
        ends.set()
        thread.join()


def blocked_sources(desk: Desk) -> set[str]:
    """Addresses from which a redemption was blocked."""
    return {one.source for one in desk.emulator.redemptions if one.result == "blocked"}


def lists_held(desk: Desk, *addresses: str) -> bool:
    """True if these addresses were on every allowlist that the org ever had."""
    return all(
        version.holds(address)
        for version in desk.emulator.allowlist_history
        for address in addresses
    )
