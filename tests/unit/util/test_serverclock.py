"""A server's clock, estimated from its Date headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.util.serverclock import ServerClock, ServerTime, whole_second

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@dataclass
class Server:
    """A server whose clock reads NOON when ours reads 0, and the clock that estimates it."""

    here: float = 0.0
    clock: ServerClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = ServerClock(lambda: self.here)

    @property
    def time(self) -> datetime:
        return NOON + timedelta(seconds=self.here)

    def ask(self, there: float, back: float) -> None:
        """A request that takes this many seconds each way."""
        sent = self.here
        self.here += there
        date = format_datetime(whole_second(self.time), usegmt=True)
        self.here += back
        self.clock.hear(date, sent, self.here)


def test_before_an_answer_the_time_is_unknown() -> None:
    clock = ServerClock()
    assert not clock.is_known
    with pytest.raises(ValueError, match="no answer"):
        clock.now()


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Nov 2026 12:00:00 GMT"])
def test_an_answer_without_a_date_changes_nothing(date: str | None) -> None:
    clock = ServerClock()
    clock.hear(date, 0, 1)
    assert not clock.is_known


def test_one_answer_gives_the_time_within_its_second_and_its_duration() -> None:
    server = Server(here=0.4)
    server.ask(0.1, 0.2)
    now = server.clock.now()
    assert now.earliest == NOON
    assert now.latest - now.earliest == pytest.approx(
        timedelta(seconds=1.3), abs=timedelta(0, 0.01)
    )
    assert now.earliest <= server.time <= now.latest


Trips = st.lists(
    st.tuples(st.floats(0, 3), st.floats(0, 3), st.floats(0, 600)), min_size=1, max_size=20
)


@given(Trips, st.floats(0, 1))
def test_the_time_is_always_within_the_stated_limits(
    trips: list[tuple[float, float, float]], start: float
) -> None:
    server = Server(here=start)
    for there, back, pause in trips:
        server.ask(there, back)
        server.here += pause
        now = server.clock.now()
        slack = timedelta(microseconds=10)
        assert now.earliest - slack <= server.time <= now.latest + slack


def test_further_answers_narrow_the_limits() -> None:
    server = Server()
    for _ in range(20):
        server.ask(0.01, 0.01)
        server.here += 0.09
    assert server.clock.now().uncertainty < 0.1


@pytest.mark.parametrize("jump", [-300.0, 300.0])
def test_a_clock_that_jumped_is_estimated_again(jump: float) -> None:
    server = Server()
    server.ask(0.01, 0.01)
    before = server.clock.now()
    date = format_datetime(whole_second(server.time + timedelta(seconds=jump)), usegmt=True)
    server.clock.hear(date, server.here, server.here)
    after = server.clock.now()
    moved = (after.middle - before.middle).total_seconds()
    assert moved == pytest.approx(jump, abs=1)


def test_an_old_estimate_is_less_certain() -> None:
    server = Server()
    server.ask(0, 0)
    certain = server.clock.now().uncertainty
    server.here += 3600
    assert server.clock.now().uncertainty == pytest.approx(certain + 1.8)


def test_seconds_between_two_times_are_widened() -> None:
    first = ServerTime.around(NOON, 1.0)
    second = ServerTime.around(NOON + timedelta(seconds=10), 0.5)
    assert second.least_since(first) == 8.5
    assert second.most_since(first) == 11.5
    assert (first.middle, first.uncertainty) == (NOON, 1.0)
