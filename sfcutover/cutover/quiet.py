"""The quiet checks: what shows that customers have left the addresses that are to be removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sfcutover.config.checks import QuietCheck
from sfcutover.cutover.redemptionerrors import NotQuietError
from sfcutover.traffic.checks import Checker, CheckResult, Verdict, checker_for
from sfcutover.util.clock import Clock

_SHORTEST_PAUSE, _LARGEST_PAUSE = 0.2, 5.0  # seconds between two measurements
_MEASUREMENTS = 10  # at least, while one must hold
_TIMES = 3  # times the longest duration: how long to wait for the checks
_SHORTEST_WAIT = 10.0  # seconds
NOTHING_REMOVED = "nothing was removed; customers who still redeem from there keep access"


@dataclass
class _Held:
    """How one check stands. since: the clock's time of the first measurement that passed, of those
    in a row."""

    config: QuietCheck
    checker: Checker
    since: float | None = None
    last: CheckResult | None = None

    def measure(self, now: float) -> None:
        self.last = self.checker()
        passed = self.last.verdict is Verdict.PASSED
        self.since = (now if self.since is None else self.since) if passed else None

    def left(self, now: float) -> float:
        """Seconds for which it must hold yet."""
        held = 0.0 if self.since is None else now - self.since
        return self.config.held_for - held

    def has_held(self, now: float) -> bool:
        return self.since is not None and self.left(now) <= 0


@dataclass(frozen=True)
class QuietPeriod:
    """Waits until every quiet check has held as long as it must.

    clock: for all waiting. countdown: receives the seconds that are left at least.
    """

    checks: Sequence[QuietCheck]
    clock: Clock
    countdown: Callable[[float], None] = field(default=lambda _: None)

    def require(self) -> str:
        """What has held, in a sentence.

        Raises NotQuietError for a check that fails or does not tell, and ConfigError for one that
        can't work at all.
        """
        held = [_Held(each, checker_for(each)) for each in self.checks]
        longest = max(each.held_for for each in self.checks)
        end = self.clock.now() + max(_SHORTEST_WAIT, _TIMES * longest)
        pause = max(_SHORTEST_PAUSE, min(_LARGEST_PAUSE, longest / _MEASUREMENTS))
        while True:
            for each in held:
                each.measure(self.clock.now())
            now = self.clock.now()
            if all(each.has_held(now) for each in held):
                return "; ".join(map(_sentence, held))
            if now > end:
                raise _error(next(each for each in held if not each.has_held(now)))
            self.countdown(max(each.left(now) for each in held))
            self.clock.pause(pause)


def _sentence(held: _Held) -> str:
    detail = held.last.detail if held.last else ""
    return f"{held.config.title} passed for {held.config.held_for:g} s ({detail})"


def _error(held: _Held) -> NotQuietError:
    name, last = held.config.title, held.last
    detail = f"{last.verdict}: {last.detail}" if last else "it was not measured"
    if last is not None and last.verdict is Verdict.FAILED:
        return NotQuietError(
            f"customers still use the old addresses: the quiet check {name} {detail}",
            hint="find what still uses these addresses and switch it to the new egress, then run "
            "this again",
            impact=NOTHING_REMOVED,
        )
    return NotQuietError(
        f"the quiet check {name} does not show that customers have left the old addresses: "
        f"{detail}",
        hint="fix the check so that it gives a result, then run this again",
        impact=NOTHING_REMOVED,
    )
