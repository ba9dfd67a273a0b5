"""A thread for calls that may hang."""

from __future__ import annotations

import threading

from sfcutover.runs.background import BackgroundThread


def test_each_call_that_is_soon_done_is_answered() -> None:
    thread = BackgroundThread("answering")
    assert [thread.do(lambda: "one", 30), thread.do(lambda: "two", 30)] == ["one", "two"]
    thread.close()


def test_a_thread_ends_with_close_and_keeps_no_process_from_ending() -> None:
    thread = BackgroundThread("ending")
    (found,) = (each for each in threading.enumerate() if each.name == "ending")
    assert found.daemon
    thread.close()
    found.join(10)
    assert not found.is_alive()
