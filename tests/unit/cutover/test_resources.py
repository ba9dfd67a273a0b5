"""What a process completes before it ends, and what it no longer starts."""

from __future__ import annotations

import threading
import time

import pytest

from sfcutover.cutover.resources import ShutdownGuard
from sfcutover.errors import LockLostError


def test_a_closed_guard_starts_nothing() -> None:
    guard = ShutdownGuard()
    with guard:
        guard.require_open()
    guard.close(0.0)
    with pytest.raises(LockLostError):
        guard.require_open()
    with pytest.raises(LockLostError), guard:
        pytest.fail("the closed guard was entered")
    assert not guard


def test_a_started_block_may_start_its_parts_after_the_guard_is_closed() -> None:
    guard = ShutdownGuard()
    with guard:
        guard.close(0.0)
        guard.require_open()
        with guard:
            assert guard
        guard.require_open()
    with pytest.raises(LockLostError):
        guard.require_open()


def test_a_block_of_one_thread_admits_no_other_thread() -> None:
    guard, refused = ShutdownGuard(), []

    def enter() -> None:
        try:
            guard.require_open()
        except LockLostError as error:
            refused.append(error)

    with guard:
        guard.close(0.0)
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
    assert len(refused) == 1


def test_closing_waits_until_due_addresses_are_restored() -> None:
    guard = ShutdownGuard()
    guard.expect("packaging")
    assert guard
    thread = threading.Thread(target=guard.close, args=(60.0,))
    thread.start()
    guard.require_open()
    guard.fulfil("packaging")
    thread.join(30.0)
    assert not thread.is_alive()
    with pytest.raises(LockLostError):
        guard.require_open()


def test_closing_waits_for_a_limited_time() -> None:
    guard = ShutdownGuard()
    guard.expect("packaging")
    before = time.monotonic()
    guard.close(0.01)
    assert 0.01 <= time.monotonic() - before < 30
    with pytest.raises(LockLostError):
        guard.require_open()
