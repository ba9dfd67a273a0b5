from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sfcutover.emulator.formats import IdSequence, OrgClock, is_same, lengthen


@pytest.mark.parametrize(
    ("short", "long"),
    [
        # Pairs of real ids that Salesforce's and others' documents show.
        ("00D000000000062", "00D000000000062EAA"),
        ("0010v00000J4MnM", "0010v00000J4MnMAAV"),
        ("0Af0500001Y5P7s", "0Af0500001Y5P7sCAF"),
    ],
)
def test_long_ids_end_with_the_checksum_of_salesforce(short: str, long: str) -> None:
    assert lengthen(short) == long


def test_only_a_short_id_can_be_lengthened() -> None:
    with pytest.raises(ValueError, match="15 characters"):
        lengthen("00D000000000062EAA")


def test_short_and_long_ids_name_the_same_record() -> None:
    assert is_same("00D000000000062", "00D000000000062EAA")
    assert not is_same("00D000000000062", "00D000000000063EAA")
    assert not is_same("00D", "00D000000000062EAA")


def test_every_id_is_new_and_starts_with_its_prefix() -> None:
    ids = IdSequence()
    made = [ids.make("0Af") for _ in range(200)]
    assert len({one.lower() for one in made}) > 100
    assert len(set(made)) == 200
    assert all(one.startswith("0Af") and len(one) == 18 for one in made)
    assert all(one == lengthen(one[:15]) for one in made)


def test_an_existing_date_is_kept() -> None:
    first = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    times = [first, first + timedelta(seconds=60)]
    clock = OrgClock(lambda: times[0], 5)
    times.pop(0)
    clock.offset_seconds = -5
    assert clock.shown(first) == first + timedelta(seconds=5)
    assert clock.shown(clock()) == clock() - timedelta(seconds=5)
    assert clock.shown(first - timedelta(days=1)) == first - timedelta(days=1, seconds=-5)
