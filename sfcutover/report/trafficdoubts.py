"""What the redemptions from one address on one target leave open, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sfcutover.report.addresstraffic import Counts, seconds, total
from sfcutover.report.durations import clock


def still_blocked(where: str, counts: Counts) -> Iterator[str]:
    redeemed, blocked = seconds(counts, "redeemed"), seconds(counts, "blocked")
    if blocked and (not redeemed or redeemed[-1] <= blocked[-1]):
        yield (
            f"{_blocked(where, counts)}, the last at {clock(blocked[-1])}, and none was seen to "
            "succeed after that: nothing shows that customers are let in from there."
        )


def left_behind(where: str, counts: Counts) -> Iterator[str]:
    if blocked := seconds(counts, "blocked"):
        yield (
            f"{_blocked(where, counts)}, the last at {clock(blocked[-1])}: something still left "
            "by that address while it was off the list."
        )


def let_in(where: str, counts: Counts, off: tuple[float, float]) -> Iterator[str]:
    """LoginTime has whole seconds, so those at the ends may be from before or after."""
    late = [second for second in seconds(counts, "redeemed") if off[0] + 1 < second < off[1] - 1]
    if late:
        yield (
            f"Redemptions {where} succeeded until {clock(late[-1])}, although the list was read "
            "back without it: something lets it in, or the change had not reached every login "
            "server."
        )


def _blocked(where: str, counts: Counts) -> str:
    count = total(counts, "blocked")
    many = "redemptions" if count != 1 else "redemption"
    return f"{count:,} {many} {where} {'were' if count != 1 else 'was'} blocked"
