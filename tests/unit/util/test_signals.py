"""The handling of SIGINT, SIGTERM and SIGHUP in this process."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from sfcutover.util import signals

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in (*NUMBERS, signal.SIGALRM)}
    monkeypatch.setattr(signals, "_state", signals._State())
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_signal_interrupts_and_further_ones_change_nothing(
    number: signal.Signals,
) -> None:
    signals.install()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    for other in NUMBERS:
        signal.raise_signal(other)
    assert signals.received() == number.name


def test_a_signal_after_the_expected_end_interrupts_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signals.install()
    monkeypatch.setattr(signals, "END_SECONDS", 0.0)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_a_signal_ignored_at_the_start_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals.install()
    signal.raise_signal(signal.SIGHUP)
    assert signals.received() == ""


def test_a_deferring_block_is_completed_first() -> None:
    signals.install()
    done: list[bool] = []

    def send() -> None:
        with signals.deferred():
            with signals.deferred():
                signal.raise_signal(signal.SIGTERM)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        send()
    assert done
    signal.raise_signal(signal.SIGINT)


def test_a_deferring_block_that_takes_too_long_is_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signals.install()
    monkeypatch.setattr(signals, "DEFERRED_SECONDS", 0.05)

    def hang() -> None:
        with signals.deferred():
            signal.raise_signal(signal.SIGTERM)
            signal.pause()
            raise AssertionError("the block was not interrupted")

    with pytest.raises(KeyboardInterrupt):
        hang()


def test_after_the_result_is_settled_nothing_interrupts() -> None:
    signals.install()
    signals.ignore()
    for number in NUMBERS:
        signal.raise_signal(number)
    assert signals.received() == ""
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
